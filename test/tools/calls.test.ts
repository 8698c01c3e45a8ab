import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import * as mini from 'zod/mini';
import { tool, toolsOf, type ToolDefinition } from '../../src/tools/index.ts';

const NEVER = new AbortController().signal;

/** Calls a tool that returns, or throws, this. */
function returning(run: () => unknown, more: Partial<ToolDefinition> = {}): Promise<unknown> {
  const tools = toolsOf({ f: { description: 'D', parameters: z.object({}), run, ...more } });
  return tools.call('f', {}, NEVER);
}

describe('the result of a tool', () => {
  it.each<[string, unknown, unknown]>([
    ['nothing', undefined, null],
    ['undefined inside', { a: undefined, b: [undefined] }, { a: null, b: [null] }],
    ['a Date', { at: new Date(0) }, { at: '1970-01-01T00:00:00.000Z' }],
    ['a small BigInt', 12n, 12],
    ['a large BigInt', [2n ** 53n, -(2n ** 70n)], ['9007199254740992', '-1180591620717411303424']],
    ['an address', { url: new URL('http://host/a') }, { url: 'http://host/a' }],
    [
      'an object of a class',
      new (class Point {
        readonly x = 1;
      })(),
      { x: 1 },
    ],
    ['half a surrogate pair', 'a\ud800b 😀', 'a\\ud800b 😀'],
    ['a key of a prototype', JSON.parse('{"__proto__": 1}'), JSON.parse('{"__proto__": 1}')],
    ['the same object twice', ((o) => [o, o])({ a: 1 }), [{ a: 1 }, { a: 1 }]],
    ['nulls in lists', [[null, [null]], []], [[null, [null]], []]],
  ])('may be %s', async (_, value, expected) => {
    const result = await returning(() => value);
    expect(JSON.stringify(result)).toBe(JSON.stringify(expected));
  });

  it('may have 50 MB', async () => {
    const text = 'é'.repeat(25_000_000);
    expect(await returning(() => text)).toBe(text);
  });

  const cycle: Record<string, unknown> = {};
  cycle['a'] = { b: [cycle] };
  const deep = Array.from({ length: 101 }).reduce<unknown>((inner) => [inner], 1);

  it.each<[string, unknown, string]>([
    ['NaN', { a: [1, NaN] }, 'the result.a[1] is NaN, which JSON does not have; return null instead.'],
    ['a Map', { 'a b': new Map() }, 'the result["a b"] is a Map; return Object.fromEntries(map).'],
    ['a Set', new Set(), 'the result is a Set; return [...set].'],
    ['a Promise', [Promise.resolve(1)], 'the result[0] is a Promise; await it.'],
    ['an invalid Date', new Date(NaN), 'the result is an invalid Date; return null instead.'],
    ['bytes', Buffer.from('a'), 'the result holds bytes, which JSON does not have; return Buffer.from'],
    [
      'a generator',
      (function* generate() {
        yield 1;
      })(),
      'the result is an iterator or a stream; return an array',
    ],
    ['a function', { a: () => 1 }, 'the result.a is a function; return what JSON has.'],
    ['a cycle', cycle, 'the result.a.b[0] contains itself.'],
    ['what is nested too deeply', deep, 'is nested deeper than 100.'],
    ['more than 64 MB', ['x'.repeat(40_000_000), 'é'.repeat(20_000_000)], 'the result has more than 64 MB as JSON; '],
  ])('must not be %s', async (_, value, expected) => {
    await expect(returning(() => value)).rejects.toMatchObject({
      type: 'Tool.Refused',
      message: expect.stringContaining(expected),
    });
  });
});

describe('a tool that fails', () => {
  it.each<[string, unknown, string]>([
    ['an error', new Error('no such city:\n  Atlantis'), 'f: no such city: Atlantis'],
    [
      'an error with its cause',
      new Error('fetch failed', { cause: new Error('ECONNREFUSED') }),
      'f: fetch failed: ECONNREFUSED',
    ],
    ['an error without words', new RangeError(), 'f: RangeError'],
    ['a text', 'gone', 'f: gone'],
    ['nothing', undefined, 'f: it threw nothing that says why'],
  ])('says why in one line: %s', async (_, thrown, message) => {
    const failing = returning(() => {
      throw thrown;
    });
    await expect(failing).rejects.toMatchObject({ type: 'Tool.Failed', message });
  });

  it('is aborted at the end of its time, whether it heeds that or not', async () => {
    const { promise, resolve } = Promise.withResolvers<unknown>();
    const heeding = returning(() => Promise.reject(new Error('not reached')), {});
    await expect(heeding).rejects.toMatchObject({ message: 'f: not reached' });
    const tools = toolsOf({
      deaf: {
        description: 'D',
        parameters: z.object({}),
        timeout: 0.05,
        run(_, { signal }) {
          signal.addEventListener('abort', () => resolve(signal.reason));
          return new Promise(() => {});
        },
      },
    });
    const message = 'deaf has no result after 0.05 s, the time it has for a call.';
    await expect(tools.call('deaf', {}, NEVER)).rejects.toMatchObject({ type: 'Tool.Failed', message });
    expect(await promise).toMatchObject({ message });
  });

  it('is aborted with its run', async () => {
    const cancelled = new Error('cancelled');
    const ending = new AbortController();
    const tools = toolsOf({
      f: { description: 'D', parameters: z.object({}), run: () => new Promise(() => ending.abort(cancelled)) },
    });
    await expect(tools.call('f', {}, ending.signal)).rejects.toBe(cancelled);
    await expect(tools.call('f', {}, ending.signal)).rejects.toBe(cancelled);
  });
});

describe('the arguments of a tool', () => {
  const tools = toolsOf({
    book: tool({
      description: 'Books.',
      parameters: z.object({
        'from-city': z.string(),
        seats: z.array(z.object({ row: z.int().max(30) })).default([]),
        vip: z.boolean().optional(),
        large: z.coerce.bigint().optional(),
      }),
      run: (args) => args,
    }),
    small: tool({
      description: 'Of zod/mini.',
      parameters: mini.object({ n: mini.optional(mini.number()) }),
      run: ({ n = 0 }) => n + 1,
    }),
  });

  it('arrive as the schema makes them', async () => {
    const args = { from_city: '\\ud800 ✈', vip: null, large: '9007199254740993' };
    expect(await tools.call('book', args, NEVER)).toEqual({
      'from-city': '\\ud800 ✈',
      seats: [],
      large: '9007199254740993',
    });
    expect(await tools.call('small', { n: 2 }, NEVER)).toBe(3);
  });

  it('are refused with every field and its problem, before it runs', async () => {
    const args = { seats: [{ row: 1 }, { row: 31 }], vip: 'yes' };
    await expect(tools.call('book', args, NEVER)).rejects.toMatchObject({
      type: 'Input.Invalid',
      message: [
        'book:',
        'from_city: Invalid input: expected string, and it is missing',
        'seats[1].row: Too big: expected number to be <=30',
        'vip: Invalid input: expected boolean, received string',
      ].join('\n'),
    });
    await expect(tools.call('small', { n: 'x' }, NEVER)).rejects.toMatchObject({
      type: 'Input.Invalid',
      message: 'small: n: Invalid input: expected number, received string',
    });
  });

  it('are not looked at where there is no such tool', async () => {
    const message = expect.stringContaining('This worker has no tool called other: start it with the same tools');
    await expect(tools.call('other', {}, NEVER)).rejects.toMatchObject({ type: 'Input.Invalid', message });
  });

  it('of tools with names that cannot be are refused at once', () => {
    const definition = { description: 'D', parameters: z.object({}), run: () => 1 };
    expect(() => toolsOf({ print: definition })).toThrow('The tool `print` is the name of a function');
    expect(() => toolsOf({ f: { ...definition, description: '' } })).toThrow('The tool `f` has no description');
  });
});
