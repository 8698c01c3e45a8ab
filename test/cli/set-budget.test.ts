import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Session } from '../../src/cli/session.ts';
import { setLimits } from '../../src/cli/set-budget.ts';
import type { FoundRun } from '../../src/cli/find-run.ts';
import type { Told } from '../../src/client/temporal-runs.ts';
import type { RunState } from '../../src/domain/messages.ts';

let stateDirectory: string;
beforeAll(async () => {
  stateDirectory = await mkdtemp(join(tmpdir(), 'rlm-set-budget-'));
});
afterAll(() => rm(stateDirectory, { recursive: true }));

/** The words for a run that answers so, and has 5 USD in the end. */
function said(told: Told['kind'], status: RunState['status'] = 'running', usd = 5): Promise<string> {
  const limits = { max_cost: 5, max_sandboxes: 50, max_llm_calls: 100, global_timeout: 60 };
  const answer = { kind: told, state: { status, limits } as RunState, reason: 'no' } as Told;
  const found = { runs: { tell: async () => answer }, known: { run: 'todo' }, stored: undefined };
  return setLimits({ stateDirectory } as Session, found as unknown as FoundRun, { max_cost: usd });
}

it('says what is in force, and to resume a run that is paused', async () => {
  expect(await said('accepted')).toBe('Run todo has new limits: rlm.max_cost 5.');
  expect(await said('accepted', 'paused')).toBe(
    'Run todo has new limits: rlm.max_cost 5. It is paused: resume it with rlm resume todo.',
  );
  expect(await said('queued')).toContain('If it is paused or suspended, resume it with rlm resume todo.');
});

it('says so where the worker gives less than was asked for, where it refuses, and where the run has ended', async () => {
  await expect(said('accepted', 'paused', 20)).rejects.toThrow(
    'The worker of run todo allows no more: rlm.max_cost is 5, not 20.',
  );
  await expect(said('refused')).rejects.toThrow('no');
  await expect(said('ended')).rejects.toThrow('Run todo has ended already');
});
