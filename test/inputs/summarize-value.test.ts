import { describe, expect, it } from 'vitest';
import { parseType } from '../../src/domain/signature/notation.ts';
import { summarizeValue } from '../../src/domain/summarize-value.ts';
import { kernelViews } from './kernel-summary.ts';

const LONG = 'word "and" \'more\' ';

const VALUES: readonly unknown[] = [
  [null, true, false, 0, -0, 7, -12, 2 ** 53, 1e15, 1e16, 1e20, 1e21, 1.5, -0.1, 1e-4, 1e-5, 1.25e-7, 5e-324],
  [1.7976931348623157e308, 123456789.125, 0.1 + 0.2, 100, 1e22, 123e-20],
  ['', 'plain', "it's", 'say "x"', `both ' and "`, 'a\\b', 'tab\tnew\nret\r', '\u0000\u001f\u007f\u0080\u00a0\u00ad'],
  [
    'äöü ß',
    '漢字',
    '😀 smile',
    '\u2028\u200b\ufeff\u3000',
    '\ue000',
    '\u{e0001}',
    '\u{10ffff}',
    'e\u0301',
    '\ud800',
    'a\udc80b',
  ],
  ['x'.repeat(197), 'x'.repeat(198), 'x'.repeat(199), 'x'.repeat(200), 'x'.repeat(201), 'x'.repeat(5000)],
  ['\n'.repeat(99), '\n'.repeat(100), '\n'.repeat(150), '😀'.repeat(198), '😀'.repeat(300), LONG.repeat(30)],
  ["'".repeat(250), `${'a'.repeat(150)}'${'b'.repeat(150)}"`, '漢\n"\''.repeat(100)],
  [[], {}, [[]], [{}], [1], [1, 2, 3], [1, 2, 3, 4], ['a', null, true, 1.5]],
  [[[[[1]]]], [[[[]]]], { a: { b: { c: { d: 1 } } } }, { a: [{ b: [1] }] }, [{ a: [] }, { a: {} }]],
  [
    { b: 1, a: 2, '\u{1F600}': 3, '\uFFFD': 4, '': 5, A: 6, ä: 7, '10': 8, '9': 9 },
    { "it's": LONG.repeat(30), [LONG.repeat(30)]: 1 },
    Array.from({ length: 10 }, (_, index) => ({
      chapter: index,
      text: LONG.repeat(index * 10),
      tags: ['a', 'b', 'c', 'd'],
    })),
    Object.fromEntries(Array.from({ length: 20 }, (_, index) => [`key ${index}`, { value: 'v'.repeat(index * 20) }])),
  ],
].flat();

const TYPED: readonly (readonly [type: string, value: unknown])[] = [
  ['float', 3],
  ['int', 3],
  ['int', 1e21],
  ['int', '9'.repeat(30)],
  ['int', `-${'9'.repeat(60)}`],
  ['list[int]', ['12345678901234567890', 1]],
  ['list[float]', [1, 2.5, 1e16]],
  ['tuple[int, str]', [1, 'a']],
  ['tuple[int]', [1]],
  ['tuple[()]', []],
  ['tuple[float, ...]', [1, 2, 3, 4]],
  ['list[tuple[int, ...]]', [[1], [], [1, 2, 3, 4]]],
  ['tuple[tuple[tuple[tuple[int]]]]', [[[[1]]]]],
  ['dict[int, str]', { 10: 'a', 9: 'b', '-1': 'c' }],
  ['dict[float, int]', { 1: 1, '2.50': 2, '1e3': 3 }],
  ['dict[bool, int]', { true: 1, false: 0 }],
  ['dict[Literal[1, 2], float]', { 2: 1, 1: 1 }],
  ["Literal['a', 1]", 1],
  ["Literal['a', 1]", 'a'],
  ['str | None', null],
  ['str | None', 'a'],
  ['float | int', 3],
  ['float | None', 3],
  ['int | float', 3.5],
  ['list[str] | tuple[int, ...]', [1]],
  ['list[float | str]', [1, 'a', 2.5]],
  ['{a: float, b?: tuple[int, int], ...}', { a: 1, b: [1, 2], c: 3 }],
  ['list[{a: float}]', [{ a: 1 }]],
  ['Any', { a: [1, '12345678901234567890'] }],
];

describe('a value is summarized as the kernel does', () => {
  it('of every shape and type', async () => {
    const cases = [...VALUES.map((value) => ['Any', value] as const), ...TYPED];
    const views = await kernelViews(
      cases.map(([type, value]) => ({
        name: 'value',
        format: 'json',
        type: parseType(type),
        bytes: Buffer.from(JSON.stringify(value)),
      })),
    );
    const ours = cases.map(([type, value]) => ({ type, value, summary: summarizeValue(value, parseType(type)) }));
    expect(ours).toEqual(
      views.map((view, index) => ({
        type: cases[index]?.[0],
        value: cases[index]?.[1],
        summary: 'summary' in view ? view.summary : view,
      })),
    );
  });

  it('also of random texts and numbers', async () => {
    let seed = 7;
    const random = (below: number): number => {
      seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31;
      return seed % below;
    };
    // Blocks whose characters all Pythons since 3.9 know alike.
    const blocks = [0x20, 0x20, 0x20, 0x80, 0x3b1, 0x2010, 0x4e00, 0x1f600];
    const character = (): string => String.fromCodePoint((blocks[random(blocks.length)] ?? 0x20) + random(0x18));
    const values = Array.from({ length: 400 }, (_, index) =>
      index % 2 === 0
        ? Array.from({ length: random(300) }, character).join('')
        : Number(`${random(2) === 0 ? '-' : ''}${random(10 ** 9)}.${random(10 ** 6)}e${random(60) - 30}`),
    );
    const views = await kernelViews(
      values.map((value) => ({ name: 'value', format: 'json', bytes: Buffer.from(JSON.stringify(value)) })),
    );
    expect(values.map((value) => ({ summary: summarizeValue(value) }))).toEqual(
      views.map((view) => ('summary' in view ? { summary: view.summary } : view)),
    );
  });
});
