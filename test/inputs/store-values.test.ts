import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { StoredInput } from '../../src/domain/inputs.ts';
import { parseSignature } from '../../src/domain/signature/notation.ts';
import { storeValues } from '../../src/inputs/index.ts';
import type { BlobStore } from '../../src/storage/blob-store.ts';
import { createFileBlobStore } from '../../src/storage/file-blob-store.ts';

let folder: string;
let blobs: BlobStore;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'rlm-inputs-'));
  blobs = createFileBlobStore({ path: folder });
});

afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

const stored = (inputs: string, values: unknown): Promise<StoredInput[]> =>
  storeValues(blobs, parseSignature(`${inputs} -> answer`), values);

const content = async ({ ref }: StoredInput): Promise<string> => Buffer.from(await blobs.get(ref)).toString();

/** Of the only input: how it is kept, its bytes, and what is said of it. */
async function kept(type: string, value: unknown) {
  const [input] = await stored(`value: ${type}`, { value });
  if (input === undefined) throw new Error('nothing was stored');
  const { format, size, summary } = input;
  const bytes = await content(input);
  expect(size).toBe(Buffer.byteLength(bytes));
  return { format, bytes, ...summary };
}

describe('values are kept', () => {
  it('a str as its text, everything else as JSON', async () => {
    expect(await kept('str', 'ä "b"\n')).toEqual({
      format: 'text',
      bytes: 'ä "b"\n',
      type: 'str',
      length: 6,
      preview: `'ä "b"\\n'`,
    });
    expect(await kept('str', '')).toMatchObject({ format: 'text', bytes: '', length: 0, preview: "''" });
    expect(await kept('str | None', null)).toMatchObject({ format: 'json', bytes: 'null', type: 'NoneType' });
    expect(await kept('list[float]', [1, 2.5])).toEqual({
      format: 'json',
      bytes: '[1,2.5]',
      type: 'list',
      length: 2,
      preview: '[1.0, 2.5]',
    });
    expect(await kept('dict[str, Any]', { b: [true, null], a: { c: 1 } })).toMatchObject({
      bytes: '{"b":[true,null],"a":{"c":1}}',
      preview: "{'b': [True, None], 'a': {'c': 1}}",
    });
    expect(await kept('dict', {})).toMatchObject({ bytes: '{}', length: 0 });
    expect(await kept('int', 2n ** 70n)).toMatchObject({
      bytes: '"1180591620717411303424"',
      type: 'int',
      length: null,
    });
    expect(await kept('tuple[int, str]', [1, 'a'])).toMatchObject({ type: 'tuple', preview: "(1, 'a')" });
  });

  it('large lists item by item', async () => {
    const items = Array.from({ length: 1001 }, (_, index) => `line\n${index}`);
    const { format, bytes, length, preview } = await kept('list[str]', items);
    expect({ format, length, preview }).toEqual({
      format: 'jsonl',
      length: 1001,
      preview: String.raw`['line\n0', 'line\n1', 'line\n2', ...]`,
    });
    expect(
      bytes
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line) as unknown),
    ).toEqual(items);
    expect(await kept('list[str]', ['x'.repeat(2_000_000)])).toMatchObject({ format: 'jsonl', length: 1 });
  });

  it('what is yielded, as it comes', async () => {
    const expected = { format: 'jsonl', bytes: '{"n":1}\n{"n":2}\n', length: 2, preview: "[{'n': 1}, {'n': 2}]" };
    const items = [{ n: 1 }, { n: 2 }];
    async function* asynchronous() {
      yield* items;
    }
    function* synchronous() {
      yield* items;
    }
    for (const value of [asynchronous(), synchronous(), new Set(items), Readable.from(items)]) {
      // oxlint-disable-next-line no-await-in-loop -- one after the other
      expect(await kept('list[{n: int}]', value)).toMatchObject(expected);
    }
    expect(await kept('Any', new Set([1]))).toMatchObject({ bytes: '1\n', type: 'list' });
    expect(await kept('tuple[str, ...]', new Set(['a']))).toMatchObject({ type: 'tuple', preview: "('a',)" });
  });

  it('bytes as the text they are, whatever they are', async () => {
    const bytes = Buffer.concat([Buffer.from('\uFEFFä😀'), Buffer.from([0xff, 0xe4, 0xb8])]);
    const [input] = await stored('text: str', { text: bytes });
    // A byte order mark is left out.
    expect(input).toMatchObject({
      format: 'text',
      size: bytes.length - 3,
      summary: { type: 'str', length: 5, preview: String.raw`'ä😀\udcff\udce4\udcb8'` },
    });
    expect(Buffer.from(await blobs.get(input?.ref ?? ''))).toEqual(bytes.subarray(3));
  });
});

describe('what is wrong is told before anything is written', () => {
  const refusal = (inputs: string, values: unknown): Promise<string> =>
    stored(inputs, values).then(
      () => 'nothing was wrong',
      (error: Error) => `${error.name}: ${error.message}`,
    );

  it('names', async () => {
    expect(await refusal('documents: list[str], question', { docments: [], question: 'why?' })).toBe(
      'Input.Invalid: there is no input docments; did you mean documents?\nthe input documents is missing\n' +
        "The signature's inputs: documents: list[str], question: str",
    );
    expect(await refusal('question', { question: undefined })).toContain('the input question is missing');
    expect(await refusal('question', ['why?'])).toContain('must be an object of values by name, not list of 1 item');
    expect(await refusal('', { question: 1 })).toContain('The signature has no inputs.');
  });

  it('types, all of them', async () => {
    expect(await refusal('a: list[str], b: int', { a: ['x', 1], b: '3' })).toBe(
      "Input.Invalid: a[1]: expected str, got int 1\nb: expected int, got str '3'",
    );
    expect(await refusal('a: str', { a: ['x'].values() })).toContain('a stream of values makes a list');
    expect(await refusal('a: list[int]', { a: [1, 'x'].values() })).toBe(
      "Input.Invalid: a[1]: expected int, got str 'x'",
    );
    expect(await refusal('a: list[str]', { a: Readable.from([Buffer.from('x')]) })).toContain('use file(path)');
    expect(await refusal('a: list[str]', { a: Buffer.from('x') })).toContain('give a list');
    expect(await refusal('a: list[str]', { a: new Map() })).toContain('expected list[str], got Map');
  });
});
