import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { findRun, listRuns } from '../../src/results/find-run.ts';
import { beginRun, createSyntheticStore, STARTED_AT, writeAgent, type SyntheticStore } from './synthetic-run.ts';

let store: SyntheticStore;

beforeEach(async () => {
  store = await createSyntheticStore();
});
afterEach(() => store.remove());

describe('finding runs', () => {
  it('lists all, newest first', async () => {
    for (const [index, run] of ['a', 'b', 'c'].entries()) {
      const reference = await beginRun(store, { run, startedAt: STARTED_AT + index });
      await writeAgent(store, reference, { agent: '0', turns: [] });
    }
    expect((await listRuns(store.blobs)).map(({ run }) => run)).toEqual(['c', 'b', 'a']);
  });

  it('tells apart ids that begin alike, also with an @', async () => {
    for (const run of ['fix', 'fix@home', 'fix@home@2', 'fixed']) await beginRun(store, { run });
    expect((await findRun(store.blobs, 'fix'))?.run).toBe('fix');
    expect((await findRun(store.blobs, 'fix@home'))?.run).toBe('fix@home');
    expect((await findRun(store.blobs, 'fixe'))?.run).toBeUndefined();
  });

  it('knows of none in an empty store', async () => {
    expect(await listRuns(store.blobs)).toEqual([]);
    expect(await findRun(store.blobs, 'x')).toBeUndefined();
  });
});
