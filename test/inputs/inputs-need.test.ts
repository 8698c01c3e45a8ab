import { expect, it } from 'vitest';
import type { StoredInput } from '../../src/domain/inputs.ts';
import { parseType } from '../../src/domain/signature/notation.ts';
import { inputsNeed } from '../../src/inputs/index.ts';

const MB = 1_000_000;

function input(
  format: StoredInput['format'],
  megabytes: number,
  length: number,
  preview: string,
  type = 'Any',
): StoredInput {
  const name = format === 'text' ? 'str' : 'list';
  const summary = { type: name, length, preview };
  return { name: 'value', format, type: parseType(type), ref: 'x', size: megabytes * MB, summary };
}

/** The second is what Python 3.11 was seen to take in bench/large-inputs.ts and the like, MB. */
it.each([
  ['a text of ASCII', input('text', 67, 67 * MB, "'word'"), 88],
  ['one with a typographic quote', input('text', 67.4, 67.3 * MB, "'it’s'"), 168],
  ['one with an emoji', input('text', 67.5, 67.3 * MB, "'😀'"), 332],
  ['Cyrillic', input('text', 56.7, 31.5 * MB, "'граф'"), 94],
  ['Chinese', input('text', 58.8, 19.6 * MB, "'漢字'"), 64],
  ['documents', input('jsonl', 67.4, 60_000, "['word', 'word']", 'list[str]'), 84],
  ['documents with typographic quotes', input('jsonl', 67.6, 60_000, "['it’s']", 'list[str]'), 152],
  ['words', input('jsonl', 20.9, MB, "['word']", 'list[str]'), 146],
  ['numbers', input('jsonl', 14.9, 2 * MB, '[1000, 1001]', 'list[int]'), 160],
  ['rows', input('jsonl', 28.2, 500_000, "[{'id': '1', 'name': 'name 1', 'x': '1.5'}, ...]"), 236],
  ['rows of a type', input('jsonl', 28.2, 500_000, '[...]', 'list[{id: int, name: str, x: str}]'), 236],
  ['records', input('jsonl', 24.1, 400_000, "[{'id': 0, 'name': 'name 0', 'x': 0.0}]", 'list[dict]'), 209],
])('%s need about what was measured', (_what, given, measured) => {
  const need = inputsNeed([given]);
  expect(need).toBeGreaterThan(measured * 0.65);
  expect(need).toBeLessThan(measured * 1.35);
});

it('nothing needs little, and what several need is added', () => {
  expect(inputsNeed([])).toBeLessThan(50);
  const one = input('text', 100, 100 * MB, "''");
  expect(inputsNeed([one, one]) - inputsNeed([one])).toBe(100);
});
