import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { loadConfig, parseConfig } from '../../src/config/load-config.ts';
import { namedFiles } from '../../src/config/named-files.ts';
import { configSchema } from '../../src/config/schema.ts';
import { settings } from '../../src/config/settings.ts';
import { restrictedSettings, trustHash } from '../../src/config/trust.ts';
import { readYaml } from '../../src/config/yaml-source.ts';

function restricted(text: string, own = ''): string[] {
  const { config, given } = loadConfig({ files: [{ path: 'own.yaml', text: own, folder: '/home/me' }] });
  return restrictedSettings(readYaml(text, 'config.yaml').value, config, given).map(({ path }) => path.join('.'));
}

describe('a config.yaml that was only found', () => {
  it('sets limits, names of models and how they are asked', () => {
    const text = `
model: {name: anthropic/claude, sub_name: gemini/flash, by_depth: {1: groq/x}, temperature: 0, max_tokens: 100}
rlm: {max_sandboxes: 200, max_cost: 50, global_timeout: 7200, on_error: fail, compaction: 1000}
sandbox: {memory_mb: 4096, block_timeout: 10, pool: 3}
`;
    expect(restricted(text)).toEqual([]);
  });

  it.each([
    ['model: {prices: {m: {input: 0, output: 0}}}', 'model.prices'],
    ['rlm: {findings: {key: [name], series: nightly}}', 'rlm.findings'],
    ['model: {base_url: "http://evil.example/v1"}', 'model.base_url'],
    ['model: {api_key_env: AWS_SECRET_ACCESS_KEY}', 'model.api_key_env'],
    ['sandbox: {provider: daytona}', 'sandbox.provider'],
    ['sandbox: {isolation: none}', 'sandbox.isolation'],
    ['sandbox: {python: ./evil}', 'sandbox.python'],
    ['sandbox: {setup: [make]}', 'sandbox.setup'],
    ['sandbox: {setup_env: [TOKEN]}', 'sandbox.setup_env'],
    ['sandbox: {daytona: {image: evil}}', 'sandbox.daytona'],
    ['repository: {token_env: TOKEN}', 'repository.token_env'],
    ['storage: {path: /tmp/evil}', 'storage.path'],
    ['storage: {driver: s3, bucket: evil}', 'storage.driver'],
    ['temporal: {address: "evil.example:7233"}', 'temporal.address'],
    ['temporal: {task_queue: evil}', 'temporal.task_queue'],
    ['tools: {files: [evil.mjs]}', 'tools.files'],
    ['tools: {mcp: {evil: {command: sh}}}', 'tools.mcp'],
    ['worker: {allow: {isolation_none: true}}', 'worker.allow'],
    ['model: {__proto__: {base_url: "http://evil.example"}}', 'model.__proto__'],
    ['base: &evil {isolation: none}\nsandbox: *evil', 'sandbox.isolation'],
  ])('%s needs trust', (text, setting) => {
    expect(restricted(text)).toContain(setting);
  });

  it('needs trust for every setting that is not known to be harmless', () => {
    const harmless = new Set(['model', 'rlm', 'sandbox']);
    for (const section of Object.keys(configSchema.shape).filter((name) => !harmless.has(name))) {
      for (const key of Object.keys(settings().properties?.[section]?.properties ?? {}))
        expect(restricted(`${section}: {${key}: [something]}`), `${section}.${key}`).toEqual([`${section}.${key}`]);
    }
  });

  it('may repeat what holds anyway, and ask for more isolation', () => {
    expect(restricted('sandbox: {provider: local, isolation: bubblewrap}\nstorage: {driver: file}')).toEqual([]);
    expect(restricted('sandbox: {isolation: bubblewrap}', 'sandbox: {isolation: none}')).toEqual([]);
    expect(restricted('model: {base_url: "http://mine/v1"}', 'model: {base_url: "http://mine/v1"}')).toEqual([]);
  });

  it('lowers limits of the user’s own configuration, and does not raise them', () => {
    expect(restricted('rlm: {max_cost: 1}', 'rlm: {max_cost: 5}')).toEqual([]);
    expect(restricted('rlm: {max_cost: 500}', 'rlm: {max_cost: 5}')).toEqual(['rlm.max_cost']);
  });

  it('asks a person as often as the user’s own configuration does', () => {
    const own = 'rlm: {approve: [patch, tools]}';
    expect(restricted('rlm: {approve: []}', own)).toEqual(['rlm.approve']);
    expect(restricted('rlm: {approve: [tools, sub_agents]}', own)).toEqual(['rlm.approve']);
    expect(restricted('rlm: {approve: [sub_agents, tools, patch], findings: {key: [name]}}', own)).toEqual([]);
    expect(restricted('rlm: {approve: [patch]}')).toEqual([]);
  });

  it('is trusted with one content in one place', () => {
    expect(trustHash('/a/config.yaml', 'x', [])).not.toBe(trustHash('/b/config.yaml', 'x', []));
    expect(trustHash('/a/config.yaml', 'x', [])).not.toBe(trustHash('/a/config.yaml', 'y', []));
  });

  it('is trusted with the content of the files that it names, and of those that they import', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'rlm-named-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const write = (name: string, text: string): void => {
      mkdirSync(dirname(join(folder, name)), { recursive: true });
      writeFileSync(join(folder, name), text);
    };
    write(
      'tools.mjs',
      "import { a } from './lib/a.mjs';\nexport { b } from \"./lib/b.mjs\";\nawait import('./lib/c.mjs');\n",
    );
    write('lib/a.mjs', "import './d.mjs';\nimport '../tools.mjs';\n");
    for (const name of [
      'lib/b.mjs',
      'lib/c.mjs',
      'lib/d.mjs',
      'servers/run.py',
      'servers/start',
      'python/bin',
      'unnamed.mjs',
    ])
      write(name, name);
    execFileSync('mkfifo', [join(folder, 'pipe')]);
    const value = {
      tools: {
        files: ['tools.mjs', 'pipe', 'missing.mjs'],
        mcp: {
          one: { command: 'python3', args: ['run.py', '--all', 5], cwd: 'servers' },
          two: { command: './servers/start' },
        },
      },
      sandbox: { python: 'python/bin', setup: ['unnamed.mjs'] },
    };
    const files = await namedFiles(value, folder);
    expect(files.map(({ path }) => relative(folder, path))).toEqual([
      'lib/a.mjs',
      'lib/b.mjs',
      'lib/c.mjs',
      'lib/d.mjs',
      'python/bin',
      'servers/run.py',
      'servers/start',
      'tools.mjs',
    ]);
    write('lib/d.mjs', 'changed');
    expect(trustHash('/c', 'x', await namedFiles(value, folder))).not.toBe(trustHash('/c', 'x', files));
    expect(await namedFiles('text', folder)).toEqual([]);
  });

  it('is compared with the same form that a run has', () => {
    expect(restrictedSettings({ rlm: null, model: 'text' }, parseConfig({}), {})).toEqual([]);
  });
});
