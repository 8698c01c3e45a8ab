import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { InputVariable } from '../../src/domain/kernel-protocol.ts';
import { checkInputs, type Checked } from '../../src/domain/signature/check-value.ts';
import { parseType } from '../../src/domain/signature/notation.ts';
import { sendInputs } from '../../src/sandbox/send-inputs.ts';
import { sizedCases } from '../sizes.ts';
import { KernelUnderTest } from './kernel-under-test.ts';

let under: KernelUnderTest;

beforeEach(async () => {
  under = await KernelUnderTest.start({ setup: false });
});

afterEach(async () => {
  await under.stop();
  expect(under.complaints).toBe('');
});

type Content = string | Uint8Array | readonly (string | Uint8Array)[];

interface Input {
  readonly format: InputVariable['format'];
  readonly type?: string;
  readonly content: Content;
}

function declared(inputs: Readonly<Record<string, Input>>): InputVariable[] {
  return Object.entries(inputs).map(([name, { format, type }]) => ({
    name,
    format,
    ...(type === undefined ? {} : { type: parseType(type) }),
  }));
}

async function send(inputs: Readonly<Record<string, Input>>): Promise<void> {
  const variables = declared(inputs);
  const info = await under.setup({}, [], { inputs: variables });
  await sendInputs(under.kernel, info, variables, ({ name }) => parts(inputs[name]?.content ?? ''));
}

async function* parts(content: Content): AsyncGenerator<Uint8Array> {
  const list = typeof content === 'string' || content instanceof Uint8Array ? [content] : content;
  for (const part of list) yield typeof part === 'string' ? Buffer.from(part) : part;
}

/** One request for each byte. */
async function sendBytes(input: number, bytes: Uint8Array): Promise<void> {
  for (let offset = 0; offset < bytes.length; offset += 1) {
    const last = offset === bytes.length - 1;
    // oxlint-disable-next-line no-await-in-loop -- one after the other
    await under.kernel.input({ generation: 0, input, offset, last, bytes: bytes.subarray(offset, offset + 1) });
  }
}

function checkedValues(checked: Checked): Readonly<Record<string, unknown>> {
  return checked.ok ? checked.values : {};
}

async function shown(expression: string): Promise<string> {
  const result = await under.run(`print((${expression}))`);
  return result.stdout + (result.error ?? '');
}

describe('inputs become variables', () => {
  it('of every format, with their types', async () => {
    await send({
      text: { format: 'text', content: 'ä\r\nb\u2028c' },
      value: {
        format: 'json',
        content: ` {"big": ${'9'.repeat(30)}, "list": [1, 1.0, null, true, "\\ud83d\\ude00"]} \n`,
      },
      lines: { format: 'jsonl', content: '{"a": 1}\n\n[2]\r\n"three"' },
      empty: { format: 'jsonl', content: '' },
      nothing: { format: 'text', content: '' },
    });
    expect(await shown('repr(text), value, lines')).toBe(
      `("'ä\\\\r\\\\nb\\\\u2028c'", {'big': ${'9'.repeat(30)}, 'list': [1, 1.0, None, True, '😀']}, [{'a': 1}, [2], 'three'])\n`,
    );
    expect(await shown('empty, repr(nothing)')).toBe(`([], "''")\n`);
  });

  it('as the signature types them', async () => {
    const inputs = [{ name: 'large', type: parseType('list[int]') }];
    const { large: checked } = checkedValues(checkInputs({ inputs }, { large: [7, 2n ** 64n] }));
    await send({
      pairs: { format: 'json', type: 'list[tuple[int, str]]', content: '[[1, "a"], [2, "b"]]' },
      counts: { format: 'json', type: 'dict[int, float]', content: '{"1": 2, "-3": 4.5}' },
      rows: {
        format: 'jsonl',
        type: 'list[{n: int, x: float | None, ok: bool}]',
        content: '{"n": 1, "x": 2, "ok": true}\n{"n": 2, "x": null, "ok": false}\n',
      },
      maybe: { format: 'json', type: 'str | None', content: 'null' },
      choice: { format: 'json', type: "Literal['a', 'b']", content: '"b"' },
      ends: { format: 'json', type: 'tuple[int, ...]', content: '[1, 2]' },
      large: { format: 'json', type: 'list[int]', content: JSON.stringify(checked) },
    });
    expect(await shown('pairs, counts, maybe, choice, ends, large')).toBe(
      "([(1, 'a'), (2, 'b')], {1: 2.0, -3: 4.5}, None, 'b', (1, 2), [7, 18446744073709551616])\n",
    );
    expect(await shown('rows')).toBe("[{'n': 1, 'x': 2.0, 'ok': True}, {'n': 2, 'x': None, 'ok': False}]\n");
  });

  it('bytes that are not UTF-8 stay what they are', async () => {
    await send({
      text: { format: 'text', content: Buffer.from([0x61, 0xff, 0xc3]) },
      rows: { format: 'jsonl', type: 'list[dict]', content: String.raw`{"\udcff": "\udcc3"}` },
      row: { format: 'json', type: '{a: int, ...}', content: String.raw`{"a": 1, "\udcff": "\udcc3"}` },
      counts: { format: 'json', type: 'dict[str, int]', content: String.raw`{"\udcff": 1, "\\udcff": 2}` },
    });
    expect(await shown('text.encode("utf-8", "surrogateescape")')).toBe("b'a\\xff\\xc3'\n");
    expect(await shown('rows == [{"\\udcff": "\\udcc3"}], row == {"a": 1, "\\udcff": "\\udcc3"}, len(counts)')).toBe(
      '(True, True, 2)\n',
    );
  });

  const AWKWARD = 'äöü😀'.repeat(3);
  it('wherever their pieces are cut', async () => {
    const cases: readonly (readonly [InputVariable['format'], string, string])[] = [
      ['text', AWKWARD, `'${AWKWARD}'`],
      [
        'json',
        '[12, {"key": "v\\u00e4\\\\", "n": -1.5e3}, [], true]',
        "[12, {'key': 'vä\\\\', 'n': -1500.0}, [], True]",
      ],
      ['json', '{"a" : 1 , "b":[2], "ä": {}}', "{'a': 1, 'b': [2], 'ä': {}}"],
      ['json', ' -12.25 ', '-12.25'],
      ['jsonl', '{"a": "ä"}\n[1,\t2]\n', "[{'a': 'ä'}, [1, 2]]"],
      ['json', '[0.25, 1e-05, -1.5E+3, 10, -0]', '[0.25, 1e-05, -1500.0, 10, 0]'],
      ['json', '{"n": 1e-7}', "{'n': 1e-07}"],
    ];
    await under.setup({}, [], { inputs: cases.map(([format], index) => ({ name: `value_${index}`, format })) });
    for (const [index, [, content]] of cases.entries()) {
      // oxlint-disable-next-line no-await-in-loop -- one after the other
      await sendBytes(index, Buffer.from(content));
    }
    const expected = cases.map(([, , value]) => value);
    expect(await shown(cases.map((_, index) => `value_${index}`).join(', '))).toBe(`(${expected.join(', ')})\n`);
  });

  it.each(
    sizedCases(
      ['0.25', '1.5e10', '"\\u00e4"'],
      [
        ['0.25', '.25'],
        ['1e-05', '-05'],
        ['1e-05', 'e-05'],
        ['12.5E+3', '+3'],
        ['100', '00'],
        ['-7', '7'],
        ['1.5e10', '0'],
        ['true', 'ue'],
        ['"\\u00e4"', 'e4"'],
      ],
    ),
  )('with the boundary of a piece of 4 MiB inside %s, before %s', async (value, rest) => {
    const begun = value.slice(0, value.length - rest.length);
    const blanks = ' '.repeat(4 * 1024 * 1024 - 1 - begun.length);
    const json = `[${blanks}${Array.from({ length: 2000 }, () => value).join(', ')}]`;
    expect(json.slice(4 * 1024 * 1024).startsWith(rest)).toBe(true);
    await send({ numbers: { format: 'json', content: json } });
    expect(await shown(`len(numbers), set(numbers) == {${value.replace('true', 'True')}}`)).toBe('(2000, True)\n');
  });

  it('larger than a piece, several of them', async () => {
    const documents = Array.from({ length: 1200 }, (_, index) => `${index} ${'ä"\n'.repeat(1000)}`);
    const json = Buffer.from(JSON.stringify(documents));
    await send({
      documents: { format: 'json', type: 'list[str]', content: json },
      lines: { format: 'jsonl', content: documents.map((text) => `${JSON.stringify({ text })}\n`) },
      text: { format: 'text', content: documents },
    });
    expect(
      await shown('len(documents), [line["text"] for line in lines] == documents, text == "".join(documents)'),
    ).toBe('(1200, True, True)\n');
  });
});

describe('what is wrong with an input is told', () => {
  it('with its place, and the sandbox continues', async () => {
    const cases: readonly (readonly [InputVariable['format'], string | undefined, string, string])[] = [
      ['json', undefined, '[1, 2', 'it is not JSON: , or ] is missing, at character 6'],
      ['json', undefined, '[1, 2]]', 'there is more after the end of the JSON value, at character 7'],
      ['json', undefined, '{"a": nope}', 'it is not JSON: Expecting value, at character 7'],
      ['json', undefined, '{"a" 1}', 'it is not JSON: : is missing, at character 6'],
      ['json', undefined, '{a: 1}', 'it is not JSON: a key in quotes is missing, at character 2'],
      ['json', undefined, '["abc', 'it is not JSON: Unterminated string starting at, at character 2'],
      ['json', undefined, '[NaN]', 'it is not JSON: NaN is not JSON'],
      ['json', undefined, '[1e999]', 'it is not JSON: the number 1e999 is out of range'],
      ['json', undefined, '', 'it is not JSON: Expecting value, at character 1'],
      ['json', undefined, '['.repeat(100_000), 'the JSON is nested too deeply'],
      ['json', 'list[str]', '["a", 1]', 'value[1]: expected str, got int 1'],
      ['json', 'list[str]', '{"a": 1}', "value: expected list[str], got dict with the key 'a'"],
      ['jsonl', undefined, '1\n{\n', 'line 2 is not JSON: Expecting property name enclosed in double quotes'],
      ['jsonl', 'list[int]', '1\n"x"\n', "value[1]: expected int, got str 'x'"],
      ['text', 'int', '3', "value: expected int, got str '3'"],
    ];
    const inputs = declared(
      Object.fromEntries(
        cases.map(([format, type, content], index) => [
          `v${index}`,
          { format, content, ...(type === undefined ? {} : { type }) },
        ]),
      ),
    );
    await under.setup({}, [], { inputs });
    const refusals: string[] = [];
    for (const [input, [, , content]] of cases.entries()) {
      const piece = { generation: 0, input, offset: 0, last: true, bytes: Buffer.from(content) };
      // oxlint-disable-next-line no-await-in-loop -- one after the other
      refusals.push(await under.kernel.input(piece).then(String, ({ message }: Error) => message));
    }
    expect(
      refusals.map((message) => message.replace(/^The kernel refused: the input \w+ cannot be loaded: /, '')),
    ).toEqual(cases.map(([, , , expected], index) => expect.stringContaining(expected.replace(/^value/, `v${index}`))));
    expect(await under.kernel.info()).toMatchObject({ missing: inputs.map(({ name }) => name), restarts: 0 });
  });
});

describe('the pieces of an input', () => {
  const inputs: readonly InputVariable[] = [
    { name: 'first', format: 'text' },
    { name: 'second', format: 'json' },
  ];

  beforeEach(async () => {
    await under.setup({}, [], { inputs });
  });

  const piece = (input: number, offset: number, text: string, last = false, generation = 0) =>
    under.kernel.input({ generation, input, offset, last, bytes: Buffer.from(text) });

  it('may be sent twice, and all of them again', async () => {
    expect(await piece(0, 0, 'abc')).toEqual({ received: 3, loaded: false });
    expect(await piece(0, 0, 'abc')).toEqual({ received: 3, loaded: false });
    expect(await piece(0, 2, 'cd')).toEqual({ received: 4, loaded: false });
    expect(await piece(0, 0, 'abcdef')).toEqual({ received: 6, loaded: false });
    const loaded = { received: 6, loaded: true };
    expect(await piece(0, 6, '', true)).toEqual(loaded);
    expect(await piece(0, 0, 'abc')).toEqual(loaded);
    expect(await under.kernel.info()).toMatchObject({ missing: ['second'] });
    await piece(1, 0, '7', true);
    expect(await shown('first, second')).toBe("('abcdef', 7)\n");
  });

  it('are refused where they do not fit', async () => {
    const diverged = { type: 'Sandbox.Diverged' };
    await expect(piece(0, 1, 'b')).rejects.toMatchObject(diverged);
    await piece(0, 0, 'abc');
    await expect(piece(0, 4, 'e')).rejects.toMatchObject(diverged);
    await expect(piece(1, 0, '1')).rejects.toMatchObject(diverged);
    await expect(piece(0, 0, 'a', true)).rejects.toMatchObject(diverged);
    await expect(piece(0, 3, 'd', true, 1)).rejects.toMatchObject(diverged);
    await expect(piece(2, 0, '')).rejects.toMatchObject({ type: 'Input.Invalid' });
    await expect(under.exec('1', { block: 1 })).rejects.toMatchObject({
      ...diverged,
      message: expect.stringContaining('inputs are not loaded: first, second'),
    });
    await piece(0, 3, 'd', true);
    await piece(1, 0, '1', true);
    expect((await under.run('print(first)', { block: 1 })).stdout).toBe('abcd\n');
  });

  it('of two senders at once make one variable', async () => {
    const content = ['a'.repeat(5_000_000), 'b'.repeat(5_000_000)];
    const open = ({ name }: InputVariable) => parts(name === 'first' ? content : '[1]');
    const info = await under.kernel.info();
    await Promise.all([1, 2, 3].map(() => sendInputs(under.kernel, info, inputs, open)));
    expect(await shown('len(first), first[5_000_000], second')).toBe("(10000000, 'b', [1])\n");
  });

  it('are wanted again after the REPL died', async () => {
    const open = () => parts('[1]');
    await sendInputs(under.kernel, await under.kernel.info(), inputs, open);
    expect(await under.run('import os\nos._exit(1)')).toMatchObject({ status: 'crashed' });
    const info = await under.kernel.info();
    expect(info).toMatchObject({ missing: ['first', 'second'], restarts: 1 });
    await expect(under.exec('1', { block: 2 })).rejects.toMatchObject({ type: 'Sandbox.Diverged' });
    await sendInputs(under.kernel, info, inputs, open);
    expect(await under.kernel.info()).not.toHaveProperty('missing');
    expect((await under.run('print(second)', { block: 2 })).stdout).toBe('[1]\n');
  });
});

it('an input that needs more memory than the sandbox has is refused, and the sandbox continues', async () => {
  const small = await KernelUnderTest.start({ memoryMb: 64, setup: false });
  try {
    const inputs: readonly InputVariable[] = [{ name: 'text', format: 'text' }];
    const info = await small.setup({}, [], { inputs });
    const mebibyte = Buffer.alloc(1024 * 1024, 'x');
    const large = async function* (): AsyncGenerator<Uint8Array> {
      for (let count = 0; count < 400; count += 1) yield mebibyte;
    };
    await expect(sendInputs(small.kernel, info, inputs, large)).rejects.toMatchObject({
      type: 'Input.Invalid',
      message: expect.stringContaining('the inputs need more memory than the sandbox has'),
    });
    await sendInputs(small.kernel, await small.kernel.info(), inputs, () => parts('short'));
    expect((await small.run('print(text)')).stdout).toBe('short\n');
  } finally {
    await small.stop();
    expect(small.complaints).toBe('');
  }
}, 120_000);
