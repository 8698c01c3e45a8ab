import { expect, it } from 'vitest';
import { rowsOf } from '../../src/chart/rows-of.ts';

const SPEC = { x: 'chapter', y: 'wealth', series: 'character' };
const ROW = { chapter: 1, wealth: 3, character: 'Dantès' };

it('finds the field that is a list of dicts with the keys', () => {
  const fields = { summary: 'rich', notes: [{ chapter: 1 }], wealth_data: [ROW], numbers: [1, 2] };
  expect(rowsOf(fields, SPEC)).toEqual({ field: 'wealth_data', rows: [ROW], leftOut: 0 });
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
  expect(rowsOf({ data: [...odd, ROW] }, SPEC)).toEqual({ field: 'data', rows: [ROW], leftOut: 7 });
});

it('keeps rows that do not say their series', () => {
  const { rows, leftOut } = rowsOf({ data: [{ chapter: 1, wealth: 2 }, ROW] }, SPEC);
  expect(rows).toHaveLength(2);
  expect(leftOut).toBe(0);
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
    'no entry of data has numbers for both chapter and wealth. The first is {"chapter":"I","wealth":"much"}.',
  );
});
