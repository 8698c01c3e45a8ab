import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { KernelUnderTest } from './kernel-under-test.ts';

let under: KernelUnderTest;
let clone: string;
let index: string;
const at = (path: string): string => join(clone, path);
const git = (...args: string[]): void =>
  void execFileSync('git', ['-C', clone, '-c', 'user.name=a', '-c', 'user.email=a@localhost', ...args]);

beforeAll(async () => {
  under = await KernelUnderTest.start();
  clone = join(under.workspace, 'clone');
  index = join(under.workspace, 'index');
});
afterAll(() => under.stop());

beforeEach(() => {
  rmSync(clone, { recursive: true, force: true });
  mkdirSync(at('folder/below'), { recursive: true });
  for (const [path, content] of [
    ['a', 'aaa'],
    ['folder/below/é "b"\n', 'b'],
    [`folder/${'long'.repeat(40)}`, ''],
  ] as const)
    writeFileSync(at(path), content);
  writeFileSync(at('program'), 'x', { mode: 0o755 });
  symlinkSync('a', at('link'));
  for (const path of ['a', 'program']) utimesSync(at(path), 1e9, 1e9);
  git('init', '-q');
  git('add', '-A');
  git('commit', '-qm', 'start');
  copyFileSync(at('.git/index'), index);
});

const unchanged = (): Promise<boolean> => under.kernel.unchanged({ workspace: clone, index });

it.each<[string, () => void]>([
  ['nothing was done', () => undefined],
  ['git looked at it', () => git('status')],
  ['it was read', () => readFileSync(at('a'))],
  ['there is an empty folder, of which git takes no notice', () => mkdirSync(at('empty/below'), { recursive: true })],
  ['there was a file in between', () => (writeFileSync(at('new'), ''), unlinkSync(at('new')))],
])('a clone is unchanged where %s', async (_, act) => {
  act();
  expect(await unchanged()).toBe(true);
});

it.each<[string, () => void]>([
  [
    'a file has another content of the same size and date',
    () => {
      const { atime, mtime } = statSync(at('a'));
      writeFileSync(at('a'), 'bbb');
      utimesSync(at('a'), atime, mtime);
    },
  ],
  ['a file is new', () => writeFileSync(at('folder/new'), '')],
  ['a file is gone', () => unlinkSync(at('a'))],
  ['a file has another mode', () => chmodSync(at('program'), 0o644)],
  ['a file has another name', () => renameSync(at('a'), at('c'))],
  [
    'two files have each other’s names',
    () => {
      renameSync(at('a'), at('t'));
      renameSync(at('program'), at('a'));
      renameSync(at('t'), at('program'));
    },
  ],
  ['a link leads elsewhere', () => (unlinkSync(at('link')), symlinkSync('b', at('link')))],
  [
    'a folder is a link',
    () => (renameSync(at('folder'), `${clone}-folder`), symlinkSync(`${clone}-folder`, at('folder'))),
  ],
  ['there is a repository in it', () => (mkdirSync(at('folder/.git')), writeFileSync(at('folder/.git/HEAD'), ''))],
  ['the index is damaged', () => writeFileSync(index, readFileSync(index).subarray(0, 100))],
  ['the index is gone', () => unlinkSync(index)],
  [
    'the index is of another version',
    () => (git('update-index', '--index-version', '4'), copyFileSync(at('.git/index'), index)),
  ],
])('a clone may have changed where %s', async (_, act) => {
  act();
  expect(await unchanged()).toBe(false);
  rmSync(`${clone}-folder`, { recursive: true, force: true });
});

it('a clone that is a layer on its checkout is unchanged where nothing but .git was written, whatever there is to read', async () => {
  const changes = join(under.workspace, 'changes');
  const ask = (): Promise<boolean> => under.kernel.unchanged({ workspace: clone, index, changes });
  unlinkSync(index);
  mkdirSync(changes);
  expect(await ask()).toBe(true);
  mkdirSync(join(changes, '.git'));
  expect(await ask()).toBe(true);
  writeFileSync(join(changes, 'a'), '');
  expect(await ask()).toBe(false);
  rmSync(changes, { recursive: true });
  expect(await ask()).toBe(false);
});
