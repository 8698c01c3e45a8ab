import { expect, it } from 'vitest';
import { exitCodeOf } from '../../src/cli/exit-codes.ts';

it.each([
  ['completed', 'final', 0],
  ['completed', 'text', 3],
  ['completed', 'final_answer', 3],
  ['completed', 'none', 3],
  ['timed_out', 'partial', 124],
  ['cancelled', 'partial', 130],
  ['failed', 'partial', 1],
  ['paused', null, 1],
] as const)('a run that is %s, with an answer from %s, ends the command with %d', (status, answer_source, code) => {
  expect(exitCodeOf({ status, answer_source })).toBe(code);
});
