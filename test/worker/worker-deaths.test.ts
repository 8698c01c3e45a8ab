import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { createWorkerDeaths } from '../../src/worker-deaths.ts';

const folder = mkdtempSync(join(tmpdir(), 'rlm-deaths-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const MODULE = new URL('../../src/worker-deaths.ts', import.meta.url).href;

/** A worker that reads what a block handed over, and is ended by it, or reads it to its end. */
function work(name: string, ending: 'killed' | 'done'): void {
  const then = ending === 'killed' ? 'process.kill(process.pid, "SIGKILL")' : 'watched.leave()';
  const script = `const { createWorkerDeaths } = await import(${JSON.stringify(MODULE)});
    const watched = createWorkerDeaths(${JSON.stringify(folder)}).watch(${JSON.stringify(name)}); watched.enter(); ${then};`;
  const run = ['--input-type=module', '-e', script];
  if (ending === 'killed') expect(spawnSync(process.execPath, run).signal).toBe('SIGKILL');
  else execFileSync(process.execPath, run);
}

test('what has ended two workers is not handed to a third', () => {
  const deaths = createWorkerDeaths(folder);
  work('run/0 1', 'killed');
  deaths.watch('run/0 1');
  work('run/0 1', 'done');
  deaths.watch('run/0 1');
  work('run/0 1', 'killed');
  expect(() => deaths.watch('run/0 1')).toThrow(
    /ended the worker that read it 2 times, so no other worker is given it/,
  );
  deaths.watch('run/0 2');
});

test('workers that live, and those that end at other moments, count for nothing', () => {
  const deaths = createWorkerDeaths(folder);
  deaths.watch('run/1 1').enter();
  work('run/1 1', 'done');
  work('run/1 1', 'done');
  deaths.watch('run/1 1');
});
