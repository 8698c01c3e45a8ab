import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runReferenceName } from '../../src/domain/records.ts';
import { findRun, indexRuns, listRuns } from '../../src/results/find-run.ts';
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

  it('looks once for many whose ids begin alike, and has the newest execution of each', async () => {
    for (const run of ['b.1', 'b.1@x', 'b.2', 'c.1']) {
      const reference = await beginRun(store, { run });
      await writeAgent(store, reference, { agent: '0', turns: [] });
    }
    const first = await findRun(store.blobs, 'b.2');
    const later = { ...first, execution: 'later', started_at: STARTED_AT + 1 };
    await store.blobs.setReference(runReferenceName('b.2', 'later'), later);
    const find = await indexRuns(store.blobs, 'b.');
    expect((await find('b.1'))?.run).toBe('b.1');
    expect((await find('b.1@x'))?.run).toBe('b.1@x');
    expect((await find('b.2'))?.execution).toBe('later');
    expect(await find('b.3')).toBeUndefined();
  });

  it('knows of none in an empty store', async () => {
    expect(await listRuns(store.blobs)).toEqual([]);
    expect(await findRun(store.blobs, 'x')).toBeUndefined();
  });
});
