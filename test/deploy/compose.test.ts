import { execFileSync, spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import formats from 'ajv-formats';
import { describe, expect, it, onTestFinished } from 'vitest';
import { parse } from 'yaml';
import { loadConfig } from '../../src/config/load-config.ts';
import { environmentOf, readCompose, ROOT, service } from './compose-file.ts';

const text = (path: string): string => readFileSync(join(ROOT, path), 'utf8');

/** `.env.example` with what is left open filled in. */
function exampleVariables(): Record<string, string> {
  const lines = text('.env.example').split('\n');
  const entries = lines.flatMap((line) => {
    const [, name, value] = /^([A-Z0-9_]+)=(.*)$/.exec(line) ?? [];
    return name === undefined ? [] : [[name, value === '' || value === undefined ? 'chosen' : value] as const];
  });
  return Object.fromEntries(entries);
}

const compose = readCompose(exampleVariables());
const services = Object.entries(compose.services);
const worker = service(compose, 'worker');

describe('docker-compose.yml', () => {
  it('is valid by the Compose specification', () => {
    // Taken over from compose-spec/compose-go v2.16.2 (Apache-2.0).
    const schema = JSON.parse(text('test/deploy/compose-spec.json')) as object;
    const ajv = new Ajv2020({ strict: false, allErrors: true });
    formats.default(ajv, ['duration', 'uri']);
    const { 'x-worker': _, ...file } = parse(text('docker-compose.yml'), { merge: true }) as Record<string, unknown>;
    const valid = ajv.validate(schema, file);
    expect(ajv.errors ?? []).toEqual([]);
    expect(valid).toBe(true);
  });

  it('needs nothing but what .env.example names', () => {
    const named = text('.env.example')
      .match(/^#?([A-Z0-9_]+)(?==)/gm)
      ?.map((name) => name.replace('#', ''));
    const used = [...text('docker-compose.yml').matchAll(/\$\{(\w+)/g)].map(([, name]) => name);
    expect(used.filter((name) => !named?.includes(name ?? ''))).toEqual([]);
    for (const missing of ['POSTGRES_PASSWORD', 'S3_ACCESS_KEY', 'S3_SECRET_KEY', 'GRAFANA_PASSWORD'])
      expect(() => readCompose({ ...exampleVariables(), [missing]: '' })).toThrow(`set ${missing} in .env`);
  });

  it('pins every image to a version', () => {
    for (const [name, { image }] of services)
      expect([name, image]).toEqual([name, expect.stringMatching(/:v?\d+\.\d/)]);
    const from = [...text('Dockerfile').matchAll(/^FROM (\S+)/gm)].map(([, image]) => image);
    for (const image of from) expect(image).toMatch(/:\d+\.\d+\.\d+/);
    const { version } = JSON.parse(text('package.json')) as { version: string };
    expect(worker.image).toBe(`durable-rlm:${version}`);
  });

  it('mounts only what exists, and declares every volume', () => {
    const sources = services.flatMap(([, { volumes = [] }]) => volumes.map((volume) => volume.split(':')[0] ?? ''));
    for (const source of sources.filter((path) => path.startsWith('./')))
      expect([source, existsSync(join(ROOT, source))]).toEqual([source, true]);
    const named = sources.filter((source) => !/^[./]/.test(source));
    expect(new Set(named)).toEqual(new Set(Object.keys(compose.volumes)));
  });

  it('waits only for services that are there, and opens ports on the loopback only', () => {
    for (const [, { depends_on: before = [], ports = [] }] of services) {
      for (const name of Array.isArray(before) ? before : Object.keys(before))
        expect(compose.services).toHaveProperty(name);
      for (const port of ports) expect(port).toMatch(/^127\.0\.0\.1:\d+:\d+$/);
    }
  });

  it('passes passwords in the environment only, and none of them to those who need them not', () => {
    const secrets = {
      POSTGRES_PASSWORD: 'pg-secret',
      S3_ACCESS_KEY: 's3-key',
      S3_SECRET_KEY: 's3-secret',
      GRAFANA_PASSWORD: 'g-secret',
    };
    const filled = readCompose(secrets);
    for (const [name, entry] of Object.entries(filled.services)) {
      const { environment: _, ...rest } = entry;
      expect([name, Object.values(secrets).filter((secret) => JSON.stringify(rest).includes(secret))]).toEqual([
        name,
        [],
      ]);
    }
    expect(Object.values(environmentOf(service(filled, 'worker')))).not.toContain('pg-secret');
  });
});

describe('the worker', () => {
  it('reads the configuration that is mounted', () => {
    const config = loadConfig({
      files: [{ path: 'config.yaml', text: text('deploy/worker/config.yaml'), folder: '/etc/durable-rlm' }],
    }).config;
    const port = environmentOf(service(compose, 'store'))['VGW_PORT'];
    expect(config.storage).toMatchObject({ driver: 's3', endpoint: `http://store${port}` });
    const bucket = service(compose, 'bucket').entrypoint?.find((path) => path.includes('/buckets/'));
    expect(bucket).toBe(`/data/buckets/${config.storage.bucket}`);
  });

  it('is started with options that the command has, on ports that are looked at', () => {
    const [command = '', ...given] = worker.command ?? [];
    const options = new Map(given.map((option) => option.split('=') as [string, string]));
    const help = execFileSync(process.execPath, [join(ROOT, 'src/cli/main.ts'), command, '--help'], {
      encoding: 'utf8',
    });
    for (const option of options.keys()) expect(help).toContain(`${option} <`);
    expect(worker.healthcheck?.test.at(-1)).toBe(`http://127.0.0.1:${options.get('--health-port')}/health`);
    expect(text('deploy/prometheus/prometheus.yml')).toContain(`port: ${options.get('--metrics-port')}\n`);
    expect(Number.parseInt(worker.stop_grace_period ?? '', 10)).toBeGreaterThan(Number(options.get('--drain')));
  });

  it('is healthy when its address answers 2xx, and not otherwise', async () => {
    let status = 200;
    const server = createServer((_request, response) => response.writeHead(status).end());
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void server.close());
    const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}/health`;
    expect(await healthy(address)).toBe(0);
    status = 503;
    expect(await healthy(address)).toBe(1);
    server.closeAllConnections();
    server.close();
    expect(await healthy(address)).not.toBe(0);
  });

  it('is built from files that exist and are not kept out', () => {
    const sources = [...text('Dockerfile').matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap(([, list]) =>
      (list ?? '').split(' '),
    );
    const admitted = text('.dockerignore')
      .split('\n')
      .flatMap((line) => (line.startsWith('!') ? [line.slice(1)] : []));
    for (const source of sources) {
      expect([source, existsSync(join(ROOT, source))]).toEqual([source, true]);
      const isAdmitted = admitted.some((pattern) =>
        new RegExp(`^${pattern.replaceAll('.', '\\.').replaceAll('*', '.*')}$`).test(source),
      );
      expect([source, isAdmitted]).toEqual([source, true]);
    }
  });
});

describe('what the services find', () => {
  it('Temporal: its own dynamic configuration and scripts', () => {
    const temporal = environmentOf(service(compose, 'temporal'));
    expect(temporal['DYNAMIC_CONFIG_FILE_PATH']).toBe('/deploy/dynamic-config.yaml');
    for (const script of ['schema.sh', 'namespace.sh'])
      execFileSync('sh', ['-n', join(ROOT, 'deploy/temporal', script)]);
    expect(Object.keys(parse(text('deploy/temporal/dynamic-config.yaml')) as object)).toContain(
      'system.enableActivityEagerExecution',
    );
  });

  it('Prometheus: Temporal and the workers, and rules whose file is there', () => {
    const config = parse(text('deploy/prometheus/prometheus.yml')) as {
      rule_files: string[];
      scrape_configs: { job_name: string; static_configs?: { targets: string[] }[] }[];
    };
    for (const file of config.rule_files) expect(existsSync(join(ROOT, 'deploy/prometheus', file))).toBe(true);
    const port = environmentOf(service(compose, 'temporal'))['PROMETHEUS_ENDPOINT']?.split(':')[1];
    const temporal = config.scrape_configs.find(({ job_name: name }) => name === 'temporal');
    expect(temporal?.static_configs?.[0]?.targets).toEqual([`temporal:${port}`]);
  });

  it('Grafana: a dashboard that asks the data source that is provided', () => {
    const source = parse(text('deploy/grafana/provisioning/datasources/prometheus.yaml')) as {
      datasources: { uid: string }[];
    };
    const dashboard = JSON.parse(text('deploy/grafana/dashboards/durable-rlm.json')) as {
      panels: { datasource: { uid: string }; targets: { expr: string }[] }[];
    };
    for (const panel of dashboard.panels) expect(panel.datasource.uid).toBe(source.datasources[0]?.uid);
    const provider = parse(text('deploy/grafana/provisioning/dashboards/durable-rlm.yaml')) as {
      providers: { options: { path: string } }[];
    };
    const mounted = service(compose, 'grafana').volumes?.find((volume) => volume.includes('/dashboards:'));
    expect(mounted).toContain(`:${provider.providers[0]?.options.path}:ro`);
  });
});

it('dashboard and alerts ask only for metrics of ours that there are', async () => {
  const { createMetrics } = await import('../../src/telemetry/metrics.ts');
  const known = [...(await createMetrics().render()).matchAll(/^# TYPE (\w+) (\w+)/gm)].flatMap(([, name, type]) =>
    type === 'histogram' ? [`${name}_bucket`, `${name}_sum`, `${name}_count`] : [name],
  );
  const asked = ['deploy/grafana/dashboards/durable-rlm.json', 'deploy/prometheus/alerts.yml'].flatMap((path) =>
    [...text(path).matchAll(/\b(?:rlm|process|nodejs)_\w+/g)].map(([name]) => name),
  );
  expect(asked.length).toBeGreaterThan(20);
  expect([...new Set(asked)].filter((name) => !known.includes(name))).toEqual([]);
});

function healthy(address: string): Promise<number | null> {
  const child = spawn(process.execPath, [join(ROOT, 'deploy/worker/healthy.mjs'), address], { stdio: 'ignore' });
  return new Promise((resolve) => child.once('exit', resolve));
}
