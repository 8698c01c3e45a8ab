import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, expect, it } from 'vitest';
import { findPython } from '../../src/sandbox/kernel-python.ts';
import { sized } from '../sizes.ts';
import { Reading } from './reading.ts';

const SEED = 20_260_131;
const COUNT = sized(150, 1000);

interface WrittenTable {
  readonly file: string;
  readonly option: string;
  /** How, for who reads of a failure. */
  readonly written: string;
  readonly rows: readonly unknown[];
}

const reading = new Reading();
afterAll(() => {
  reading.remove();
});

it(`${COUNT} tables that Python's csv wrote, in random dialects and encodings, are read back equal`, async () => {
  const { path } = await findPython();
  const script = fileURLToPath(new URL('random-tables.py', import.meta.url));
  const { stdout } = await promisify(execFile)(path, [script, reading.cwd, String(SEED), String(COUNT)], {
    maxBuffer: 100 * 1024 * 1024,
  });
  const tables = JSON.parse(stdout) as readonly WrittenTable[];
  expect(tables).toHaveLength(COUNT);
  const wrong: unknown[] = [];
  for (const { file, option, written, rows } of tables) {
    // oxlint-disable-next-line no-await-in-loop -- one after the other
    const { value, notes } = await reading
      .value('list[dict]', `@${file}${option}`)
      .catch((error: Error) => ({ value: error.message, notes: [] }));
    if (JSON.stringify(value) !== JSON.stringify(rows)) wrong.push({ file, written, notes, value, rows });
  }
  expect(wrong).toEqual([]);
}, 180_000);
