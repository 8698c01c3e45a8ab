import { expect, it } from 'vitest';
import { pauseReason, raiseCommand } from '../../src/client/report-run.ts';
import { costUsedUp, raisedSince } from '../../src/domain/budget.ts';
import { reasonWithNext, withoutPatch } from '../../src/cli/summary-lines.ts';

const usedUp = costUsedUp({ max_cost: 2, max_llm_calls: 1, max_sandboxes: 1 });
const shown = (reason: string): string | null =>
  reasonWithNext('todo', 'paused', pauseReason('todo', { reason, failure: 'Budget.Exhausted' }));

it('says to give more where the money is used up, and only to resume where a person has given more', () => {
  expect(shown(usedUp)).toBe(`${usedUp}; raise it with rlm budget todo --max-cost <more> && rlm resume todo`);
  expect(shown(`${usedUp}${raisedSince(2.5)}`)).toBe(`${usedUp}; it is $2.5 now; rlm resume todo continues`);
  expect(raiseCommand('todo', { reason: 'to look at it', failure: null })).toBeUndefined();
});

it.each([
  ['running', null, null],
  ['running', 'no server', 'no server'],
  ['paused', null, 'rlm resume todo continues'],
  ['paused', 'No key was sent.', 'No key was sent; rlm resume todo continues'],
  ['paused', 'to look at it', 'to look at it; rlm resume todo continues'],
  [
    'running',
    'waiting for approval of 0.1/3.1: the code is to call search(x="a")',
    'waiting for approval of 0.1/3.1: the code is to call search(x="a"); rlm approve todo 0.1/3.1 allows it, rlm reject todo 0.1/3.1 does not',
  ],
])('of a run that is %s because of %s says what to type', (status, reason, expected) => {
  expect(reasonWithNext('todo', status, reason)).toBe(expected);
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
