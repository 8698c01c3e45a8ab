import { expect, it } from 'vitest';
import { entriesOf, objectOf, parseJson, stringifyJson } from '../../src/domain/ordered-json.ts';
import { checkOutputs } from '../../src/domain/signature/check-value.ts';
import { parseSignature } from '../../src/domain/signature/notation.ts';

it.each([
  '{"2023":1,"2021":2,"2022":3}',
  '{"b":{"10":[{"9":0,"1":0}],"2":null},"a":1}',
  '[{"3":1},{"2":{"1":1,"0":1}}]',
  '{"0":1}',
  '{"x":1,"1":2,"y":3,"0":4}',
  '{"01":1,"1":2,"0":3,"-1":4,"1.5":5}',
  '{"99999999999":1,"4294967295":2,"3":3}',
  '{"__proto__":1,"1":2,"0":3}',
  String.raw`{"2":"\"1\": \"0\":","1":"2\":"}`,
  '{"":1,"2":"1","1":"2"}',
  '{"toJSON":1,"2":"1","1":[{},[]]}',
  String.raw`{"x\"5":1,"7":2,"\"3":{"\\":0,"4":1},"2\"":1}`,
  // What looks like a mark of ours is left alone.
  '{"2":"\u{E000}#1","1":"x"}',
  '"x"',
  '12',
  'null',
  '[]',
])('%s is written as it was read', (text) => {
  const value = parseJson(text);
  expect(value).toEqual(JSON.parse(text));
  if (!text.includes('\u{E000}')) expect(stringifyJson(value)).toBe(text);
  expect(JSON.parse(stringifyJson(value, 2))).toEqual(JSON.parse(text));
});

it('is indented as JSON.stringify does it', () => {
  expect(stringifyJson(parseJson('{"2": {"b": 1}, "1": []}'), 2)).toBe('{\n  "2": {\n    "b": 1\n  },\n  "1": []\n}');
  expect(stringifyJson(undefined)).toBe('null');
  const odd = { date: new Date(0), nothing: undefined, list: [undefined, Number.NaN], empty: [{}, []] };
  for (const indent of [undefined, 2]) {
    const written = JSON.stringify({ ...odd, inner: { '1': odd } }, undefined, indent);
    expect(stringifyJson({ ...odd, inner: { '1': odd } }, indent)).toBe(written);
  }
});

it('reads what it says itself, spaces or none', () => {
  expect(entriesOf(parseJson('{ "7" : 1 ,\n"5"\t:\n2 }') as Record<string, number>)).toEqual([
    ['7', 1],
    ['5', 2],
  ]);
});

it.each(['{"2":1,}', '{"1":', '"1":2', '', '{1:2}'])('refuses %j with the words of JSON.parse', (text) => {
  const told = (read: (text: string) => unknown): string => {
    try {
      read(text);
    } catch (error) {
      return String(error);
    }
    return 'nothing';
  };
  expect(told(parseJson)).toBe(told((each) => JSON.parse(each) as unknown));
  expect(told(parseJson)).toContain('SyntaxError');
});

it('a key that comes twice has its last value, at its first place', () => {
  expect(stringifyJson(parseJson('{"2":1,"1":2,"2":3}'))).toBe('{"2":3,"1":2}');
  expect(
    stringifyJson(
      objectOf([
        ['2', 1],
        ['1', 2],
        ['2', 3],
      ]),
    ),
  ).toBe('{"2":3,"1":2}');
});

it('an object that was copied in another way is as JavaScript has it', () => {
  expect(stringifyJson({ ...(parseJson('{"2":1,"1":2}') as object) })).toBe('{"1":2,"2":1}');
});

it('what a signature has checked keeps its order', () => {
  const { outputs } = parseSignature('a -> by_year: dict[int, {total: int, ...}], rest');
  const given = '{"by_year":{"2023":{"9":1,"total":2,"5":1},"2021":{"total":3}},"rest":"r"}';
  const checked = checkOutputs({ outputs }, parseJson(given));
  expect(checked.ok && stringifyJson(checked.values)).toBe(given);
});
