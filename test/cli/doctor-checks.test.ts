import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import {
  checkDaytona,
  checkDirectory,
  checkGit,
  checkMemory,
  checkModel,
  checkNode,
  checkPython,
  checkSandbox,
  checkStore,
  checkTemporal,
  type DoctorOptions,
  runDoctorChecks,
} from '../../src/cli/doctor-checks.ts';
import { DEFAULT_CONFIG, type RunConfig } from '../../src/domain/config.ts';

const NO_TEMPORAL = { TEMPORAL_CONFIG_FILE: '/nonexistent/temporal.toml', PATH: '', HOME: '/nonexistent' };
const daytona: RunConfig = { ...DEFAULT_CONFIG, sandbox: { ...DEFAULT_CONFIG.sandbox, provider: 'daytona' } };

describe('programs', () => {
  test('Node', () => {
    expect(checkNode('24.1.0')).toMatchObject({ ok: true });
    expect(checkNode('22.18.0')).toMatchObject({ ok: true });
    expect(checkNode('22.17.1')).toMatchObject({ ok: false, remedy: expect.stringContaining('22.18') });
  });

  test('Python: the one a sandbox would get; one that was named and is not there throws with the way on', async () => {
    expect(await checkPython(undefined)).toMatchObject({ ok: true, found: expect.stringMatching(/^3\.\d+/) });
    await expect(checkPython('/nonexistent/python')).rejects.toThrow(/sandbox\.python/);
  });

  test('git', async () => {
    expect(await checkGit(process.env)).toMatchObject({ ok: true, found: expect.stringMatching(/^\d+\.\d+/) });
    expect(await checkGit({ PATH: '/nonexistent' })).toMatchObject({ ok: false, found: 'not found' });
    expect(await checkGit({ PATH: programs({ git: 'echo git version 2.20.1' }) })).toMatchObject({
      ok: false,
      found: '2.20.1',
      remedy: expect.stringContaining('apt-get install git'),
    });
  });
});

test('blob store: a bucket is tried, and what its store says is passed on', async () => {
  const config: RunConfig = { ...DEFAULT_CONFIG, storage: { driver: 's3', bucket: 'runs', prefix: 'team' } };
  expect(await checkStore(config, { check: () => Promise.resolve() })).toMatchObject({
    ok: true,
    found: 's3://runs/team can be read and written',
  });
  const check = (): Promise<void> => Promise.reject(new Error('no such bucket. Create it'));
  await expect(checkStore(config, { check })).rejects.toThrow('Create it');
});

describe('sandbox', () => {
  test('what a trial found, with its remedies', async () => {
    const found = { ok: true, bubblewrap: '/usr/bin/bwrap', overlay: true, groups: true } as const;
    const check = (groups: boolean): ReturnType<typeof checkSandbox> =>
      checkSandbox(DEFAULT_CONFIG, () => Promise.resolve({ ...found, groups }));
    expect(await check(true)).toMatchObject({ ok: true, found: expect.stringContaining('limits by control groups') });
    expect(await check(false)).toMatchObject({ ok: true, found: expect.stringContaining('limits by a watchdog') });
    const missing = {
      ok: false,
      reason: 'bubblewrap is not installed',
      remedies: ['install it', 'or daytona'],
    } as const;
    expect(await checkSandbox(DEFAULT_CONFIG, () => Promise.resolve(missing))).toEqual({
      name: 'sandbox',
      ok: false,
      found: 'bubblewrap is not installed',
      remedy: 'install it\nor daytona',
    });
  });

  test('no isolation, said explicitly, is a warning', async () => {
    const config = { ...DEFAULT_CONFIG, sandbox: { ...DEFAULT_CONFIG.sandbox, isolation: 'none' } } as const;
    const check = await checkSandbox(config, () => Promise.reject(new Error('not asked')));
    expect(check).toMatchObject({ ok: 'warning', found: expect.stringContaining('unprotected') });
  });

  test('the key of Daytona matters where Daytona is used', async () => {
    expect(await checkDaytona(DEFAULT_CONFIG, {})).toMatchObject({ ok: true });
    expect(await checkDaytona(DEFAULT_CONFIG, { DAYTONA_API_KEY: 'secret' })).toMatchObject({ ok: true });
    expect(await checkDaytona(daytona, {})).toMatchObject({
      ok: false,
      remedy: expect.stringContaining('DAYTONA_API_KEY'),
    });
  });

  test('there the address is asked whether it takes the key', async () => {
    const requests: (string | undefined)[] = [];
    const server = createServer((request, response) => {
      requests.push(request.headers.authorization);
      const known = request.headers.authorization === 'Bearer secret';
      response.writeHead(known ? 200 : 401, { 'content-type': 'application/json' });
      response.end(JSON.stringify(known ? { items: [], nextCursor: null } : { message: 'Unauthorized' }));
    });
    await once(server.listen(0, '127.0.0.1'), 'listening');
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- it listens on TCP
    const { port } = server.address() as AddressInfo;
    const env = (key: string): NodeJS.ProcessEnv => ({
      DAYTONA_API_KEY: key,
      DAYTONA_API_URL: `http://127.0.0.1:${port}/api`,
      DAYTONA_TARGET: 'us',
    });
    try {
      expect(await checkDaytona(daytona, env('secret'))).toEqual({
        name: 'Daytona',
        ok: true,
        found: `http://127.0.0.1:${port}/api answers and takes the key`,
      });
      const refused = checkDaytona(daytona, env('of-yesterday'));
      await expect(refused).rejects.toThrow(/refuses the key in DAYTONA_API_KEY.*app\.daytona\.io/);
      await expect(refused).rejects.not.toThrow(/of-yesterday/);
      expect(requests).toContain('Bearer secret');
    } finally {
      server.close();
    }
  });
});

describe('Temporal', () => {
  test('without any: a warning with the commands to type', async () => {
    expect(await checkTemporal(temporalOptions())).toMatchObject({
      ok: 'warning',
      remedy: expect.stringContaining('go install github.com/temporalio/cli'),
    });
  });

  test('a CLI that is there', async () => {
    const PATH = programs({ temporal: 'echo "temporal version 1.5.1 (Server 1.29.1, UI 2.42.1)"' });
    expect(await checkTemporal(temporalOptions({ PATH }))).toMatchObject({
      ok: true,
      found: expect.stringContaining('1.29.1'),
    });
  });

  test('an address that does not answer', async () => {
    const options = temporalOptions({ TEMPORAL_ADDRESS: '127.0.0.1:1' });
    await expect(checkTemporal(options)).rejects.toThrow(/127\.0\.0\.1:1[^]*does not answer/);
  });
});

describe('model', () => {
  test('an endpoint that takes the key, refuses it, or is not there', async () => {
    const base_url = await endpoint((key) => (key === 'Bearer good' ? 200 : 401));
    const config = { ...DEFAULT_CONFIG, model: { ...DEFAULT_CONFIG.model, base_url, api_key_env: 'KEY' } };
    const ask = (env: NodeJS.ProcessEnv, model = config): ReturnType<typeof checkModel> =>
      checkModel('any/model', model, env, AbortSignal.timeout(5000));
    expect(await ask({ KEY: 'good' })).toMatchObject({ ok: true, found: expect.stringContaining('takes the key') });
    await expect(ask({ KEY: 'bad' })).rejects.toMatchObject({ type: 'Model.Refused' });
    await expect(ask({})).rejects.toMatchObject({ type: 'Model.KeyMissing', message: expect.stringContaining('KEY') });
    const nowhere = { ...config, model: { ...config.model, base_url: 'http://127.0.0.1:1/v1' } };
    await expect(ask({ KEY: 'good' }, nowhere)).rejects.toThrow(/127\.0\.0\.1:1/);
  });
});

describe('machine', () => {
  test('a folder that does not exist yet is judged by the disk it would be on', () => {
    expect(checkDirectory('state directory', join(temporaryFolder(), 'not', 'yet'))).toMatchObject({
      ok: true,
      found: expect.stringContaining('free'),
    });
    expect(checkDirectory('state directory', '/proc/nothing')).toMatchObject({ ok: false });
  });

  test('memory', () => {
    expect(checkMemory(8 * 1024 ** 3)).toMatchObject({ ok: true, found: '8192 MiB available' });
    expect(checkMemory(1024 ** 3)).toMatchObject({ ok: 'warning' });
  });
});

test('all together: one check that throws does not keep the others from being told', async () => {
  const config: RunConfig = { ...DEFAULT_CONFIG, model: { ...DEFAULT_CONFIG.model, by_depth: { 1: 'nobody/small' } } };
  const checks = await runDoctorChecks({
    ...temporalOptions(),
    config,
    checkIsolation: () => Promise.reject(new Error('the trial broke\ntry again')),
  });
  expect(checks.map(({ name }) => name)).toEqual([
    'Node',
    'Python',
    'git',
    'sandbox',
    'Temporal',
    'model openrouter/google/gemini-3-flash-preview',
    'model nobody/small',
    'Daytona',
    'state directory',
    'cache directory',
    'memory',
  ]);
  expect(checks.find(({ name }) => name === 'sandbox')).toEqual({
    name: 'sandbox',
    ok: false,
    found: 'the trial broke',
    remedy: 'try again',
  });
  expect(checks.find(({ name }) => name === 'model nobody/small')).toMatchObject({ ok: false });
});

function temporalOptions(env: NodeJS.ProcessEnv = {}): Omit<DoctorOptions, 'config' | 'checkIsolation'> {
  const all = { ...NO_TEMPORAL, ...env };
  const blobs = { check: () => Promise.resolve() };
  return {
    env: all,
    temporal: { env: all },
    blobs,
    stateDirectory: temporaryFolder(),
    cacheDirectory: temporaryFolder(),
  };
}

/** A folder for PATH with these shell scripts as programs. */
function programs(scripts: Record<string, string>): string {
  const folder = join(temporaryFolder(), 'bin');
  mkdirSync(folder);
  for (const [name, script] of Object.entries(scripts)) {
    writeFileSync(join(folder, name), `#!/bin/sh\n${script}\n`);
    chmodSync(join(folder, name), 0o755);
  }
  return folder;
}

function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'rlm-doctor-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

async function endpoint(statusFor: (authorization: string | undefined) => number): Promise<string> {
  const server = createServer((request, response) => {
    response.writeHead(statusFor(request.headers.authorization), { 'content-type': 'application/json' }).end('{}');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  const bound = server.address();
  return `http://127.0.0.1:${typeof bound === 'object' ? bound?.port : ''}/v1`;
}
