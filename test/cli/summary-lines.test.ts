import { expect, it } from 'vitest';
import { nextStep, pauseOf, pauseReason, raiseCommand } from '../../src/client/report-run.ts';
import { costUsedUp } from '../../src/domain/budget.ts';
import type { RunState } from '../../src/domain/messages.ts';
import { reasonWithNext, withoutPatch } from '../../src/cli/summary-lines.ts';

const usedUp = costUsedUp({ max_cost: 2, max_llm_calls: 1, max_sandboxes: 1 });
const QUESTION = {
  id: '0.1/3.1',
  agent: '0.1',
  step: 'tools',
  text: 'the code is to call search(x="a")',
  ref: 'x',
} as const;

/** A run that stands so, as a person is told of it. */
function shown(standing: Partial<RunState>): string | null {
  const state = {
    status: 'paused',
    reason: null,
    failure: null,
    raised_to: null,
    questions: [],
    ...standing,
  } as RunState;
  const pause = pauseOf(state);
  return reasonWithNext(pause === undefined ? null : pauseReason('todo', pause), nextStep('todo', state));
}

it('says to give more where the money is used up, and only to resume where a person has given more', () => {
  const standing = { reason: usedUp, failure: 'Budget.Exhausted' };
  expect(shown(standing)).toBe(`${usedUp}; raise it with rlm budget todo --max-cost <more> && rlm resume todo`);
  expect(shown({ ...standing, raised_to: 2.5 })).toBe(`${usedUp}; it is $2.5 now; rlm resume todo continues`);
  expect(raiseCommand('todo', { reason: 'to look at it', failure: null, isRaised: false })).toBeUndefined();
});

it.each<[Partial<RunState>, string | null]>([
  [{ status: 'running' }, null],
  [{ status: 'running', reason: 'it waits for a worker' }, 'it waits for a worker'],
  [{}, 'rlm resume todo continues'],
  [{ reason: 'No key was sent.' }, 'No key was sent; rlm resume todo continues'],
  [{ reason: 'to look at it' }, 'to look at it; rlm resume todo continues'],
  [{ reason: 'until rlm is upgraded' }, 'until rlm is upgraded; rlm resume todo continues'],
  [
    { status: 'running', reason: 'waiting for approval', questions: [QUESTION] },
    'waiting for approval; rlm approve todo 0.1/3.1 allows it, rlm reject todo 0.1/3.1 does not',
  ],
])('of a run that stands as %j says what to type', (standing, expected) => {
  expect(shown(standing)).toBe(expected);
});

it.each([
  [[], 'Run todo changed nothing.'],
  [['A sub-agent failed.'], 'Run todo changed nothing.'],
  [
    ['x', 'There is no patch: a person rejected it: not now.'],
    'Run todo: There is no patch: a person rejected it: not now.',
  ],
  [
    ['The patch was refused: it names a file outside of the repository.'],
    'Run todo: The patch was refused: it names a file outside of the repository.',
  ],
  [['There was no sandbox to take a patch from.'], 'Run todo: There was no sandbox to take a patch from.'],
])('of a run without a patch and with the notes %j says why', (notes, expected) => {
  expect(withoutPatch('todo', notes)).toBe(expected);
});
