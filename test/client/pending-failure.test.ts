import { expect, it } from 'vitest';
import { describePendingFailure, isSameFailure } from '../../src/client/pending-failure.ts';

const failure = { agent: '0.1', attempt: 2, message: 'HTTP 503 (tried (failed once' } as const;

it('is described with its agent and the number of failures', () => {
  expect(describePendingFailure(failure)).toBe('agent 0.1: HTTP 503 (tried (failed once (failed once, trying again)');
  expect(describePendingFailure({ ...failure, agent: undefined, attempt: 5 })).toMatch(
    /^HTTP 503 .*\(failed 4 times, trying again\)$/,
  );
});

it('is the same after another attempt, whatever its message', () => {
  expect(isSameFailure(failure, { ...failure, attempt: 3 })).toBe(true);
  expect(isSameFailure(failure, { ...failure, agent: '0.2' })).toBe(false);
  expect(isSameFailure(failure, { ...failure, message: 'HTTP 503' })).toBe(false);
  expect(isSameFailure(failure, null)).toBe(false);
});
