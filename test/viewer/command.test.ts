import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { createFileBlobStore } from '../../src/storage/file-blob-store.ts';
import { runHere } from '../cli/in-process.ts';
import { createDesk, type Desk } from '../e2e/command.ts';
import { failedTree, writeRun } from './generated-run.ts';

/** `rlm view` and `rlm export` as they are typed, where no Temporal server runs. */
vi.setConfig({ testTimeout: 60_000 });
const MAIN = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
let desk: Desk;
beforeAll(async () => {
  desk = await createDesk();
  const blobs = createFileBlobStore({ path: join(desk.state, 'blobs') });
  await writeRun(blobs, { run: 'todo', prompt: 'Fix it.', agents: failedTree(), status: 'failed', error: 'why' });
});
afterAll(() => desk?.close());

/** The page that a link leads to, as the command printed it; then Ctrl-C. */
async function view(...args: string[]): Promise<{ readonly page: string; readonly code: number | null }> {
  const child = spawn(process.execPath, [MAIN, 'view', ...args], { cwd: desk.folder, env: desk.env });
  const [link] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
  const page = await (await fetch(link)).text();
  const ended = once(child, 'close');
  child.kill('SIGINT');
  const [code] = (await ended) as [number | null];
  return { page, code };
}

it('prints a link that opens all runs, a run, or a results file, until Ctrl-C', async () => {
  expect(await view()).toMatchObject({ page: expect.stringContaining('url=/"'), code: 0 });
  expect(await view('todo')).toMatchObject({ page: expect.stringContaining('url=/#/runs/todo"'), code: 0 });
  expect(await runHere(desk, ['export', 'todo', '--json', '-o', 'a.json'])).toMatchObject({ code: 0 });
  expect(await view('a.json')).toMatchObject({ page: expect.stringContaining('url=/#/runs/todo"'), code: 0 });
});

it('writes a run as a page and as JSON', async () => {
  expect(await runHere(desk, ['export', 'todo', '--html'])).toMatchObject({ code: 0 });
  expect(readFileSync(join(desk.folder, 'todo.html'), 'utf8')).toContain('data-name="agent 0.17.1"');
  expect(await runHere(desk, ['export', 'todo', '--redact', '-o', 'r.html'])).toMatchObject({ code: 0 });
  expect(readFileSync(join(desk.folder, 'r.html'), 'utf8')).not.toContain('data-name="provenance"');
  expect(await runHere(desk, ['export', 'todo', '--json'])).toMatchObject({ code: 0 });
  expect(await runHere(desk, ['export', 'todo', '-o', 'by-name.json'])).toMatchObject({
    code: 0,
    stderr: expect.stringMatching(/is in by-name\.json \(\d+(\.\d)? KB\)/),
  });
  expect(readFileSync(join(desk.folder, 'by-name.json'))).toEqual(readFileSync(join(desk.folder, 'todo.json')));
  expect(await runHere(desk, ['export', 'todo', '-o', 'by-name.html'])).toMatchObject({ code: 0 });
  expect(readFileSync(join(desk.folder, 'by-name.html'), 'utf8')).toContain('data-name="provenance"');
  expect(JSON.parse(readFileSync(join(desk.folder, 'todo.json'), 'utf8'))).toMatchObject({ run_id: 'todo' });
});

it('says what is wrong with what it is given, and serves nothing', async () => {
  writeFileSync(join(desk.folder, 'other.json'), '{"a": 1}');
  for (const [args, why] of [
    [['view', 'no-such-run'], 'There is no run "no-such-run"'],
    [['view', 'other.json'], 'other.json: it is no results file (run_id:'],
    [['view', '--port', '70000'], 'It must be a port'],
    [['export', 'todo'], 'Say what to write: --html or --json.'],
    [['export', 'todo', '--html', '-o', 'no/such/folder.html'], 'its folder does not exist'],
    [['export', 'no-such-run', '--html'], 'There is no run "no-such-run"'],
  ] as const) {
    const { code, stderr } = await runHere(desk, args);
    expect([code, stderr]).toEqual([2, expect.stringContaining(why)]);
  }
});
