import { execFile } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { loadConfig } from '../../src/config/load-config.ts';
import { forTask, startScriptedModel, withCode } from '../../src/testing/index.ts';
import { monteCristoScripts } from '../../examples/monte-cristo/script.ts';
import { smallBook } from '../cli/demo/monte-cristo-book.ts';
import { createDesk, type Desk } from './command.ts';
import { makeRepository } from './world.ts';

const EXAMPLES = fileURLToPath(new URL('../../examples/', import.meta.url));

let desk: Desk;
beforeAll(async () => {
  desk = await createDesk();
});
afterAll(() => desk.close());

it('examples/config.yaml is a valid configuration', () => {
  const text = readFileSync(join(EXAMPLES, 'config.yaml'), 'utf8');
  expect(loadConfig({ files: [{ path: 'config.yaml', text, folder: EXAMPLES }] }).config.rlm).toMatchObject({
    max_depth: 3,
    max_cost: 5,
  });
});

it('examples/investigate.ts starts a run, awaits it and prints answer and patch', { timeout: 120_000 }, async () => {
  const model = await startScriptedModel({
    scripts: forTask('add a line', [
      withCode('with open("a.txt", "a") as file:\n    file.write("two\\n")'),
      withCode('FINAL("Added two.")'),
    ]),
  });
  const repository = makeRepository(join(desk.folder, 'repository'), { 'a.txt': 'one\n' });
  const config = join(desk.folder, 'config.yaml');
  writeFileSync(config, `model: {name: scripted, base_url: "${model.url}"}\n`);
  const up = desk.start(['up', '-c', config]);
  await vi.waitFor(() => expect(up.stderr()).toContain('Working on task queue'), { timeout: 60_000, interval: 50 });

  const { stdout, stderr } = await promisify(execFile)(
    process.execPath,
    [join(EXAMPLES, 'investigate.ts'), repository, 'add a line', 'from-a-program'],
    { env: { ...desk.env, RLM_CONFIG: config }, cwd: desk.folder },
  );
  expect(stderr).toContain('Run from-a-program has started.');
  expect(stdout).toMatch(/^Added two\.\ndiff --git a\/a\.txt b\/a\.txt\n/);
  expect(stdout).toContain('+two\n');

  process.kill(up.pid, 'SIGTERM');
  await up.finished;
  await model.close();
});

it('examples/monte-cristo/analyze.ts works on a novel in its own process', { timeout: 120_000 }, async () => {
  const model = await startScriptedModel({ scripts: monteCristoScripts() });
  const config = join(desk.folder, 'config.yaml');
  writeFileSync(config, `model: {name: scripted, base_url: "${model.url}"}\n`);
  const book = join(desk.folder, 'book.txt');
  writeFileSync(book, smallBook(12));

  const { stdout, stderr } = await promisify(execFile)(
    process.execPath,
    [join(EXAMPLES, 'monte-cristo', 'analyze.ts'), book, 'a-novel'],
    { env: { ...desk.env, RLM_CONFIG: config }, cwd: desk.folder },
  );
  expect(stderr).toContain('12 chapters; this run is a-novel.');
  const rows = JSON.parse(stdout) as { chapter: number; character: string; wealth: number }[];
  expect(rows.map(({ chapter }) => chapter)).toEqual(expect.arrayContaining([1, 12]));
  expect(rows.every(({ wealth }) => wealth >= 1 && wealth <= 10)).toBe(true);
  await model.close({ check: false });
});
