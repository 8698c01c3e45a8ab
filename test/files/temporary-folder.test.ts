import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { makeTemporaryFolder, removeAbandonedFolders } from '../../src/files/temporary-folder.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'rlm-temporary-'));
  vi.stubEnv('TMPDIR', folder);
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true });
});

it('is for this user alone', () => {
  const path = makeTemporaryFolder('view');
  expect(join(path, '..')).toBe(folder);
  expect(statSync(path).mode & 0o777).toBe(0o700);
});

it('of a process that is gone is removed, whatever its number names now, and no other', async () => {
  const source = new URL('../../src/files/temporary-folder.ts', import.meta.url).href;
  const make = `import(${JSON.stringify(source)}).then(({ makeTemporaryFolder: make }) => { make('git'); make('blob'); })`;
  execFileSync(process.execPath, ['--no-warnings', '-e', make], { env: process.env });
  expect(readdirSync(folder)).toHaveLength(2);
  const own = makeTemporaryFolder('git');
  // Of a process before this one that had its number.
  const before = own.replace(/-(\d+)-(\d+)-([^-]+-[^-]+-[^-]+-[^-]+-[^-]+)$/, '-$1-1-$3');
  expect(before).not.toBe(own);
  mkdirSync(join(before, 'full'), { recursive: true });
  writeFileSync(join(before, 'full', 'file'), 'half');
  const others = ['durable-rlm-git-notes', 'durable-rlm-other'].map((name) => join(folder, name));
  for (const path of others) mkdirSync(path);
  await removeAbandonedFolders();
  expect(existsSync(before)).toBe(false);
  expect(readdirSync(folder).toSorted()).toEqual([own, ...others].map((path) => basename(path)).toSorted());
});
