import { readdir, rm, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { agentReferenceName, type RunReference } from '../../src/domain/records.ts';
import type { BlobStore } from '../../src/storage/blob-store.ts';
import { createFileBlobStore } from '../../src/storage/file-blob-store.ts';
import { sweepBlobs, type BlobSweep, type BlobSweepResult } from '../../src/storage/sweep-blobs.ts';
import {
  beginRun,
  createSyntheticStore,
  endRun,
  EXECUTION,
  writeAgent,
  type SyntheticStore,
} from '../results/synthetic-run.ts';

const LONG_AGO = new Date('2020-01-01T00:00:00Z');
const DAY = 24 * 60 * 60_000;

let store: SyntheticStore;
beforeEach(async () => {
  store = await createSyntheticStore();
});
afterEach(() => store.remove());

/** A run of two agents with all that they may refer to: requests, answers, whole output, patch, bundle. */
async function wholeRun(run: string): Promise<{ reference: RunReference; blobs: string[]; head: string }> {
  const { blobs, chains } = store;
  const reference = await beginRun(store, { run });
  const { head: answered } = await writeAgent(store, reference, {
    agent: '0.1',
    turns: [{ code: '1' }],
    answer: 'one',
  });
  const { head } = await writeAgent(store, reference, { agent: '0', turns: [{ code: 'rlm_query("x")' }] });
  const request = await chains.putJson({ function: 'rlm_query', hash: 'h', list: [`${run} x`] });
  const answer = await chains.putJson(`the answer of ${run}`);
  const full = await blobs.put(Buffer.from(`a very long output of ${run}`));
  const next = await chains.append({
    v: 1,
    kind: 'calls',
    parent: head,
    block: 2,
    calls: [{ call: '2.1', function: 'rlm_query', request }],
    cursor: 1,
  });
  const answersRecord = await chains.append({
    v: 1,
    kind: 'answers',
    parent: next,
    block: 2,
    answers: [{ call: '2.1', answer: { ref: answer, child: '0.1' } }],
  });
  const last = await chains.putJson({ v: 1, kind: 'block', parent: answersRecord, full: { stdout: full } });
  await blobs.setReference(agentReferenceName(run, EXECUTION, '0'), { head: last, agent: '0', depth: 0 });
  const journalled = await chains.putJson(`paid for by ${run}`);
  await blobs.setReference(`journal/${run}@${EXECUTION}/0/2.1-x.0`, { ref: journalled, usage: [1, 1, 0] });
  const patch = Buffer.from(`diff --git a/${run} b/${run}\n`);
  await endRun(store, reference, { wholeAnswer: `all of ${run}`, patchBytes: patch });
  const patchHash = await blobs.put(patch);
  return { reference, blobs: [answered, head, request, answer, full, next, last, journalled, patchHash], head: last };
}

async function file(hash: string): Promise<string> {
  const hex = Buffer.from(hash, 'base64url').toString('hex');
  return join(store.path, 'objects', hex.slice(0, 2), hex.slice(2));
}

/** As if everything so far had been written long ago. */
async function age(written = LONG_AGO): Promise<string[]> {
  const hashes: string[] = [];
  for await (const { hash } of store.blobs.list()) hashes.push(hash);
  for (const hash of hashes) await utimes(await file(hash), written, written);
  return hashes;
}

function sweep(options: Partial<BlobSweep> = {}): Promise<BlobSweepResult> {
  return sweepBlobs({ blobs: store.blobs, before: Date.now() - DAY, delete: true, ...options });
}

async function left(): Promise<number> {
  return (await readdir(join(store.path, 'objects'), { recursive: true, withFileTypes: true })).filter((each) =>
    each.isFile(),
  ).length;
}

it('deletes what no reference leads to, and nothing that one leads to, however far', async () => {
  await wholeRun('kept');
  const bundle = await store.blobs.put(Buffer.from('# v2 git bundle\n'));
  await store.blobs.setReference('bundles/c0ffee', bundle);
  const wanted = await left();
  const loose = await store.chains.putJson({ parent: await store.blobs.put(Buffer.from('nobody')) });
  await age();
  expect(await sweep({ delete: false })).toMatchObject({ abandoned: { blobs: 2 }, all: { blobs: wanted + 2 } });
  expect(await left()).toBe(wanted + 2);
  expect(await sweep()).toMatchObject({ abandoned: { blobs: 2 }, kept: { blobs: 0, bytes: 0 } });
  expect(await left()).toBe(wanted);
  expect(await store.blobs.has(loose)).toBe(false);
  expect(await sweep()).toMatchObject({ abandoned: { blobs: 0 }, all: { blobs: wanted } });
});

it('keeps what was written within the day, and what was stored again by a process that has it in its memory', async () => {
  const text = Buffer.from('stored long ago, and again just now');
  const again = await store.blobs.put(text);
  await age();
  const young = await store.blobs.put(Buffer.from('young'));
  await createFileBlobStore({ path: store.path }).put(text);
  expect(await sweep()).toMatchObject({ abandoned: { blobs: 0 }, kept: { blobs: 2 } });
  expect(await Promise.all([again, young].map((hash) => store.blobs.has(hash)))).toEqual([true, true]);
});

it('keeps what was written while a run was under way that has not ended', async () => {
  await store.blobs.put(Buffer.from('a request that only the history of a run knows'));
  await age();
  await store.blobs.put(Buffer.from('much later'));
  await age(new Date('2020-03-01T00:00:00Z')).then(() => undefined);
  const from = Date.parse('2020-02-01T00:00:00Z');
  expect(await sweep({ spans: [{ from, to: Number.POSITIVE_INFINITY }] })).toMatchObject({ kept: { blobs: 2 } });
  expect(await sweep({ spans: [{ from, to: from + DAY }] })).toMatchObject({ abandoned: { blobs: 2 } });
});

it('counts references that are about to go as gone; shared blobs stay', async () => {
  const [old, other] = [await wholeRun('old'), await wholeRun('other')];
  await age();
  const before = await left();
  const names = (await store.blobs.listReferences('')).filter((name) => name.includes('/old@'));
  const planned = await sweep({ delete: false, ignored: new Set(names) });
  for (const name of names) await store.blobs.deleteReference(name);
  const done = await sweep();
  expect(done.abandoned).toEqual(planned.abandoned);
  expect(await left()).toBe(before - done.abandoned.blobs);
  expect(await store.blobs.has(old.head)).toBe(false);
  for (const hash of other.blobs) expect([hash, await store.blobs.has(hash)]).toEqual([hash, true]);
});

it.each([
  ['missing', (path: string) => rm(path)],
  ['damaged', (path: string) => writeFile(path, '{"v":1,"kind":"end"}')],
])('deletes nothing when a record is %s, and names the run', async (what, harm) => {
  const { blobs } = await wholeRun('broken');
  await store.blobs.put(Buffer.from('nobody'));
  await age();
  await harm(await file(blobs[1] ?? ''));
  const before = await left();
  await expect(sweep()).rejects.toMatchObject({
    type: what === 'missing' ? 'Storage.Missing' : 'Storage.Damaged',
    message: expect.stringMatching(/runs\/broken@.*no blob was deleted.*--older-than/s) as string,
  });
  expect(await left()).toBe(before);
});

it('that is cut off anywhere has deleted nothing that is referred to, and is gone on with by the next', async () => {
  const { blobs } = await wholeRun('kept');
  const wanted = await left();
  for (let at = 0; at < 60; at += 1) await store.blobs.put(Buffer.from(`nobody ${at}`));
  await age();
  let deletions = 0;
  const cut: BlobStore = {
    ...store.blobs,
    delete(hash, before) {
      deletions += 1;
      if (deletions > 20) return Promise.reject(new Error('killed'));
      return store.blobs.delete(hash, before);
    },
  };
  await expect(sweep({ blobs: cut })).rejects.toThrow('killed');
  for (const hash of blobs) expect(await store.blobs.has(hash)).toBe(true);
  await sweep();
  expect(await left()).toBe(wanted);
});
