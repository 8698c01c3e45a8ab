import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { TaskRecord } from '../../src/domain/records.ts';
import { createChains } from '../../src/storage/chain.ts';
import { createFileBlobStore } from '../../src/storage/file-blob-store.ts';

let path: string;
beforeEach(async () => {
  path = await mkdtemp(join(tmpdir(), 'chain-'));
});
afterEach(() => rm(path, { recursive: true, force: true }));

const first: TaskRecord = {
  v: 1,
  kind: 'task',
  parent: null,
  agent: '0',
  depth: 0,
  run: 's',
  task: 't',
  prompt_version: 1,
};

describe('a chain', () => {
  it('is walked from its first record to its head, also by a process that did not write it', async () => {
    const chains = createChains(createFileBlobStore({ path }));
    const hash = await chains.append(first);
    const head = await chains.append({
      v: 1,
      kind: 'answers',
      parent: hash,
      block: 1,
      answers: [],
    });
    const other = createChains(createFileBlobStore({ path }));
    expect((await other.walk(head)).map(({ kind }) => kind)).toEqual(['task', 'answers']);
    expect(await other.record(hash)).toEqual(first);
  });

  it('gives the same hash to the same record', async () => {
    const chains = createChains(createFileBlobStore({ path }));
    const hash = await chains.append(first);
    expect(await chains.append({ ...first })).toBe(hash);
  });

  it('is read once: a second walk reads nothing, one of a longer chain only what is new', async () => {
    const writer = createChains(createFileBlobStore({ path }));
    const append = (parent: string, block: number): Promise<string> =>
      writer.append({ v: 1, kind: 'answers', parent, block, answers: [] });
    const middle = await append(await writer.append(first), 1);
    const head = await append(middle, 2);
    const blobs = createFileBlobStore({ path });
    const read: string[] = [];
    const chains = createChains({
      ...blobs,
      get(hash) {
        read.push(hash);
        return blobs.get(hash);
      },
    });
    expect(await chains.walk(middle)).toHaveLength(2);
    expect(read).toHaveLength(2);
    expect(await chains.walk(middle)).toHaveLength(2);
    expect(read).toHaveLength(2);
    expect(await chains.walk(head)).toHaveLength(3);
    expect(read.slice(2)).toEqual([head]);
  });

  it('reads a value that is too large for the cache once for all who ask for its parts', async () => {
    const prompts = Array.from({ length: 100 }, (_, at) => `${at} ${'x'.repeat(1000)}`);
    const hash = await createChains(createFileBlobStore({ path })).putJson(prompts);
    const blobs = createFileBlobStore({ path });
    let reads = 0;
    const chains = createChains(
      {
        ...blobs,
        get(name) {
          reads += 1;
          return blobs.get(name);
        },
      },
      { cacheCharacters: 10_000 },
    );
    expect(await Promise.all(prompts.map(() => chains.getJson(hash)))).toEqual(prompts.map(() => prompts));
    expect(await chains.getJson(hash)).toEqual(prompts);
    expect(reads).toBe(1);
  });

  it('keeps a bounded cache: with hardly any, or none, everything is read again and right', async () => {
    for (const cacheCharacters of [300, 0]) {
      const chains = createChains(createFileBlobStore({ path }), { cacheCharacters });
      let head = await chains.append(first);
      for (let block = 1; block <= 30; block += 1) {
        head = await chains.append({
          v: 1,
          kind: 'answers',
          parent: head,
          block,
          answers: [],
        });
      }
      expect(await chains.walk(head)).toHaveLength(31);
    }
  });
});
