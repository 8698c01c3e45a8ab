import { chmodSync, linkSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { KernelUnderTest } from './kernel-under-test.ts';

let under: KernelUnderTest;

beforeAll(async () => {
  under = await KernelUnderTest.start();
});

afterAll(async () => {
  await under.stop();
  expect(under.complaints).toBe('');
});

function path(name: string): string {
  return join(under.workspace, name);
}

async function edit(name: string, before: string | Buffer, call: string): Promise<{ said: string; after: Buffer }> {
  writeFileSync(path(name), before);
  const { stdout, error } = await under.run(`print(edit_file(${JSON.stringify(name)}, ${call}))`);
  return { said: error?.split('\n').at(-1) ?? stdout.trimEnd(), after: readFileSync(path(name)) };
}

describe('edit_file', () => {
  it('replaces a text that is unique and says where', async () => {
    const { said, after } = await edit('a.txt', 'one\ntwo\nthree\n', '"two", "2"');
    expect(said).toBe('Edited a.txt: 1 place changed, at line 2.');
    expect(after.toString()).toBe('one\n2\nthree\n');
  });

  it.each([
    [
      'not there',
      'a.txt',
      'one\n  two\n',
      '"nothing", "x"',
      'ValueError: edit_file: old was not found in a.txt; its first line does not occur either',
    ],
    [
      'there but for its indentation',
      'a.txt',
      'one\n  two\n    three',
      '"  two\\n  three", "x"',
      'ValueError: edit_file: old was not found in a.txt; its first line occurs at line 2, so compare indentation and what follows',
    ],
    [
      'not unique',
      'a.txt',
      'x\ny\nx\n',
      '"x", "z"',
      'ValueError: edit_file: old occurs 2 times in a.txt (lines 1, 3); add text around it until it is unique, or pass replace_all=True',
    ],
    ['empty', 'a.txt', 'x', '"", "z"', 'ValueError: edit_file: old is empty; give the text to be replaced'],
    ['the same as new', 'a.txt', 'x', '"x", "x"', 'ValueError: edit_file: old and new are the same text'],
    ['not a string', 'a.txt', 'x', '1, "x"', 'TypeError: edit_file: old must be a string, not int'],
    [
      'breaking the syntax',
      'a.py',
      'def f():\n    return 1\n',
      '"    return 1", "return 1"',
      'SyntaxError: edit_file: a.py would no longer parse, so it was left as it was: line 2: expected an indented block after function definition on line 1',
    ],
  ])('leaves the file alone where old is %s', async (_, name, before, call, message) => {
    const { said, after } = await edit(name, before, call);
    expect(
      said.replace(/: expected an indented block$/, ': expected an indented block after function definition on line 1'),
    ).toBe(message);
    expect(after.toString()).toBe(before);
  });

  it('replaces all where that is said', async () => {
    const { said, after } = await edit('a.txt', 'x\ny\nx\n', '"x", "z", replace_all=True');
    expect(said).toBe('Edited a.txt: 2 places changed, at lines 1, 3.');
    expect(after.toString()).toBe('z\ny\nz\n');
  });

  it('keeps the newline style of the file', async () => {
    expect((await edit('a.txt', 'a\r\nb\r\nc\r\n', '"a\\nb", "A\\nB"')).after.toString()).toBe('A\r\nB\r\nc\r\n');
    expect((await edit('a.txt', 'a\r\nb\nc\r\n', '"b\\nc", "B\\nC"')).after.toString()).toBe('a\r\nB\nC\r\n');
  });

  it('keeps bytes that are not UTF-8', async () => {
    const before = Buffer.from([0xff, 0xfe, 0x61, 0x0a, 0xc3, 0x28]);
    expect((await edit('a.txt', before, '"a", "b"')).after).toEqual(Buffer.from([0xff, 0xfe, 0x62, 0x0a, 0xc3, 0x28]));
  });

  it('checks Python in the encoding it declares', async () => {
    const latin = Buffer.from('# -*- coding: latin-1 -*-\nx = "\xe9"\n', 'latin1');
    expect((await edit('a.py', latin, '"x", "y"')).said).toBe('Edited a.py: 1 place changed, at line 2.');
  });

  it('keeps the mode, follows links, writes through hard links', async () => {
    writeFileSync(path('script'), 'old\n');
    chmodSync(path('script'), 0o751);
    symlinkSync('script', path('link'));
    writeFileSync(path('first'), 'old\n');
    linkSync(path('first'), path('second'));
    const { error } = await under.run('edit_file("link", "old", "new")\nedit_file("first", "old", "new")');
    expect(error).toBeNull();
    expect(statSync(path('script')).mode & 0o7777).toBe(0o751);
    expect(readFileSync(path('script'), 'utf8')).toBe('new\n');
    expect(readFileSync(path('second'), 'utf8')).toBe('new\n');
  });

  it('a missing file is a plain error', async () => {
    const { error } = await under.run('edit_file("missing", "a", "b")');
    expect(error).toMatch(
      /<module>\n.*\n(?: *[~^]+\n)?FileNotFoundError: \[Errno 2\] No such file or directory: 'missing'$/,
    );
  });
});
