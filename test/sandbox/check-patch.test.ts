import { execFileSync } from 'node:child_process';
import { dirname } from 'node:path';
import { describe, expect, it } from 'vitest';
import { findForgery } from '../../src/sandbox/check-patch.ts';
import { kernelSource } from '../../src/sandbox/kernel-archive.ts';
import type { Kernel } from '../../src/sandbox/provider.ts';
import { takePatch } from '../../src/sandbox/take-patch.ts';
import { isMisleading } from '../../src/sandbox/misleading-path.ts';

const A = '1'.repeat(40);
const B = '2'.repeat(40);
const NONE = '0'.repeat(40);

/** The part of a patch that makes a file, as git writes it. */
const makes = (name: string, mode = '100644'): string =>
  `diff --git a/${name} b/${name}\nnew file mode ${mode}\nindex ${NONE}..${A}\n--- /dev/null\n+++ b/${name}\n@@ -0,0 +1 @@\n+x\n`;
const removes = (name: string): string =>
  `diff --git a/${name} b/${name}\ndeleted file mode 100644\nindex ${A}..${NONE}\n--- a/${name}\n+++ /dev/null\n@@ -1 +0,0 @@\n-x\n`;
const CHANGES = `diff --git a/c b/c\nindex ${A}..${B} 100644\n--- a/c\n+++ b/c\n@@ -1,3 +1,3 @@ def x():\n one\n-two\n+++ b/../x\n three\n`;
const BINARY = `diff --git a/d b/d\nindex ${A}..${B} 100644\nGIT binary patch\nliteral 3\nKcmZ?wbhEHb\n\ndelta 2\nKcmZ?wbhEHb\n\n`;

const check = (text: string): Promise<string | undefined> => findForgery(Buffer.from(text, 'latin1'));

/** Latin-1 text, one character a byte. */
const MISLEADING = [
  '../x',
  'a/../../x',
  'a/..',
  '..',
  '.',
  './x',
  'a//b',
  '/etc/passwd',
  'a/',
  '',
  '.git/config',
  '.GIT/hooks/post-checkout',
  'a/.gIt/config',
  'sub/.git',
  '.git./config',
  '.git  . /config',
  '.git::$INDEX_ALLOCATION/config',
  'git~1/config',
  'GIT~1',
  '.g\xe2\x80\x8cit/config',
  '\xef\xbb\xbf.git',
  '.gi\xe2\x81\xaat/x',
  'a\\..\\..\\x',
  '.git\\config',
  'a\\.GIT\\config',
  'C:/Windows/x',
  'c:\\x',
  'a\0b',
];
const PLAIN = [
  'a',
  '.gitignore',
  '.gitattributes',
  '.github/workflows/x.yml',
  'git',
  'a.git/config',
  '.git-backup',
  'git~2',
  'git~10',
  '...',
  '..a',
  'a..',
  'back\\slash',
  ' ',
  'a:b',
  'é\xff',
  '-x',
  '.gitx',
];

describe('a path of a patch', () => {
  it.each(MISLEADING)('%j leads elsewhere', (path) => {
    expect(isMisleading(Buffer.from(path, 'latin1'))).toBe(true);
  });

  it.each(PLAIN)('%j is what it says', (path) => {
    expect(isMisleading(Buffer.from(path, 'latin1'))).toBe(false);
  });

  it('means the same in the sandbox', () => {
    const script = `import sys, json
sys.path.insert(0, sys.argv[1])
from rlm_kernel.misleading_names import is_misleading
print(json.dumps([is_misleading(path.encode("latin-1")) for path in json.loads(sys.argv[2])]))`;
    const paths = [...MISLEADING, ...PLAIN];
    const answers = execFileSync('python3', ['-c', script, dirname(kernelSource()), JSON.stringify(paths)]);
    expect(JSON.parse(answers.toString())).toEqual(paths.map((path) => MISLEADING.includes(path)));
  });
});

describe('a patch from a sandbox', () => {
  it.each([
    ['nothing', ''],
    ['all kinds of changes', makes('a') + removes('b') + CHANGES + BINARY],
    ['a file that becomes a link', removes('a') + makes('a', '120000')],
    ['a folder that becomes a link', removes('a/b') + makes('a', '120000')],
    ['a file that becomes a folder', removes('a') + makes('a/b')],
    ['a new mode', 'diff --git a/x b/x\nold mode 100644\nnew mode 100755\n'],
    ['an empty file', `diff --git a/x b/x\nnew file mode 100644\nindex ${NONE}..${A}\n`],
    ['a submodule that is gone', removes('m').replace('100644', '160000')],
    ['a name with spaces', makes('a b/c b/d').replace('+++ b/a b/c b/d', '+++ b/a b/c b/d\t')],
    ['no newline at the end', `${makes('a')}\\ No newline at end of file\n`],
    ['a quoted name', makes('x').replaceAll(/([ab])\/x/g, String.raw`"$1/\303\251\t\"\\"`)],
  ])('with %s is one', async (_, text) => {
    expect(await check(text)).toBeUndefined();
  });

  it.each([
    ['a path that leads out', makes('../x'), /out of the repository/],
    ['a path into .git', CHANGES + makes('.git/hooks/pre-commit', '100755'), /"\.git\/hooks\/pre-commit" is a path/],
    [
      'a path out that is quoted',
      makes('x').replaceAll(/([ab])\/x/g, String.raw`"$1/\056\056/x"`),
      /out of the repository/,
    ],
    ['a path out to be deleted', removes('../x'), /out of the repository/],
    ['a file beyond a link of its own', makes('a', '120000') + makes('a/passwd'), /"a\/passwd" beyond "a"/],
    [
      'the same deeper, and in the other order',
      makes('a/b/c/d') + makes('a/b', '120000'),
      /"a\/b\/c\/d" beyond "a\/b"/,
    ],
    ['a file twice', makes('a', '120000') + makes('a'), /twice/],
    ['a submodule', makes('m', '160000'), /mode "160000"/],
    ['a setuid file', makes('m', '104755'), /mode "104755"/],
    ['a new mode that is none', 'diff --git a/x b/x\nold mode 100644\nnew mode 100777\n', /mode/],
    ['two names', 'diff --git a/x b/y\nold mode 100644\nnew mode 100755\n', /does not write/],
    ['another name below', CHANGES.replace('+++ b/c', '+++ b/../c'), /does not write/],
    ['another name below, of the old file', CHANGES.replace('--- a/c', '--- a/.git/config'), /does not write/],
    ['a rename', 'diff --git a/x b/x\nsimilarity index 100%\nrename from x\nrename to ../x\n', /does not write/],
    ['a traditional patch', '--- a/x\n+++ ../x\n@@ -0,0 +1 @@\n+x\n', /does not write/],
    ['a traditional patch between', `${CHANGES}--- a/x\n+++ ../x\n@@ -0,0 +1 @@\n+x\n${BINARY}`, /does not write/],
    [
      'a traditional patch after a change of mode',
      'diff --git a/x b/x\nold mode 100644\nnew mode 100755\n--- /dev/null\n+++ ../y\n@@ -0,0 +1 @@\n+x\n',
      /does not write/,
    ],
    ['an Index: line', `Index: ../x\n${CHANGES}`, /does not write/],
    ['a script for ed', '1d\n!touch /tmp/ran\n.\nw\n', /does not write/],
    ['text before', `hello\n${CHANGES}`, /does not write/],
    ['text after', `${CHANGES}hello\n`, /does not write/],
    ['a hunk that is longer than it says', CHANGES.replace('-1,3 +1,3', '-1,2 +1,2'), /does not write/],
    ['a hunk that is shorter', CHANGES.replace('-1,3 +1,3', '-1,9 +1,9'), /middle of a line/],
    ['names without content', CHANGES.slice(0, CHANGES.indexOf('@@')), /changes nothing/],
    ['binary data of another kind', BINARY.replace('literal', 'linear'), /does not write/],
    ['an end in the middle', CHANGES.slice(0, -4), /middle of a line/],
    ['an escape that is none', makes('x').replaceAll(/([ab])\/x/g, String.raw`"$1/\q"`), /does not write/],
    ['zeros', '\0'.repeat(100), /middle of a line/],
  ])('with %s is a forgery', async (_, text, why) => {
    expect(await check(text)).toMatch(why);
  });

  it('of 48 MiB of the shortest lines leaves time for others', async () => {
    const count = 8 * 1024 * 1024;
    const head = makes('a').replace('+1 @@\n+x\n', `+1,${count} @@\n`);
    const patch = Buffer.concat([Buffer.from(head), Buffer.alloc(count * 2, '+\n')]);
    let turns = 0;
    const timer = setInterval(() => (turns += 1), 1);
    expect(await findForgery(patch)).toBeUndefined();
    clearInterval(timer);
    expect(turns).toBeGreaterThan(10);
  });

  it('that was forged is refused as a whole, with the reason among its notes', async () => {
    const text = CHANGES + makes('.git/hooks/pre-commit', '100755');
    const output = `${JSON.stringify({ size: text.length, notes: ['x is a pipe'] })}\n${text}`;
    const stdout = Buffer.from(output, 'latin1').toString('base64');
    const kernel = { process: () => Promise.resolve({ code: 0, stdout, stderr: '', truncated: false }) };
    const inside = {
      python: 'python3',
      kernel: 'kernel',
      workspace: '/workspace',
      objects: '/objects',
      index: '/index',
    };
    expect(await takePatch(kernel as unknown as Kernel, inside, A)).toEqual({
      bytes: new Uint8Array(),
      notes: [expect.stringMatching(/^The patch was refused: "\.git\/hooks\/pre-commit" is a path/), 'x is a pipe'],
    });
  });
});
