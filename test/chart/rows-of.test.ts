import { expect, it } from 'vitest';
import { rowsOf } from '../../src/chart/rows-of.ts';

const SPEC = { x: 'chapter', y: 'wealth', series: 'character' };
const ROW = { chapter: 1, wealth: 3, character: 'Dantès' };

it('finds the field that is a list of dicts with the keys', () => {
  const fields = { summary: 'rich', notes: [{ chapter: 1 }], wealth_data: [ROW], numbers: [1, 2] };
  expect(rowsOf(fields, SPEC)).toEqual({ field: 'wealth_data', rows: [ROW], scale: 'numbers', skipped: 0 });
});

it('leaves out and counts what has no number for x or y', () => {
  const odd = [
    { ...ROW, wealth: '3' },
    { ...ROW, wealth: null },
    { ...ROW, chapter: Number.NaN },
    { wealth: 3 },
    'nonsense',
    null,
    [ROW],
  ];
  expect(rowsOf({ data: [...odd, ROW] }, SPEC)).toEqual({ field: 'data', rows: [ROW], scale: 'numbers', skipped: 7 });
});

it('keeps rows that do not say their series', () => {
  const { rows, skipped } = rowsOf({ data: [{ chapter: 1, wealth: 2 }, ROW] }, SPEC);
  expect(rows).toHaveLength(2);
  expect(skipped).toBe(0);
});

it('names the fields and keys that there are when none fits', () => {
  const fields = {
    answer: 'x',
    count: 3,
    none: null,
    list: [1],
    empty: [],
    one: {},
    data: [{ chapter: 1, riches: 2 }],
  };
  expect(() => rowsOf(fields, SPEC)).toThrow(
    'No output field is a list of dicts with the keys "chapter", "wealth", "character". There are answer (a string); ' +
      'count (a number); none (nothing); list (a list without dicts); empty (an empty list); one (a dict); ' +
      'data (keys chapter, riches). Name keys that there are',
  );
  expect(() => rowsOf({}, SPEC)).toThrow('There are no fields at all');
  expect(() => rowsOf({ answer: 1 }, SPEC)).toThrow(expect.objectContaining({ type: 'Input.Invalid' }));
});

it('says so when the values under the keys are no numbers, and shows one', () => {
  expect(() => rowsOf({ data: [{ chapter: 'I', wealth: 'much' }] }, { x: 'chapter', y: 'wealth' })).toThrow(
    'no entry of data has a number or a date such as 2024-05-17 for chapter, and a number for wealth. ' +
      'The first is {"chapter":"I","wealth":"much"}.',
  );
});

it.each([
  [['2024-01', '2024-02-01', '2024-03-01T12:00:00+01:00', '2025'], 'dates', 0],
  [['2024-01', '2024-02', 'soon', null, '2024-02-31', 3], 'dates', 4],
  [[1, 2, '2024-01'], 'numbers', 1],
  [[2023, 2024, '2024'], 'numbers', 1],
  [[1, '2024-01'], 'numbers', 1],
])('along x lie numbers or dates, whatever are more: %j', (values, scale, skipped) => {
  const data = values.map((when) => ({ when, n: 1 }));
  const found = rowsOf({ data }, { x: 'when', y: 'n' });
  expect(found).toMatchObject({ scale, skipped });
  expect(found.rows).toHaveLength(values.length - skipped);
});

it('a date is no number for y', () => {
  expect(() => rowsOf({ data: [{ a: 1, b: '2024-01' }] }, { x: 'a', y: 'b' })).toThrow('and a number for b. The first');
  expect(() => rowsOf({ data: [{ b: '2024-01' }] }, { x: 'b', y: 'b' })).toThrow('has a number for b. The first');
});
