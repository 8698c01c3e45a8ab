import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { Reading } from './reading.ts';

const reading = new Reading();
afterAll(() => {
  reading.remove();
});

describe('a path without @', () => {
  reading.write({ 'rows.csv': 'a,b\n1,2\n', 'papers/a.txt': 'x' });
  mkdirSync(join(reading.cwd, 'empty.d'));

  it.each([
    ['list[dict]', '/data/rows'],
    ['list[dict]', './rows.csv'],
    ['list[dict]', 'rows.csv'],
    ['list[str]', 'papers/'],
    ['list[str]', '~/papers'],
    ['list[dict]', '*.csv'],
    ['int', 'rows.csv'],
    ["Literal['a']", '../rows.csv'],
  ])('for a %s asks for it: %s', async (type, given) => {
    expect(await reading.refusal(`rows: ${type}`, [`rows=${given}`])).toContain(
      `; did you mean 'rows=@${given}', with an @ before the path?`,
    );
  });

  it('for a str is a text, and a note says so where there is such a file', async () => {
    const { value, notes } = await reading.value('str', 'rows.csv');
    expect(value).toBe('rows.csv');
    expect(notes).toEqual(["value is the text rows.csv itself; for what is in the file write 'value=@rows.csv'"]);
    for (const text of [
      'papers',
      'no-such.csv',
      'Is a/b more than 1/2?',
      'rows.csv is what I mean',
      '0.5',
      'What is in papers/a.txt?',
    ]) {
      // oxlint-disable-next-line no-await-in-loop -- one after the other
      expect((await reading.value('str', text)).notes).toEqual([]);
    }
  });

  it.each([
    ['list[int]', '[1, NaN]'],
    ['list[str]', 'a, b'],
    ['dict', '{"a": "/x"'],
    ['int', '3.5'],
    ['float', 'half'],
  ])('is not suspected in a %s such as %s', async (type, given) => {
    const refusal = await reading.refusal(`rows: ${type}`, [`rows=${given}`]);
    expect(refusal).toContain('for example:');
    expect(refusal).not.toContain('did you mean');
  });

  it('and NaN says what to write', async () => {
    expect(await reading.refusal('rows: list[float]', ['rows=[1, NaN]'])).toContain(
      'JSON has no NaN or Infinity; write null where a number is missing',
    );
  });
});

describe('a preview is a beginning', () => {
  const preview = async (type: string, given: string): Promise<string> =>
    (await reading.value(type, given)).input.summary.preview;

  it('of a text', async () => {
    reading.write({ 'long.txt': `begins here ${'x'.repeat(1000)} THE END` });
    expect(await preview('str', '@long.txt')).toBe(`'begins here ${'x'.repeat(188)}'...`);
    reading.write({ 'long.json': JSON.stringify([`a${'x'.repeat(1000)}END`, 'b']) });
    expect(await preview('list[str]', '@long.json')).toBe(`['a${'x'.repeat(199)}'..., 'b']`);
    reading.write({ 'folder/1.txt': `a${'x'.repeat(1000)}END` });
    expect(await preview('list[str]', '@folder')).toBe(`['a${'x'.repeat(199)}'...]`);
  });

  it('of a dict in its order, of a list, of a long number', async () => {
    const keys = ['zebra', 'apple', 'mango', 'banana', 'cherry', 'date', 'elder'];
    expect(
      await preview('dict[str, int]', JSON.stringify(Object.fromEntries(keys.map((key, index) => [key, index])))),
    ).toBe("{'zebra': 0, 'apple': 1, 'mango': 2, 'banana': 3, 'cherry': 4, 'date': 5, ...}");
    reading.write({ 'keys.json': '{"10": 1, "9": 2, "b": 3, "a": 4}' });
    expect(await preview('dict[str, int]', '@keys.json')).toBe("{'10': 1, '9': 2, 'b': 3, 'a': 4}");
    expect(await preview('list[int]', '[9, 8, 7, 6]')).toBe('[9, 8, 7, ...]');
    expect(await preview('int', '1234567890'.repeat(5))).toBe(`${'1234567890'.repeat(4)}...`);
  });
});
