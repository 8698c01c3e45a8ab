import { execFile, execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { cacheDirectory } from '../src/config/directories.ts';
import { findTemporalCli } from '../src/temporal/find-cli.ts';
import { startScriptedModel, type ScriptedModel } from '../src/testing/index.ts';

/** The package as somebody else's project has it: what `npm pack` makes of it, beside what it depends on. */
vi.setConfig({ testTimeout: 60_000 });

const ROOT = fileURLToPath(new URL('..', import.meta.url));

let project: string;
let files: string[];
let model: ScriptedModel;

beforeAll(async () => {
  project = mkdtempSync(join(tmpdir(), 'rlm-package-'));
  const packed = execFileSync('npm', ['pack', '--ignore-scripts', '--json', '--pack-destination', project], {
    cwd: ROOT,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const [{ filename, files: list }] = JSON.parse(packed.toString()) as [
    { filename: string; files: { path: string }[] },
  ];
  files = list.map(({ path }) => path);
  const modules = join(project, 'node_modules');
  const own = join(modules, 'durable-rlm');
  mkdirSync(own, { recursive: true });
  execFileSync('tar', ['-xzf', join(project, filename), '-C', own, '--strip-components=1']);
  for (const name of readdirSync(join(ROOT, 'node_modules')))
    if (!name.startsWith('.')) symlinkSync(join(ROOT, 'node_modules', name), join(modules, name));
  writeFileSync(join(project, 'package.json'), '{"name": "somebodys", "version": "1.0.0"}\n');
  model = await startScriptedModel({ scripts: () => '```python\nSUBMIT(b=a + 1)\n```' });
});

afterAll(async () => {
  await model.close({ check: false });
  rmSync(project, { recursive: true, force: true });
});

interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

async function run(program: string, args: readonly string[], env: NodeJS.ProcessEnv = process.env): Promise<Ended> {
  return new Promise((resolve) => {
    execFile(program, args, { cwd: project, env }, (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : Number(error.code ?? 1), stdout, stderr }),
    );
  });
}

it('holds what it needs and nothing else', () => {
  for (const name of ['LICENSE', 'README.md', 'dist/cli/main.js', 'dist/workflow-bundle.js', 'docs/cli.md'])
    expect(files).toContain(name);
  expect(files.filter((name) => /(^|\/)\.|\.test\.|^(src|test|bench|scripts)\//.test(name))).toEqual([]);
});

/** Of ranges such as `^20.19.0 || >=22.13.0`: all that engines of packages use. */
function fits(range: string, version: string): boolean {
  const order = (text: string): number =>
    text.split('.').reduce((sum, part, place) => sum + Number(part) * 1e4 ** (2 - place), 0);
  return range.split('||').some((part) => {
    const [, sign, least = ''] = /^(\^|>=|~)\s*([\d.]+)$/.exec(part.trim()) ?? [];
    if (sign === undefined) throw new Error(`${range}: a range that this test does not know`);
    return order(version) >= order(least) && (sign === '>=' || version.split('.')[0] === least.split('.')[0]);
  });
}

it('comes complete with the oldest Node that the README names', () => {
  interface Locked {
    readonly optional?: boolean;
    readonly engines?: { readonly node?: string };
  }
  const { packages } = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, Locked>;
  };
  const ours = packages['']?.engines?.node ?? '';
  const oldest = ours.split('||').map((part) => part.trim().replace(/^\D+/, ''));
  expect(readFileSync(join(ROOT, 'README.md'), 'utf8')).toContain(
    `It takes Node ${oldest.map((version) => version.replace(/\.0$/, '')).join(', ')} or newer`,
  );
  // npm leaves an optional package out, without a word, where Node is too old for it; of others it only warns.
  const leftOut = Object.entries(packages).filter(
    ([, { optional, engines }]) =>
      optional === true && engines?.node !== undefined && !oldest.every((version) => fits(engines.node ?? '', version)),
  );
  expect(leftOut.map(([name, { engines }]) => `${name} takes Node ${engines?.node}`)).toEqual([]);
});

it('has a command that a link from anywhere starts', async () => {
  const link = join(project, 'rlm');
  symlinkSync(join(project, 'node_modules', 'durable-rlm', 'dist', 'cli', 'main.js'), link);
  const { code, stdout, stderr } = await run(link, ['--version']);
  expect(stderr).toBe('');
  expect(stdout).toBe('0.1.0\n');
  expect(code).toBe(0);
});

it('has types that are right without skipLibCheck, in a project of either kind', async () => {
  const use = `import { analyze, connect, TypedError, RunFailedError } from 'durable-rlm';
import { startScriptedModel } from 'durable-rlm/testing';
import { createRlmWorker } from 'durable-rlm/worker';
export async function go(): Promise<number> {
  const { answer } = await analyze({ signature: 'a: int -> b: int', inputs: { a: 1 } });
  return answer.b;
}
export const all: unknown[] = [connect, TypedError, RunFailedError, startScriptedModel, createRlmWorker];
`;
  writeFileSync(join(project, 'use.mts'), use);
  writeFileSync(join(project, 'use.cts'), use);
  const options = [
    '--strict',
    '--noEmit',
    '--module',
    'nodenext',
    '--target',
    'es2024',
    '--lib',
    'es2024',
    '--types',
    'node',
  ];
  const tsc = join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc');
  const { stdout } = await run(process.execPath, [tsc, ...options, '--skipLibCheck', 'false', 'use.mts', 'use.cts']);
  // What others have wrong is theirs.
  const ours = stdout.split('\n').filter((line) => /^(use\.|node_modules\/durable-rlm\/)/.test(line));
  expect(ours).toEqual([]);
});

it('says before anything is spent that charts need what was left out', async () => {
  rmSync(join(project, 'node_modules', 'vega'));
  try {
    const main = join(project, 'node_modules', 'durable-rlm', 'dist', 'cli', 'main.js');
    const args = ['analyze', '-s', 'a: int -> b: list[dict]', '-i', 'a=1', '--plot', 'x=day,y=count'];
    const { code, stderr } = await run(process.execPath, [main, ...args], { PATH: process.env['PATH'], HOME: project });
    expect(stderr).toContain('Charts need the packages vega, vega-lite and @resvg/resvg-js');
    expect(stderr).toContain('without --omit=optional');
    expect(code).toBe(2);
  } finally {
    symlinkSync(join(ROOT, 'node_modules', 'vega'), join(project, 'node_modules', 'vega'));
  }
});

const PROGRAM = `
  Runtime.install({ logger: new DefaultLogger('ERROR'), shutdownSignals: [] });
  const config = { model: { name: 'openai/scripted', base_url: URL_OF_MODEL }, sandbox: { memory_mb: 512 } };
  const { answer, status } = await analyze({ id: ID, signature: 'a: int -> b: int', inputs: { a: 41 }, config });
  console.log(status, answer.b);
`;

it.each([
  [
    'ESM',
    'use.mjs',
    (body: string) =>
      `import { DefaultLogger, Runtime } from '@temporalio/worker';\nimport { analyze } from 'durable-rlm';\n${body}`,
  ],
  [
    'CommonJS',
    'use.cjs',
    (body: string) =>
      `const { DefaultLogger, Runtime } = require('@temporalio/worker');\nconst { analyze } = require('durable-rlm');\n(async () => {${body}})();`,
  ],
])('works in a program (%s) that uses Temporal itself', async (kind, file, program) => {
  const body = PROGRAM.replace('URL_OF_MODEL', JSON.stringify(model.url)).replace('ID', JSON.stringify(kind));
  writeFileSync(join(project, file), program(body));
  const temporal = await findTemporalCli({ cacheDirectory: cacheDirectory(process.env), env: process.env });
  const { code, stdout, stderr } = await run(process.execPath, [join(project, file)], {
    PATH: [dirname(temporal), process.env['PATH']].join(delimiter),
    HOME: project,
    LLM_API_KEY: 'a-key',
    DURABLE_RLM_STATE: join(project, 'state'),
    DURABLE_RLM_CACHE: join(project, 'cache'),
  });
  expect(stderr).toBe('');
  expect(stdout).toBe('completed 42\n');
  expect(code).toBe(0);
});
