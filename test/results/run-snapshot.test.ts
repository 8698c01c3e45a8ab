import { afterEach, beforeEach, expect, it } from 'vitest';
import { createRunReader } from '../../src/results/run-reader.ts';
import { currentSnapshot, elapsedSeconds, lastChange, runTotals } from '../../src/results/run-snapshot.ts';
import { scheduleOfOccurrence } from '../../src/domain/ids.ts';
import { failedTree, STARTED_AT, writeRun } from '../viewer/generated-run.ts';
import { createSyntheticStore, type SyntheticStore } from './synthetic-run.ts';
import { findRun } from '../../src/results/find-run.ts';

let store: SyntheticStore;
beforeEach(async () => {
  store = await createSyntheticStore();
});
afterEach(() => store.remove());

it('has no outcome, and a root that begins again, where its workflow was reset after its end', async () => {
  await writeRun(store.blobs, { run: 'todo', prompt: 'Fix it.', agents: failedTree(), status: 'failed', error: 'why' });
  const run = await findRun(store.blobs, 'todo');
  const recorded = run === undefined ? undefined : await createRunReader(store.blobs, run).snapshot();
  if (recorded === undefined) throw new Error('no run');
  const [before, after] = [STARTED_AT - 1, (recorded.run.ended_at ?? 0) + 1];

  expect(currentSnapshot(recorded, undefined)).toEqual(recorded);
  expect(currentSnapshot(recorded, before)).toEqual(recorded);
  const current = currentSnapshot(recorded, after);
  expect([current.run.outcome, current.run.ended_at]).toEqual([undefined, undefined]);
  expect(current.agents[0]).toMatchObject({ agent: '0', state: 'starting' });
  expect(current.agents[0]?.status).toBeUndefined();
  // What sub-agents came to is recorded in the work of their parents.
  expect(current.agents.slice(1)).toEqual(recorded.agents.slice(1));
});

it('counts the iterations that a run has of its own, not those of the run that it continues', async () => {
  await writeRun(store.blobs, { run: 'todo', prompt: 'Fix it.', agents: failedTree(), status: 'failed', error: 'why' });
  const found = await findRun(store.blobs, 'todo');
  const snapshot = found === undefined ? undefined : await createRunReader(store.blobs, found).snapshot();
  if (snapshot === undefined) throw new Error('no run');
  const { outcome: _, ...run } = snapshot.run;
  const whole = runTotals({ run, agents: snapshot.agents }).iterations;
  const from = { run: 'before', execution: 'e', agent: '0', iteration: 2 };
  expect(snapshot.agents[0]?.iteration).toBeGreaterThan(2);
  expect(runTotals({ run: { ...run, from }, agents: snapshot.agents }).iterations).toBe(whole - 2);
});

it.each([
  ['nightly-2026-01-02T03:04:05Z', 'nightly'],
  ['a-2026-01-02T03:04:05Z-b-2026-01-03T03:04:05Z', 'a'],
  ['nightly-2026-01-02T03:04:05Z-item-7', 'nightly'],
  ['nightly-2026-01-02', undefined],
  ['todo', undefined],
])('%s was started by the schedule %s', (id, schedule) => {
  expect(scheduleOfOccurrence(id)).toBe(schedule);
});

it('counts the time of a run that Temporal ended to the last thing that it did', async () => {
  await writeRun(store.blobs, { run: 'cut', prompt: 'Fix it.', agents: failedTree(), status: 'failed', error: 'why' });
  const run = await findRun(store.blobs, 'cut');
  const recorded = run === undefined ? undefined : await createRunReader(store.blobs, run).snapshot();
  if (recorded === undefined) throw new Error('no run');
  const { outcome, ended_at: _ended, ...open } = recorded.run;
  const cut = { ...recorded, run: open };
  const now = lastChange(cut) + 60_000;
  expect(elapsedSeconds(recorded, 'failed', now)).toBe(outcome?.execution_time);
  expect(elapsedSeconds(cut, 'terminated', now)).toBe((lastChange(cut) - cut.run.started_at) / 1000);
  expect(elapsedSeconds(cut, 'running', now)).toBe((now - cut.run.started_at) / 1000);
});
