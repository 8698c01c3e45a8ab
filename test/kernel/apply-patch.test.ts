import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { KernelUnderTest } from './kernel-under-test.ts';

interface Merged {
  readonly applied: boolean;
  readonly files: readonly string[];
  readonly conflicts: readonly { path: string; reason: string; hunks: readonly object[] }[];
}

const LINES = Array.from({ length: 12 }, (_, index) => `line ${index + 1}`);
const START: Readonly<Record<string, string | Buffer>> = {
  'text.py': `${LINES.join('\n')}\n`,
  'crlf.txt': `${LINES.join('\r\n')}\r\n`,
  'no end': 'one\ntwo\nthree',
  'é "quoted"\t.txt': 'a\nb\nc\n',
  'raw.bin': Buffer.from([0, 1, 2, 255]),
  'latin.txt': Buffer.from('caf\u00e9\nb\nc\nd\ne\nf\n', 'latin1'),
  'deep/er/file': 'x\n',
};

let under: KernelUnderTest;
/** The clone of the code that merges, and that of the sub-agent. */
let ours: string;
let theirs: string;

const git = (folder: string, ...args: string[]): Buffer =>
  execFileSync('git', ['-C', folder, '-c', 'user.name=a', '-c', 'user.email=a@localhost', ...args], {
    maxBuffer: 1 << 28,
  });

function put(folder: string, path: string, content: string | Buffer): void {
  mkdirSync(dirname(join(folder, path)), { recursive: true });
  writeFileSync(join(folder, path), content);
}

const replaced = (path: string, number: number, text: string): string =>
  String(START[path]).replace(new RegExp(`line ${number}(?=\\r?\\n)`), text);

/** What the sub-agent changed, as its patch is taken. */
function patchOf(folder: string): Buffer {
  git(folder, 'add', '-A');
  return git(folder, 'diff', '--cached', '--binary', '--full-index', '--no-renames', 'HEAD');
}

async function merge(patch: Buffer): Promise<Merged> {
  const file = join(dirname(ours), 'the.patch');
  writeFileSync(file, patch);
  const read = `open(${JSON.stringify(file)}, encoding="utf-8", errors="surrogateescape", newline="").read()`;
  const { final, error } = await under.run(`import os\nos.chdir(${JSON.stringify(ours)})\nFINAL(apply_patch(${read}))`);
  if (error !== null) throw new Error(error);
  return final?.value as Merged;
}

beforeAll(async () => {
  under = await KernelUnderTest.start();
  ours = join(under.workspace, 'ours');
  theirs = join(under.workspace, 'theirs');
});
afterAll(() => under.stop());

beforeEach(() => {
  for (const folder of [ours, theirs]) rmSync(folder, { recursive: true, force: true });
  for (const [path, content] of Object.entries(START)) put(ours, path, content);
  git(ours, 'init', '-q');
  git(ours, 'add', '-A');
  git(ours, 'commit', '-qm', 'start');
  git(dirname(ours), 'clone', '-q', ours, theirs);
});

describe('apply_patch', () => {
  it('takes over what was changed there alone: contents, modes, links, files added and deleted', async () => {
    put(theirs, 'text.py', replaced('text.py', 3, 'theirs'));
    put(theirs, 'raw.bin', Buffer.from([9, 0, 255]));
    put(theirs, 'latin.txt', Buffer.from('caf\u00e9!\nb\nc\nd\ne\nf\n', 'latin1'));
    put(theirs, 'new/one é.txt', 'new\n');
    chmodSync(join(theirs, 'no end'), 0o755);
    symlinkSync('text.py', join(theirs, 'link'));
    unlinkSync(join(theirs, 'deep/er/file'));
    const patch = patchOf(theirs);
    const { applied, files, conflicts } = await merge(patch);
    expect({ applied, conflicts }).toEqual({ applied: true, conflicts: [] });
    expect([...files].toSorted()).toEqual(
      ['deep/er/file', 'latin.txt', 'link', 'new/one é.txt', 'no end', 'raw.bin', 'text.py'].toSorted(),
    );
    expect(existsSync(join(ours, 'deep'))).toBe(false);
    expect(lstatSync(join(ours, 'no end')).mode & 0o777).toBe(0o755);
    expect(readlinkSync(join(ours, 'link'))).toBe('text.py');
    // The clone now differs from its commit as the other does.
    expect(git(ours, 'status', '--porcelain').toString()).not.toContain('A  ');
    expect(patchOf(ours).equals(patch)).toBe(true);
    expect(await merge(patch)).toEqual({ applied: true, files: [], conflicts: [] });
  });

  it.each(['text.py', 'crlf.txt'])('merges %s, which was changed here too, line by line', async (path) => {
    put(ours, path, replaced(path, 2, 'ours'));
    put(theirs, path, replaced(path, 10, 'theirs'));
    expect(await merge(patchOf(theirs))).toMatchObject({ applied: true, files: [path] });
    const both = replaced(path, 2, 'ours').replace(/line 10(?=\r?\n)/, 'theirs');
    expect(readFileSync(join(ours, path), 'utf8')).toBe(both);
  });

  it('merges also after a commit here, and a mode there with a content here', async () => {
    put(ours, 'text.py', replaced('text.py', 2, 'ours'));
    git(ours, 'commit', '-qam', 'more');
    put(ours, 'no end', 'one\ntwo\nours');
    chmodSync(join(theirs, 'no end'), 0o755);
    put(theirs, 'text.py', replaced('text.py', 12, 'theirs'));
    expect(await merge(patchOf(theirs))).toMatchObject({ applied: true });
    expect(readFileSync(join(ours, 'no end'), 'utf8')).toBe('one\ntwo\nours');
    expect(lstatSync(join(ours, 'no end')).mode & 0o100).toBe(0o100);
    expect(readFileSync(join(ours, 'text.py'), 'utf8')).toContain('ours');
    expect(readFileSync(join(ours, 'text.py'), 'utf8')).toContain('theirs');
  });

  it('changes nothing where lines conflict, and says which', async () => {
    put(ours, 'text.py', replaced('text.py', 5, 'ours'));
    put(theirs, 'text.py', replaced('text.py', 5, 'theirs').replace('line 11', 'theirs too'));
    put(theirs, 'added.txt', 'added\n');
    const before = readFileSync(join(ours, 'text.py'));
    expect(await merge(patchOf(theirs))).toEqual({
      applied: false,
      files: [],
      conflicts: [
        {
          path: 'text.py',
          reason: 'changed here and there in the same lines',
          hunks: [{ line: 5, ours: 'ours\n', base: 'line 5\n', theirs: 'theirs\n' }],
        },
      ],
    });
    expect(readFileSync(join(ours, 'text.py')).equals(before)).toBe(true);
    expect(existsSync(join(ours, 'added.txt'))).toBe(false);
  });

  it.each<[string, string, () => void, () => void]>([
    [
      'not text',
      'raw.bin',
      () => put(ours, 'raw.bin', Buffer.from([0, 7])),
      () => put(theirs, 'raw.bin', Buffer.from([0, 8])),
    ],
    ['added here and there', 'n', () => put(ours, 'n', 'a\n'), () => put(theirs, 'n', 'b\n')],
    [
      'deleted here, changed there',
      'text.py',
      () => unlinkSync(join(ours, 'text.py')),
      () => put(theirs, 'text.py', 'b\n'),
    ],
    [
      'changed here, deleted there',
      'text.py',
      () => put(ours, 'text.py', 'b\n'),
      () => unlinkSync(join(theirs, 'text.py')),
    ],
    ['in its place here', 'n', () => put(ours, 'n/m', 'a\n'), () => put(theirs, 'n', 'b\n')],
    ['in its place here', 'n/m', () => put(ours, 'n', 'a\n'), () => put(theirs, 'n/m', 'b\n')],
    ['in its place here', 'n/m', () => symlinkSync('/tmp', join(ours, 'n')), () => put(theirs, 'n/m', 'b\n')],
  ])('says that a file is %s: %s', async (reason, path, here, there) => {
    here();
    there();
    const before = git(ours, 'status', '--porcelain', '-uall').toString();
    const merged = await merge(patchOf(theirs));
    expect(merged).toMatchObject({ applied: false, files: [] });
    expect(merged.conflicts).toEqual([{ path, reason: expect.stringContaining(reason), hunks: [] }]);
    expect(git(ours, 'status', '--porcelain', '-uall').toString()).toBe(before);
  });

  it('leaves the index, the history and a lock of the clone alone', async () => {
    put(theirs, 'text.py', replaced('text.py', 3, 'theirs'));
    writeFileSync(join(ours, '.git', 'index.lock'), '');
    const index = readFileSync(join(ours, '.git', 'index'));
    expect(await merge(patchOf(theirs))).toMatchObject({ applied: true });
    expect(readFileSync(join(ours, '.git', 'index')).equals(index)).toBe(true);
  });

  it.each([
    ['3', 'TypeError: apply_patch: give what rlm_query returned'],
    ['"hello"', 'ValueError: apply_patch: this is not a patch'],
    [
      '"diff --git a/../x b/../x\\nnew file mode 100644\\nindex ' +
        '0'.repeat(40) +
        '..' +
        '1'.repeat(40) +
        '\\n--- /dev/null\\n+++ b/../x\\n@@ -0,0 +1 @@\\n+a\\n"',
      'ValueError: apply_patch: the patch cannot be read',
    ],
    ['"diff --git a/x b/x\\nindex 123..456 100644\\n"', 'ValueError: apply_patch: the version of x'],
  ])('refuses what is no patch: %s', async (code, expected) => {
    const { error } = await under.run(`import os\nos.chdir(${JSON.stringify(ours)})\napply_patch(${code})`);
    expect(error).toContain(expected);
  });

  it('takes a report without changes, and says where there is no repository', async () => {
    const { final } = await under.run('FINAL(apply_patch(""))');
    expect(final?.value).toEqual({ applied: true, files: [], conflicts: [] });
    put(theirs, 'text.py', 'x\n');
    writeFileSync(join(dirname(ours), 'the.patch'), patchOf(theirs));
    const { error } = await under.run(
      `import os\nos.chdir("/")\napply_patch(open(${JSON.stringify(join(dirname(ours), 'the.patch'))}).read())`,
    );
    expect(error).toContain('there is no git repository here');
  });
});
