import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { isAlive } from '../../src/temporal/process-identity.ts';
import { createDesk, type Desk } from '../e2e/command.ts';
import { keepServer, runHere } from './in-process.ts';

vi.setConfig({ testTimeout: 60_000 });

const MAIN = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));

let desk: Desk;

beforeAll(async () => {
  desk = await createDesk('local');
  const repository = join(desk.folder, 'repository');
  mkdirSync(repository);
  writeFileSync(join(repository, 'file.py'), 'x = 1\n');
  const git = (...args: string[]): void => void execFileSync('git', ['-C', repository, ...args]);
  git('init', '-q', '-b', 'main');
  git('add', '-A');
  git('-c', 'user.name=Test', '-c', 'user.email=test@example.com', 'commit', '-qm', 'start');
  desk.configure('model: {name: openai/nobody, base_url: "http://127.0.0.1:9/v1"}\n');
});

afterAll(() => desk.close());

/** Runs something that sees the machine with another disk mounted somewhere. */
function withDisk(mount: readonly string[], command: readonly string[]): { code: number | null; stderr: string } {
  const args = ['--dev-bind', '/', '/', ...mount, '--', ...command];
  const { status, stderr } = spawnSync('bwrap', args, { cwd: desk.folder, env: desk.env, encoding: 'utf8' });
  return { code: status, stderr };
}

it('a command that cannot write says which folder is full, without a stack', () => {
  const { state } = desk;
  mkdirSync(state, { recursive: true });
  const fill = 'head -c 9999 /dev/zero >"$DURABLE_RLM_STATE/filler" 2>&-; exec "$@"';
  const { code, stderr } = withDisk(
    ['--size', '4096', '--tmpfs', state],
    ['sh', '-c', fill, 'sh', process.execPath, MAIN, 'up'],
  );
  expect(stderr).toContain(`The disk of ${state}`);
  expect(stderr).toMatch(/ is full\. Make room there/);
  expect(stderr).not.toMatch(/should not have happened|\n\s+at /);
  expect(code).toBe(2);
});

it.each([8192, 16_384, 40_960, 1_048_576])('a server for which %i bytes are left says which disk is full', (size) => {
  const state = join(desk.folder, 'small');
  mkdirSync(state, { recursive: true });
  const command = ['env', `DURABLE_RLM_STATE=${state}`, process.execPath, MAIN, 'up'];
  const { code, stderr } = withDisk(['--size', `${size}`, '--tmpfs', state], command);
  expect(stderr).toMatch(/[Tt]he disk of .*\/small\b.* is full\. Make room there/);
  expect(stderr).not.toMatch(/Traceback|should not have happened|\n\s+at /);
  expect(code).toBe(2);
});

it.each([['run', 'repository', '-p', 'Look around'], ['up'], ['doctor']])(
  'rlm %s says that the state folder is read-only',
  (...args) => {
    const state = join(desk.folder, 'read-only');
    mkdirSync(state, { recursive: true });
    const command = ['env', `DURABLE_RLM_STATE=${join(state, 'state')}`, process.execPath, MAIN, ...args];
    const { code, stderr } = withDisk(['--ro-bind', state, state], command);
    expect(stderr).toMatch(/read-only|EROFS/);
    expect(stderr).not.toMatch(/should not have happened|\n\s+at /);
    expect(code).toBe(2);
  },
);

it('a folder of results that cannot be written is found before anything is spent', () => {
  const folder = join(desk.folder, 'shut');
  mkdirSync(folder, { recursive: true });
  const run = [process.execPath, MAIN, 'run', 'repository', '-p', 'Look around', '--results', join(folder, 'results')];
  const { code, stderr } = withDisk(['--ro-bind', folder, folder], run);
  expect(stderr).toContain(`Results cannot be written to ${join(folder, 'results')} (the file system is read-only)`);
  expect(code).toBe(2);
});

it('a port that is taken is said in a sentence', async () => {
  const server = createServer();
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  const { port } = server.address() as AddressInfo;
  const temporal = await keepServer(desk);
  const { code, stderr } = await runHere(desk, ['worker', '--metrics-port', String(port)]);
  await temporal.release({ wait: true });
  server.close();
  expect(stderr).toContain(`/metrics cannot be served on 127.0.0.1:${port}`);
  expect(stderr).not.toMatch(/\n\s+at /);
  expect(code).toBe(2);
});

it('rlm down stops a server whose folder can no longer be written', async () => {
  const server = await keepServer(desk);
  const { code, stderr } = withDisk(['--ro-bind', desk.state, desk.state], [process.execPath, MAIN, 'down', '--force']);
  expect(stderr).toContain('The Temporal server was stopped');
  expect(code).toBe(0);
  expect(isAlive(server.process)).toBe(false);
  await server.release();
});
