import { describe, expect, it } from 'vitest';
import { checkInputs, checkOutputs, describeProblems } from '../../src/domain/signature/check-value.ts';
import { parseSignature, parseType } from '../../src/domain/signature/notation.ts';

function check(type: string, value: unknown): unknown {
  const checked = checkOutputs({ outputs: [{ name: 'v', type: parseType(type) }] }, { v: value });
  return checked.ok ? checked.values['v'] : describeProblems(checked.problems);
}

describe('the values of fields', () => {
  it.each<[string, unknown, unknown]>([
    ['str', 'ü 😀', 'ü 😀'],
    ['str', '\ud800 half', '\\ud800 half'],
    ['int', 3, 3],
    ['int', 10n, 10],
    ['int', 2n ** 64n, '18446744073709551616'],
    ['int', '18446744073709551616', '18446744073709551616'],
    ['int', 1e22, '10000000000000000000000'],
    ['float', 3, 3],
    ['float', 2n ** 60n, 2 ** 60],
    ['bool', false, false],
    ['None', null, null],
    ['Any', { a: [1, null, { b: 'x' }], big: 2n ** 53n }, { a: [1, null, { b: 'x' }], big: '9007199254740992' }],
    ['list[int]', [], []],
    ['tuple[int, str]', [1, 'a'], [1, 'a']],
    ['tuple[int, ...]', [1, 2], [1, 2]],
    ['dict[int, float]', { '1': 2, '-30': 0.5 }, { '1': 2, '-30': 0.5 }],
    ['dict[float, int]', { '1e+16': 1, '-0.5': 2 }, { '1e+16': 1, '-0.5': 2 }],
    ["dict[Literal['a', 1, True], int]", { a: 1, '1': 2, true: 3 }, { a: 1, '1': 2, true: 3 }],
    ['{a: int, b?: str}', { a: 1 }, { a: 1 }],
    ['{a: int, ...}', { a: 1, c: [] }, { a: 1, c: [] }],
    ['int | str | None', 'x', 'x'],
    ['float | int', '9007199254740993', '9007199254740993'],
    ['list[int] | dict[str, int]', { a: 1 }, { a: 1 }],
    ['{__proto__: int}', JSON.parse('{"__proto__": 1}'), JSON.parse('{"__proto__": 1}')],
  ])('%s takes (%#)', (type, value, expected) => {
    expect(check(type, value)).toEqual(expected);
  });

  it.each<[string, unknown, string]>([
    ['str', 42, 'v: expected str, got int 42'],
    ['str', null, 'v: expected str, got None'],
    [
      'int',
      "it's 'quoted' and long enough to be cut after forty",
      `v: expected int, got str "it's 'quoted' and long enough to be cut ..."`,
    ],
    ['int', '3', "v: expected int, got str '3'"],
    ['int', '9007199254740991', "v: expected int, got str '9007199254740991'"],
    ['int', 3.5, 'v: expected int, got float 3.5'],
    ['int', true, 'v: expected int, got bool True'],
    ['float', Number.NaN, 'v: expected float, got float nan'],
    ['float', '1.5', "v: expected float, got str '1.5'"],
    ['Any', [1, Number.POSITIVE_INFINITY], 'v[1]: expected Any, got float inf'],
    ['Any', { a: undefined, b: () => 1 }, 'v.b: expected Any, got function'],
    ['Any', new Date(0), 'v: expected Any, got Date'],
    ['list[{amount: float}]', [{ amount: 1 }, { amount: 'much' }], "v[1].amount: expected float, got str 'much'"],
    [
      '{chapter: int}',
      { chaptr: 1 },
      'v.chapter: is missing; expected int\nv.chaptr: there is no such key; did you mean chapter?',
    ],
    ['tuple[int, str]', [1], 'v: expected tuple[int, str], got list of 1 item'],
    ['dict[int, str]', { one: 'x' }, "v.one: expected a key of type int, got str 'one'"],
    ['dict[str, int]', { 'odd key': 'x' }, "v['odd key']: expected int, got str 'x'"],
    ["Literal['yes', 1]", true, "v: expected Literal['yes', 1], got bool True"],
    ['list[int] | None', [1, 'x'], "v[1]: expected int, got str 'x'"],
    ['int | None', [], 'v: expected int | None, got list of 0 items'],
  ])('%s does not take (%#)', (type, value, expected) => {
    expect(check(type, value)).toBe(expected);
  });

  it('nested too deeply, or too many mistakes to list', () => {
    let deep: unknown = 1;
    for (let depth = 0; depth < 150; depth += 1) deep = [deep];
    expect(check('Any', deep)).toMatch(/expected Any, got something nested deeper than 100$/);
    const lines = String(
      check(
        'list[int]',
        Array.from({ length: 30 }, () => 'x'),
      ),
    ).split('\n');
    expect([lines.length, lines.at(-1)]).toEqual([21, '... and 10 more']);
  });

  it('all fields, and no others', () => {
    const signature = parseSignature('docs: list[str] -> answer: str, score: float');
    expect(checkOutputs(signature, { answer: 'a', scor: 1 })).toEqual({
      ok: false,
      problems: [
        {
          field: 'score',
          path: 'score',
          expected: 'float',
          got: 'nothing',
          message: 'score: is missing; expected float',
        },
        {
          field: 'scor',
          path: 'scor',
          expected: 'nothing',
          got: 'a value',
          message: 'scor: there is no such field; did you mean score?',
        },
      ],
    });
    expect(checkOutputs(signature, 'text')).toMatchObject({
      problems: [{ message: "expected the fields answer, score, got str 'text'" }],
    });
    expect(checkInputs(signature, { docs: ['a', 7] })).toMatchObject({
      problems: [{ field: 'docs', path: 'docs[1]', message: 'docs[1]: expected str, got int 7' }],
    });
  });
});
