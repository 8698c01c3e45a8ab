import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { StoredInput } from '../../src/domain/inputs.ts';
import { parseSignature } from '../../src/domain/signature/notation.ts';
import { file, folder, readInputs, storeValues, type InputsRead } from '../../src/inputs/index.ts';
import { sendInputs } from '../../src/sandbox/send-inputs.ts';
import type { BlobStore } from '../../src/storage/blob-store.ts';
import { createFileBlobStore } from '../../src/storage/file-blob-store.ts';
import { KernelUnderTest } from '../kernel/kernel-under-test.ts';
import { kernelViews } from './kernel-summary.ts';

let root: string;
let cwd: string;
let blobs: BlobStore;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'rlm-inputs-'));
  cwd = join(root, 'files');
  mkdirSync(cwd);
  blobs = createFileBlobStore({ path: join(root, 'blobs') });
});

afterEach(() => {
  rmSync(root, { recursive: true, force: true });
});

type Content = string | Uint8Array;

function write(files: Readonly<Record<string, Content>>): void {
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(cwd, name)), { recursive: true });
    writeFileSync(join(cwd, name), content);
  }
}

async function* pieces(content: Content, size = 3): AsyncGenerator<Uint8Array> {
  const bytes = Buffer.from(content);
  for (let start = 0; start < bytes.length; start += size) yield bytes.subarray(start, start + size);
}

function read(inputs: string, given: readonly string[], stdin: Content = ''): Promise<InputsRead> {
  return readInputs(blobs, parseSignature(`${inputs} -> answer`), given, { cwd, stdin: pieces(stdin) });
}

async function refusal(inputs: string, given: readonly string[], stdin: Content = ''): Promise<string> {
  return read(inputs, given, stdin).then(
    () => 'nothing was wrong',
    (error: Error) => `${error.name}: ${error.message}`,
  );
}

const bytesOf = async ({ ref }: StoredInput): Promise<Uint8Array> => blobs.get(ref);

/** Python's repr of what the kernel makes of each; its summaries must be those that were stored. */
async function loaded(inputs: readonly StoredInput[]): Promise<string[]> {
  const cases = await Promise.all(inputs.map(async (input) => ({ ...input, bytes: await bytesOf(input) })));
  const views = await kernelViews(cases);
  expect(inputs.map(({ summary }) => summary)).toEqual(views.map((view) => ('summary' in view ? view.summary : view)));
  return views.map((view) => ('repr' in view ? view.repr : view.error));
}

/** One input of a type, as the kernel sees it. */
async function value(type: string, given: string, stdin: Content = ''): Promise<string> {
  const { inputs } = await read(`value: ${type}`, [`value=${given}`], stdin);
  return (await loaded(inputs))[0] ?? '';
}

describe('a value that was typed', () => {
  it.each([
    ['str', '3', "'3'"],
    ['str', '', "''"],
    ['str', 'a=b "c"', `'a=b "c"'`],
    ['str', '@@someone', "'@someone'"],
    ['int', '3', '3'],
    ['int', `1${'0'.repeat(30)}`, `1${'0'.repeat(30)}`],
    ['float', '3', '3.0'],
    ['bool', 'True', 'True'],
    ['bool', 'false', 'False'],
    ['str | None', 'None', 'None'],
    ['str | None', 'hello', "'hello'"],
    ['str | None', '5', "'5'"],
    ['int | None', 'None', 'None'],
    ['int | str', '5', '5'],
    ['int | str', 'five', "'five'"],
    ["Literal['a', 'b']", 'b', "'b'"],
    ['Literal[1, 2]', '2', '2'],
    ['list[str]', '["a", "b"]', "['a', 'b']"],
    ['dict[int, float]', '{"2": 1, "10": 2}', '{2: 1.0, 10: 2.0}'],
    ['Any', '{"a": [1, 1.0]}', "{'a': [1, 1.0]}"],
    ['Any', 'just words', "'just words'"],
  ])('%s: %s', async (type, given, expected) => {
    expect(await value(type, given)).toBe(expected);
  });

  it('that is wrong is shown with an example', async () => {
    expect(await refusal('items: list[str]', ['items=a, b'])).toBe(
      `Input.Invalid: items: "a, b" is not JSON, and the signature wants list[str]; for example: 'items=["text","text"]'`,
    );
    expect(await refusal('count: int', ['count="3"'])).toBe(
      "Input.Invalid: count: expected int, got str '3'\nfor example: 'count=3'",
    );
    expect(await refusal('rows: dict[int, {name: str}]', ['rows={'])).toContain(`'rows={"3":{"name":"text"}}'`);
    expect(await refusal("mode: Literal['fast', 'slow']", ['mode=quick'])).toBe(
      `Input.Invalid: mode: "quick" is not one of 'fast', 'slow'; for example: 'mode=fast'`,
    );
    expect(await refusal('level: Literal[1, 2]', ['level=3'])).toContain(`"3" is not one of 1, 2`);
  });

  it('needs a name of the signature, once', async () => {
    const inputs = 'documents: list[str], question';
    const listed = "\nThe signature's inputs: documents: list[str], question: str";
    expect(await refusal(inputs, ['documets=[]', 'question=why?'])).toBe(
      `Input.Invalid: there is no input documets; did you mean documents?\nthe input documents is missing${listed}`,
    );
    expect(await refusal(inputs, ['documents=[]', 'question=a', 'question=b'])).toBe(
      `Input.Invalid: the input question is given twice; leave one of them out${listed}`,
    );
    expect(await refusal(inputs, ['question'])).toBe(
      `Input.Invalid: "question" is no input: write question=value, question=@file or question=- for standard input${listed}`,
    );
  });
});

describe('a file', () => {
  it('is read by its ending and the type of its field', async () => {
    write({
      'a.txt': '\uFEFFä\r\n"b"',
      'a.JSON': '\uFEFF [ {"n": 1.0, "big": 12345678901234567890} ,\n[], "x\\"],[" ]\n',
      'a.jsonl': '{"a": 1}\n\n  \n[2]\r\n"three"',
      'a.ndjson': '"ä"\n"\\ud800"',
      'a.csv': '\uFEFFname,note\r\nx,"two\r\nlines, ""quoted"""\r\n\r\nshort\n',
      'number.txt': ' 12\n',
      'choice.txt': 'b\n',
    });
    expect(await value('str', '@a.txt')).toBe(`'ä\\r\\n"b"'`);
    expect(await value('Any', '@a.txt')).toBe(`'ä\\r\\n"b"'`);
    expect(await value('Any', '@a.JSON')).toBe(`[{'n': 1.0, 'big': 12345678901234567890}, [], 'x"],[']`);
    expect(await value('list', '@a.jsonl')).toBe("[{'a': 1}, [2], 'three']");
    expect(await value('list[str]', '@a.ndjson')).toBe(String.raw`['ä', '\ud800']`);
    expect(await value('list[dict]', '@a.csv')).toBe(
      String.raw`[{'name': 'x', 'note': 'two\r\nlines, "quoted"'}, {'name': 'short', 'note': None}]`,
    );
    expect(await value('str', '@a.jsonl')).toBe(String.raw`'{"a": 1}\n\n  \n[2]\r\n"three"'`);
    expect(await value('str | None', '@a.JSON')).toContain('12345678901234567890} ,');
    expect(await value('int', '@number.txt')).toBe('12');
    expect(await value("Literal['a', 'b']", '@choice.txt')).toBe("'b'");
  });

  it('is summarized as the kernel does, with tuples, floats and keys that are no texts', async () => {
    write({
      'pairs.json': '[[1, "a"], [2, "b"]]',
      'counts.json': '{"10": 1, "9": 2, "1": 3, "2": 4, "3": 5, "4": 6, "5": 7, "9": 8}',
      'object.json': '{"b": 1, "a": {"c": [1, 2, 3, 4]}}',
      'empty.json': ' {} ',
      'none.json': '[ ]',
      'text.json': '"a\\u00e4"',
      'float.json': '-12.50',
      'lines.jsonl': '1\n2\n3\n4\n',
      'cells.csv': 'n,x,ok,m,f\n1_0, 2e3 ,TRUE,,1\n-2,.5,False,x,2.5\n',
      'large.json': JSON.stringify(
        Array.from({ length: 20_000 }, (_, index) => ({ text: `"${'\\'.repeat(index % 7)}` })),
      ),
    });
    expect(await value('list[tuple[int, str]]', '@pairs.json')).toBe("[(1, 'a'), (2, 'b')]");
    expect(await value('dict[int, float]', '@counts.json')).toBe(
      '{10: 1.0, 9: 8.0, 1: 3.0, 2: 4.0, 3: 5.0, 4: 6.0, 5: 7.0}',
    );
    expect(await value('{a: dict, b: float}', '@object.json')).toBe("{'b': 1.0, 'a': {'c': [1, 2, 3, 4]}}");
    expect(await value('dict', '@empty.json')).toBe('{}');
    expect(await value('list[str]', '@none.json')).toBe('[]');
    expect(await value('list | str', '@text.json')).toBe("'aä'");
    expect(await value('float', '@float.json')).toBe('-12.5');
    expect(await value('tuple[float, ...]', '@lines.jsonl')).toBe('(1.0, 2.0, 3.0, 4.0)');
    expect(await value('list[{n: int, x: float, ok: bool, m: str | None, f: int | float}]', '@cells.csv')).toBe(
      "[{'n': 10, 'x': 2000.0, 'ok': True, 'm': None, 'f': 1}, {'n': -2, 'x': 0.5, 'ok': False, 'm': 'x', 'f': 2.5}]",
    );
    expect(await value('list[dict[str, str]]', '@large.json')).toBe('');
  });

  it('that is not UTF-8 keeps its bytes', async () => {
    write({ 'a.txt': Buffer.from([0x61, 0xff, 0xe4, 0xb8]), 'a.csv': Buffer.from([0x61, 0x0a, 0xe9, 0x0a]) });
    expect(await value('str', '@a.txt')).toBe(String.raw`'a\udcff\udce4\udcb8'`);
    expect(await value('list[dict]', '@a.csv')).toBe(String.raw`[{'a': '\udce9'}]`);
  });

  it.each([
    ['list[str]', 'a.json', '["a",\n 1]', 'a.json, line 2: value[1]: expected str, got int 1'],
    ['list[str]', 'a.json', '{"a": 1}', 'a.json, line 1: value: expected list[str], got a dict'],
    ['dict[str, int]', 'a.json', '\n[1]', 'a.json, line 2: value: expected dict[str, int], got a list'],
    ['dict[str, int]', 'a.json', '{"a": 1,\n"b": "c"}', "a.json, line 2: value.b: expected int, got str 'c'"],
    ['{a: int, b: int}', 'a.json', '{"a": 1}', 'a.json, line 1: value.b: is missing; expected int'],
    ['tuple[int, int]', 'a.json', '[1]', 'value: expected tuple[int, int], got a list of 1 item'],
    ['int', 'a.json', '"x"', "a.json, line 1: value: expected int, got str 'x'"],
    ['list', 'a.json', '[1, 2', 'a.json, line 1 is not JSON: it ends before its value is complete'],
    ['list', 'a.json', '[1, 2]\n]', 'a.json, line 2 is not JSON: there is more after the end of the JSON value'],
    ['list', 'a.json', '[1, 2}', 'a.json, line 1 is not JSON: a comma or ] is missing'],
    ['list', 'a.json', '[1,\n2,\n]', 'a.json, line 3 is not JSON: there is a comma before the ]'],
    ['list', 'a.json', '[1,\n\nnope]', 'a.json, line 3 is not JSON: "o" is not expected there'],
    ['dict', 'a.json', '{"a" 1}', 'a.json, line 1 is not JSON: '],
    ['Any', 'a.json', '', 'a.json, line 1 is not JSON: it is empty'],
    ['Any', 'a.json', '[1e999]', 'expected Any, got float inf'],
    [
      'list',
      'a.json',
      Buffer.from([0x5b, 0x22, 0xff, 0x22, 0x5d]),
      'a.json holds bytes that are not UTF-8; it looks like windows-1252: name its encoding (@a.json;encoding=windows-1252)',
    ],
    ['list[int]', 'a.jsonl', '1\n\n"x"\n', "a.jsonl, line 3: value[1]: expected int, got str 'x'"],
    ['list', 'a.jsonl', '1\n{\n', 'a.jsonl, line 2 is not JSON: '],
    ['dict', 'a.jsonl', '{}\n{}\n', 'value: expected dict, and a.jsonl holds a list'],
    [
      'list',
      'a.json',
      '[1, NaN]',
      'a.json, line 1 is not JSON: JSON has no NaN or Infinity; write null where a number',
    ],
    [
      'list',
      'a.jsonl',
      '{"a": -Infinity}\n',
      'line 1 is not JSON: JSON has no NaN or Infinity; write null where a number',
    ],
    ['list[{n: int}]', 'a.csv', 'n\n1\nx\n', "a.csv, line 3: value[1].n: expected int, got str 'x'"],
    [
      'list[{n: float, s: str}]',
      'a.csv',
      'n,s\n1,\n,x\n',
      'a.csv, line 3, column n: the cell is empty; make it float | None',
    ],
    ['list[{n: int}]', 'a.csv', 'm\n1\n', 'a.csv has no column n; its columns are m'],
    [
      'list[{name: str}]',
      'a.csv',
      'name,nme2\na,b\n',
      'has a column nme2 that {name: str} does not have; did you mean name?',
    ],
    ['list[dict]', 'a.csv', '', 'a.csv is empty: the first row must name the columns'],
    [
      'list[dict]',
      'a.csv',
      'a,b\n1,2,3\n1,2\n',
      'a.csv: 1 of 2 rows has more values than the 2 columns: line 2; put values that hold the delimiter in quotes',
    ],
    ['list[dict]', 'a.csv', 'a\n"open', 'a.csv, line 2 is not CSV: a quote is never closed'],
    [
      'list[str]',
      'a.csv',
      'a\n',
      'a.csv is a list of rows, and the signature wants list[str]: make the field a list[dict]',
    ],
    ['list[str]', 'a.txt', 'a', 'name a folder or a pattern (each file is an item), a .jsonl file'],
    ['dict', 'a.txt', 'a', 'a.txt is a text, and the signature wants dict: name a .json file, or make the field a str'],
    ['int', 'a.txt', 'three', 'value: a.txt: "three" is not JSON, and the signature wants int'],
    ['str', 'a.zip', 'x', 'a.zip cannot be read: it is an archive, or compressed; unpack it and name what is in it'],
  ])('%s from %s: %s is told to be wrong', async (type, name, content, expected) => {
    write({ [name]: content });
    expect(await refusal(`value: ${type}`, [`value=@${name}`])).toContain(expected);
  });

  it('that is not there, or cannot be read, is told with its path', async () => {
    write({ 'notes.txt': 'a' });
    expect(await refusal('text', ['text=@note.txt'])).toContain(
      `text: there is no file or folder note.txt; did you mean notes.txt? (it was looked for at ${join(cwd, 'note.txt')}`,
    );
    expect(await refusal('text', ['text=@'])).toContain('name a file, a folder or a pattern after the @');
    symlinkSync('loop', join(cwd, 'loop'));
    expect(await refusal('text', ['text=@loop'])).toContain('cannot read loop: its links lead in a circle');
  });

  it.each([
    [
      'https://example.com/a.csv',
      "addresses are not fetched: download it first, such as with curl -o file 'https://example.com/a.csv'",
    ],
    ['s3://bucket/a.csv', 'addresses are not fetched: download it first, and name the file'],
    ['file:///data/a.csv', 'name it by its path: @/data/a.csv'],
    [String.raw`C:\Users\me\a b.csv`, 'in WSL, the path of Windows is /mnt/c/Users/me/a b.csv'],
    ['d:/a.csv', 'in WSL, the path of Windows is /mnt/d/a.csv'],
    ['broken', 'it is a link to nowhere/at-all, which does not exist'],
  ])('as %s is told with what to do', async (typed, expected) => {
    rmSync(join(cwd, 'broken'), { force: true });
    symlinkSync('nowhere/at-all', join(cwd, 'broken'));
    expect(await refusal('text', [`text=@${typed}`])).toContain(
      `text: there is no file or folder ${typed}; ${expected}`,
    );
  });

  it('that is empty is told, of standard input too', async () => {
    write({ 'nothing.txt': '' });
    expect((await read('text', ['text=@nothing.txt'])).warnings).toEqual(['text: nothing.txt is empty']);
    expect((await read('text', ['text=-'])).warnings).toEqual(['text: standard input is empty']);
  });

  it('that is not UTF-8 is told, of a folder how many', async () => {
    const odd = Buffer.from([0x63, 0x61, 0x66, 0xe9]);
    write({ 'caf.txt': odd, 'a.csv': odd, 'fine.txt': 'café' });
    write({ 'docs/1': odd, 'docs/2': 'café', 'docs/3': odd, 'docs/4': odd, 'docs/5': odd });
    const kept = "or the odd bytes are kept as Python's surrogateescape has them";
    expect((await read('text', ['text=@caf.txt'])).warnings).toEqual([
      `1 file of text is not UTF-8 and looks like windows-1252: caf.txt; write 'text=@caf.txt;encoding=windows-1252', ${kept}`,
    ]);
    expect((await read('rows: list[dict]', ['rows=@a.csv'])).warnings).toEqual([
      'rows: read a.csv as CSV with commas: 0 rows, column caf\udce9',
      `1 file of rows is not UTF-8 and looks like windows-1252: a.csv; write 'rows=@a.csv;encoding=windows-1252', ${kept}`,
    ]);
    expect((await read('documents: list[str]', ['documents=@docs'])).warnings).toEqual([
      '4 files of documents are not UTF-8; the first looks like windows-1252: 1, 3, 4 and 1 more; ' +
        `write 'documents=@docs;encoding=windows-1252', ${kept}`,
    ]);
    expect((await read('text', ['text=@fine.txt'])).warnings).toEqual([]);
  });

  it('of a pattern that matches nothing: input and folder are named', async () => {
    expect(await refusal('notes: list[str]', ['notes=@*.md'])).toBe(
      `Input.Invalid: notes: there are no files in *.md (it was looked for in ${cwd})`,
    );
  });

  it.each([
    ['list[dict]', '89504e470d0a1a0a0000'],
    ['str', 'ffd8ffe000104a464946'],
    ['list[str]', '47494638396100'],
    ['Any', '49492a00080000'],
  ])('that is an image is refused for a %s', async (type, bytes) => {
    write({ 'a.dat': Buffer.from(bytes, 'hex') });
    await expect(read(`a: ${type}`, ['a=@a.dat'])).rejects.toThrow(
      'a: a.dat cannot be read: it is an image, and no text is recognized in images',
    );
  });

  it('that looks binary is told', async () => {
    write({ 'a.dat': Buffer.from([0x25, 0, 0x41]), 'b.txt': Buffer.from('no mark', 'utf16le') });
    const { warnings } = await read('a, b', ['a=@a.dat', 'b=@b.txt']);
    expect(warnings).toEqual([
      'a: a.dat looks binary; it is given as the text of its bytes',
      "b: b.txt looks like UTF-16LE without a byte order mark; write 'b=@b.txt;encoding=UTF-16LE'",
    ]);
  });
});

describe('a folder', () => {
  const FILES = { 'file10.md': 'ten', 'file2.md': 'two', 'b/file1.md': '\uFEFFä"\n', 'a.txt': 'a' };

  it('is a list, a dict or objects of its texts in natural order', async () => {
    write(Object.fromEntries(Object.entries(FILES).map(([name, text]) => [`docs/${name}`, text])));
    expect(await value('list[str]', '@docs')).toBe(String.raw`['a', 'ä"\n', 'two', 'ten']`);
    expect(await value('tuple[str, ...]', '@docs/')).toBe(String.raw`('a', 'ä"\n', 'two', 'ten')`);
    expect(await value('dict[str, str]', '@docs')).toBe(
      String.raw`{'a.txt': 'a', 'b/file1.md': 'ä"\n', 'file2.md': 'two', 'file10.md': 'ten'}`,
    );
    const objects = String.raw`[{'path': 'b/file1.md', 'text': 'ä"\n'}, {'path': 'file2.md', 'text': 'two'}, {'path': 'file10.md', 'text': 'ten'}]`;
    for (const type of ['list', 'list[dict]', 'list[{path: str, text: str}]', 'Any']) {
      // oxlint-disable-next-line no-await-in-loop -- one after the other
      expect(await value(type, '@docs/**/*.md')).toBe(objects);
    }
    expect(await value('list[str]', '@docs/*.{md,txt}')).toBe("['a', 'two', 'ten']");
    write({ 'docs/.notes/x.md': 'hidden', 'docs/[1].md': 'brackets' });
    expect(await value('list[str]', '@docs/*/*.md')).toBe(String.raw`['ä"\n']`);
    expect(await value('list[str]', '@docs/**/.n*/*')).toBe("['hidden']");
    expect(await value('str', '@docs/[1].md')).toBe("'brackets'");
    expect(await value('dict[str, str]', `@${cwd}/d*/b/*`)).toBe(String.raw`{'docs/b/file1.md': 'ä"\n'}`);
  });

  it('with files longer than what is read at a time, and bytes that are not UTF-8', async () => {
    const long = Buffer.from(`${'ä😀"\n'.repeat(60_000)}\0 at its end`);
    write({ 'docs/1.txt': long.subarray(0, 65_537), 'docs/2.txt': long, 'docs/3.txt': Buffer.from([0x61, 0xff]) });
    const { inputs } = await read('texts: list[str], named: dict[str, str]', ['texts=@docs', 'named=@docs']);
    await loaded(inputs);
    const [texts] = inputs;
    if (texts === undefined) throw new Error('nothing was stored');
    const lines = Buffer.from(await bytesOf(texts))
      .toString()
      .trimEnd()
      .split('\n');
    expect(lines[1]).toBe(JSON.stringify(long.toString()));
    expect(lines[2]).toBe(String.raw`"a\udcff"`);
  });

  it('leaves out what is hidden, binary or no file, and says so', async () => {
    write({
      'docs/a.txt': 'a',
      'docs/.hidden': 'x',
      'docs/.git/config': 'x',
      'docs/CVS/Root': 'x',
      'docs/b.png': Buffer.from([0x89, 0, 0]),
      'docs/b.bin': Buffer.from([0x89, 0, 0]),
      'other/c.txt': 'c',
    });
    symlinkSync('nowhere', join(cwd, 'docs', 'broken'));
    symlinkSync('../other', join(cwd, 'docs', 'linked-folder'));
    symlinkSync('a.txt', join(cwd, 'docs', 'linked.txt'));
    symlinkSync('../other/c.txt', join(cwd, 'docs', 'leads-out.txt'));
    const { inputs, warnings } = await read('texts: list[str]', ['texts=@docs']);
    expect(await loaded(inputs)).toEqual(["['a', 'a']"]);
    expect(warnings).toEqual([
      'texts: of docs these were left out: 3 hidden, 1 image, 1 that looks binary, 2 that are no files, 1 link to a file elsewhere',
    ]);
    const matching = await read('texts: list[str]', ['texts=@docs/*.txt']);
    expect(await loaded(matching.inputs)).toEqual(["['a', 'a']"]);
    expect(matching.warnings).toEqual(['texts: of docs/*.txt these were left out: 1 link to a file elsewhere']);
  });

  it('leaves out files whose names are not UTF-8, and says so', async () => {
    write({ 'names/a.txt': 'a', 'names/\ufffd.txt': 'a name that has this character' });
    for (const name of ['bad\xff.txt', 'caf\xe9.txt'])
      writeFileSync(Buffer.concat([Buffer.from(`${cwd}/names/`), Buffer.from(name, 'latin1')]), 'x');
    const { inputs, warnings } = await read('texts: list[str]', ['texts=@names']);
    expect(await loaded(inputs)).toEqual(["['a', 'a name that has this character']"]);
    expect(warnings).toEqual(['texts: of names these were left out: 2 whose names are not UTF-8']);
    expect((await read('texts: list[str]', ['texts=@names/*.txt'])).warnings).toEqual([
      'texts: of names/*.txt these were left out: 2 whose names are not UTF-8',
    ]);
  });

  it('without texts, or for a field that holds one value, is refused', async () => {
    mkdirSync(join(cwd, 'empty'));
    write({ 'binary/a': Buffer.from([0]) });
    expect(await refusal('texts: list[str]', ['texts=@empty'])).toContain('there are no files in empty');
    expect(await refusal('texts: list[str]', ['texts=@*.md'])).toContain('there are no files in *.md');
    expect(await refusal('texts: list[str]', ['texts=@binary'])).toContain('there are no texts in binary');
    expect(await refusal('text', ['text=@binary'])).toContain('binary is many texts, and the signature wants str');
    expect(await refusal('numbers: list[int]', ['numbers=@binary'])).toContain('make the field a list[str]');
  });
});

describe('standard input', () => {
  it('is read by the type of its field', async () => {
    expect(await value('str', '-', 'ä\n')).toBe(String.raw`'ä\n'`);
    expect(await value('str', '@-', '')).toBe("''");
    expect(await value('Any', '-', '[1]')).toBe("'[1]'");
    expect(await value('int', '-', '3\n')).toBe('3');
    expect(await value('list[int]', '-', ' \n[1,\n2]')).toBe('[1, 2]');
    expect(await value('list[dict]', '-', '{"a": 1}\n{"a": 2}\n')).toBe("[{'a': 1}, {'a': 2}]");
    expect(await value('dict', '-', '{"a": 1}')).toBe("{'a': 1}");
  });

  it('once', async () => {
    expect(await refusal('a, b', ['a=-', 'b=@-'])).toContain(
      'standard input can be read once, and is named for a and b',
    );
  });
});

it('a program names files and folders too', async () => {
  write({ 'docs/a.txt': 'a', 'docs/.b': '', 'rows.csv': 'n\n1\n' });
  const warnings: string[] = [];
  const inputs = await storeValues(
    blobs,
    parseSignature('texts: list[str], rows: list[{n: int}] -> answer'),
    { texts: folder(join(cwd, 'docs')), rows: file(join(cwd, 'rows.csv')) },
    { warn: (text) => warnings.push(text) },
  );
  expect(await loaded(inputs)).toEqual(["['a']", "[{'n': 1}]"]);
  expect(warnings).toEqual([expect.stringContaining('1 hidden'), expect.stringContaining('CSV with commas: 1 row')]);
});

it('a program says of files what they do not say themselves', async () => {
  write({ 'rows.csv': Buffer.from('a^b\nx^\xe9\n', 'latin1'), 'docs/a.txt': Buffer.from('\xe9', 'latin1') });
  const inputs = await storeValues(blobs, parseSignature('texts: list[str], rows: list[dict] -> answer'), {
    texts: folder(join(cwd, 'docs'), { encoding: 'latin1' }),
    rows: file(join(cwd, 'rows.csv'), { encoding: 'latin1', delimiter: '^' }),
  });
  expect(await loaded(inputs)).toEqual(["['é']", "[{'a': 'x', 'b': 'é'}]"]);
});

it('a kernel is sent what was read', async () => {
  write({
    'docs/1.txt': 'one',
    'docs/2.txt': Buffer.from([0xff]),
    'rows.csv': 'n\n1\n',
    'pairs.json': '[[1, 2]]',
    'text.txt': 'ä',
  });
  const { inputs } = await read(
    'texts: list[str], named: dict[str, str], rows: list[{n: int}], pairs: list[tuple[int, float]], text, count: int',
    ['texts=@docs', 'named=@docs', 'rows=@rows.csv', 'pairs=@pairs.json', 'text=@text.txt', 'count=-'],
    '7\n',
  );
  const under = await KernelUnderTest.start({ setup: false });
  try {
    const info = await under.setup({}, [], { inputs });
    const open = async function* (index: number): AsyncGenerator<Uint8Array> {
      yield await blobs.get(inputs[index]?.ref ?? '');
    };
    await sendInputs(under.kernel, info, inputs, ({ name }) => open(inputs.findIndex((input) => input.name === name)));
    const result = await under.run('print(ascii((texts, named, rows, pairs, text, count)))');
    expect(result.stdout).toBe(
      String.raw`(['one', '\udcff'], {'1.txt': 'one', '2.txt': '\udcff'}, [{'n': 1}], [(1, 2.0)], '\xe4', 7)` + '\n',
    );
  } finally {
    await under.stop();
  }
});
