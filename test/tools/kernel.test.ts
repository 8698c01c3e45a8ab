import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import type { BlockResult } from '../../src/domain/kernel-protocol.ts';
import { tool, toolsOf } from '../../src/tools/index.ts';
import { KernelUnderTest } from '../kernel/kernel-under-test.ts';

const seen: unknown[] = [];

const tools = toolsOf({
  echo: tool({
    description: 'Gives back what it is given.',
    parameters: z.object({ value: z.any().describe('Anything.'), note: z.string().optional() }),
    run(args) {
      seen.push(args);
      return args.value;
    },
  }),
  awkward: tool({
    description: 'Returns awkward values.',
    parameters: z.object({}),
    run: () => ({ none: undefined, big: 2n ** 64n, at: new Date(0), half: '\udc80', face: '😀', empty: [[], {}] }),
  }),
  weather: tool({
    description: 'Tells the weather.',
    parameters: z.object({
      city: z.string().describe('Its name.'),
      days: z.int().default(3),
      near: z.object({ lat: z.number() }).optional(),
    }),
    run: ({ city }) => `sunny in ${city}`,
  }),
});

/** Tools as Python functions of a real kernel. */
describe('a tool in the sandbox', () => {
  let under: KernelUnderTest;

  beforeAll(async () => {
    const functions = tools.descriptions.map(({ name, doc, parameters }) => ({ name, doc, parameters }));
    under = await KernelUnderTest.start({ functions });
  });

  afterAll(async () => {
    await under.stop();
    expect(under.complaints).toBe('');
  });

  async function run(code: string): Promise<BlockResult> {
    await under.exec(code);
    for (let after = 0; ;) {
      // oxlint-disable-next-line no-await-in-loop -- each poll continues the one before
      const reply = await under.events(after);
      after = reply.cursor;
      for (const event of reply.events) {
        if (event.type === 'done') return event.result;
        // oxlint-disable-next-line no-await-in-loop
        const value = await tools.call(event.function, event.arguments, new AbortController().signal).catch(String);
        // oxlint-disable-next-line no-await-in-loop
        await under.answer({ [event.call]: value });
      }
    }
  }

  async function printed(code: string): Promise<string> {
    const { stdout, error } = await run(code);
    return stdout + (error ?? '');
  }

  it('has signature, docstring and help', async () => {
    expect(await printed('import inspect\nprint(inspect.signature(weather))\nprint(weather.__doc__)')).toBe(
      '(city: str, days: int = 3, near: dict | None = None)\nTells the weather.\n\nArgs:\n    city: Its name.\n    near: Type: {lat: float}\n',
    );
    expect(await printed('print(weather("Bern"), weather(days=1, city="Ulm", near=None))')).toBe(
      'sunny in Bern sunny in Ulm\n',
    );
  });

  it.each<[string, string, unknown]>([
    ['text', '"✈ \\U0001f600 \\x00"', '✈ 😀 \0'],
    ['half a surrogate pair', '"\\udc80"', '\\udc80'],
    ['None inside', '[None, {"a": [None]}]', [null, { a: [null] }]],
    ['an int beyond 2^53', '2**60', '1152921504606846976'],
    ['tuples', '((1, 2), ())', [[1, 2], []]],
    ['a date', '__import__("datetime").datetime(2026, 11, 21, 6, 30)', '2026-11-21T06:30:00'],
    ['a dataclass', '__import__("dataclasses").make_dataclass("P", ["x", "y"])(1, None)', { x: 1, y: null }],
    ['keys that are no text', '{1: "a", True: "b", None: 0}', { '1': 'b', null: 0 }],
    ['None itself', 'None', null],
  ])('takes %s', async (_, code, expected) => {
    seen.length = 0;
    expect(await printed(`_ = echo(${code})`)).toBe('');
    expect(seen).toEqual([{ value: expected }]);
  });

  it('takes and returns 50 MB', async () => {
    expect(await printed('text = "é" * 25_000_000\nprint(echo(text) == text)')).toBe('True\n');
  });

  it.each([
    ['bytes', 'echo(b"a")', 'TypeError: echo: value: expected Any, got bytes; JSON has no bytes'],
    ['NaN', 'echo([float("nan")])', 'ValueError: echo: value[0]: nan is not a number in JSON'],
    ['a name it does not have', 'echo(1, other=2)', "TypeError: echo() got an unexpected keyword argument 'other'"],
  ])('refuses %s before the call', async (_, code, expected) => {
    expect(await printed(code)).toContain(expected);
  });

  it('returns awkward values as Python has them', async () => {
    expect(await printed('print(awkward())')).toBe(
      "{'none': None, 'big': '18446744073709551616', 'at': '1970-01-01T00:00:00.000Z', 'half': '\\\\udc80', 'face': '😀', 'empty': [[], {}]}\n",
    );
  });

  it('refuses what its schema refuses', async () => {
    expect(await printed('print(weather(3, days="x"))')).toBe(
      'Input.Invalid: weather:\ncity: Invalid input: expected string, received number\ndays: Invalid input: expected number, received string\n',
    );
  });
});
