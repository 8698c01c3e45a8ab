import { describe, expect, it } from 'vitest';
import { finalAnswer } from '../../src/domain/final-answer.ts';
import { readSignature } from '../../src/domain/signature/read-signature.ts';

const fields = readSignature('-> n: int, s: str');
const text = readSignature('-> answer');
const optional = readSignature('-> flag: bool, note: str | None');

const stop = (reply: string): { text: string; finish_reason: string } => ({ text: reply, finish_reason: 'stop' });

describe('a closing answer with fields', () => {
  const wanted = { n: 3, s: 'three' };
  it.each([
    ['JSON', '{"n": 3, "s": "three"}'],
    ['a block of JSON', 'It is:\n```json\n{"n": 3, "s": "three"}\n```'],
    ['the last block that fits', '```json\n{"n": 3, "s": "three"}\n```\n```json\n{"n": 2}\n```'],
    ['JSON in prose', 'So {"n": 3, "s": "three"}, I think.'],
    ['a trailing comma', '{"n": 3, "s": "three",}'],
    ['single quotes', "{'n': 3, 's': 'three'}"],
    ['keys without quotes', '{n: 3, s: "three"}'],
    ['a comma that is missing', '{"n": 3\n"s": "three"}'],
    ['a comment', '{"n": 3, // about\n"s": "three"}'],
    ['a brace that is missing', '{"n": 3, "s": "three"'],
    ['a fence that is never closed', '```json\n{"n": 3, "s": "three",}'],
    ['a fence of Python', '```python\n{"n": 3, "s": "three"}\n```'],
    ['typographic quotes', '{“n”: 3, “s”: “three”}'],
  ])('%s', (_name, reply) => {
    expect(finalAnswer(fields, stop(reply))).toEqual({ kind: 'answer', answer: wanted });
  });

  it.each([
    ["Python's None and True", '{"flag": True, "note": None}', { flag: true, note: null }],
    ["Python's False, in single quotes", "{'flag': False, 'note': 'it''s'}", undefined],
    ['an apostrophe', '{"flag": False, "note": "it\'s"}', { flag: false, note: "it's" }],
  ])('%s', (_name, reply, answer) => {
    const given = finalAnswer(optional, stop(reply));
    if (answer !== undefined) expect(given).toEqual({ kind: 'answer', answer });
    else expect(given.kind === 'unusable' ? given.problem : 'is an answer').not.toContain('is missing');
  });

  it.each([
    ['prose', 'No idea.', 'not JSON at line 1: there is no object'],
    ['nothing', '', 'not JSON at line 1: there is no object'],
    ['prose in braces', 'The set {a, b} is it.', 'not JSON at line 1, column 2: "a, b}"'],
    ['what cannot be repaired', '{"n": 3,\n "s" == "three"}', 'not JSON at line 2, column 6'],
    ['code', '```python\nprint(1)\n```', 'not JSON at line 1: there is no object'],
    ['a value of another type', '{"n": "3", "s": "three"}', 'n: expected int, got'],
    ['a field that is missing', '{"n": 3}', 's: is missing'],
  ])('is none: %s', (_name, reply, problem) => {
    expect(finalAnswer(fields, stop(reply))).toEqual({ kind: 'unusable', problem: expect.stringContaining(problem) });
  });

  it('is the text itself where one text is wanted', () => {
    expect(finalAnswer(text, stop(' It rains. '))).toEqual({ kind: 'answer', answer: { answer: 'It rains.' } });
    expect(finalAnswer(text, stop('{"answer": "x"}'))).toEqual({ kind: 'answer', answer: { answer: 'x' } });
    expect(finalAnswer(text, stop('FINAL(It rains)'))).toEqual({ kind: 'answer', answer: { answer: 'It rains' } });
    const braces = 'Write {name} where the name stands.';
    expect(finalAnswer(text, stop(braces))).toEqual({ kind: 'answer', answer: { answer: braces } });
    expect(finalAnswer(text, stop('```python\nprint(1)\n```')).kind).toBe('unusable');
    expect(finalAnswer(text, stop('{"answer" == "a"}'))).toMatchObject({ kind: 'unusable' });
  });

  it('keeps the order of keys', () => {
    const scores = readSignature('-> scores: dict[str, int]');
    const given = finalAnswer(scores, stop('{"scores": {"zoe": 9, "bob": 5, "amy": 1,}}'));
    expect(JSON.stringify(given)).toContain('{"zoe":9,"bob":5,"amy":1}');
  });
});

describe('a closing answer in text', () => {
  it.each([
    ['text', 'It is 42.', 'It is 42.'],
    ['with code that is not Python', 'Run:\n```\nmake\n```', 'Run:\n```\nmake\n```'],
    ['FINAL as text', 'FINAL(It is 42)', 'It is 42'],
  ])('%s', (_name, reply, answer) => {
    expect(finalAnswer(undefined, stop(reply))).toEqual({ kind: 'answer', answer });
  });

  it.each([
    ['empty', '', 'empty'],
    ['code', 'Let me look.\n```python\nprint(1)\n```', 'no code is run any more'],
    ['code and FINAL', '```python\nx = 1\n```\nFINAL(x)', 'no code is run any more'],
    ['a tool call', '<tool_call>{}', 'no tools'],
  ])('is none: %s', (_name, reply, problem) => {
    expect(finalAnswer(undefined, stop(reply))).toEqual({
      kind: 'unusable',
      problem: expect.stringContaining(problem),
    });
  });

  it.each([
    ['length', 'cut off'],
    ['content_filter', 'content filter'],
  ])('is none when it ended by %s, whatever it holds', (finish_reason, problem) => {
    for (const signature of [undefined, fields]) {
      expect(finalAnswer(signature, { text: '{"n": 3, "s": "three"}', finish_reason })).toEqual({
        kind: 'unusable',
        problem: expect.stringContaining(problem),
      });
    }
  });
});

describe('any closing answer', () => {
  it.each([
    ['braces', '{'.repeat(100_000)],
    ['keys', '{"n": '.repeat(20_000)],
    ['fences', '```json\n{\n'.repeat(20_000)],
    ['quotes', `{${'"'.repeat(100_000)}`],
    ['commas', `{"n": 3${','.repeat(100_000)}`],
    ['blanks', `\`\`\`${'\n'.repeat(200_000)}{`],
  ])('is read in bounded time: %s', (_name, reply) => {
    const started = performance.now();
    expect(finalAnswer(fields, stop(reply)).kind).toBe('unusable');
    expect(performance.now() - started).toBeLessThan(10_000);
  });
});
