import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { BlobStore } from '../../src/storage/blob-store.ts';
import { sized } from '../sizes.ts';
import { startCounter } from './counter.ts';
import type { StoreLocation } from './store-location.ts';

/** One store, made anew for each test, and what a test must be able to do to it behind its back. */
export interface StoreUnderTest {
  readonly store: BlobStore;
  /** The same store, as another process has it. */
  readonly other: BlobStore;
  readonly location: StoreLocation;
  /** Names of everything that is kept, blobs and references. */
  names(): Promise<string[]>;
  /** Puts other bytes in the place of a blob's. */
  damage(hash: string, bytes: Uint8Array): Promise<void>;
  /** Makes a blob as old as if it had been written at that time. */
  date(hash: string, written: Date): Promise<void>;
  close(): Promise<void>;
}

const bytes = Buffer.from('hello');
const HASH = createHash('sha256').update(bytes).digest('base64url');
/** More than a part of an upload, and nothing that would compress. */
const LARGE = 20 * 1024 * 1024 + 3;

/** What every blob store must do. */
export function describeBlobStore(name: string, open: () => Promise<StoreUnderTest>): void {
  let under: StoreUnderTest;
  let store: BlobStore;
  beforeEach(async () => {
    under = await open();
    store = under.store;
  });
  afterEach(() => under.close());

  describe(`${name}: blobs`, () => {
    it('are named by their SHA-256 and read back', async () => {
      expect(await store.has(HASH)).toBe(false);
      expect(await store.put(bytes)).toBe(HASH);
      expect(Buffer.from(await store.get(HASH))).toEqual(bytes);
      expect(await store.has(HASH)).toBe(true);
      expect(await text(await store.open(HASH))).toBe('hello');
    });

    it('may be empty', async () => {
      const hash = await store.put(new Uint8Array());
      expect((await store.get(hash)).length).toBe(0);
      expect(await store.putStream(Readable.from([]))).toEqual({ hash, size: 0 });
      expect(await text(await store.open(hash))).toBe('');
    });

    it('are stored once, also when written at the same time by several stores', async () => {
      const hashes = await Promise.all(
        Array.from({ length: 40 }, (_, i) => (i % 2 === 0 ? store : under.other).put(bytes)),
      );
      expect(new Set(hashes)).toEqual(new Set([HASH]));
      expect(await under.names()).toHaveLength(1);
    });

    it('may come as a stream', async () => {
      const stream = Readable.from([Buffer.from('hel'), Buffer.from('lo')]);
      expect(await store.putStream(stream)).toEqual({ hash: HASH, size: 5 });
      expect(Buffer.from(await store.get(HASH))).toEqual(bytes);
    });

    it('may be large, whole or as a stream, and are the same to another process', async () => {
      const digest = createHash('sha256');
      for (const chunk of largeBytes()) digest.update(chunk);
      const hash = digest.digest('base64url');
      expect(await store.putStream(Readable.from(largeBytes()))).toEqual({ hash, size: LARGE });
      expect(await store.put(Buffer.concat([...largeBytes()]))).toBe(hash);
      expect(await under.names()).toHaveLength(1);
      const back = createHash('sha256');
      let size = 0;
      for await (const chunk of await under.other.open(hash)) {
        back.update(chunk as Buffer);
        size += (chunk as Buffer).length;
      }
      expect([size, back.digest('base64url')]).toEqual([LARGE, hash]);
      expect((await under.other.get(hash)).length).toBe(LARGE);
    });

    it('may be large and come whole', async () => {
      const large = Buffer.concat([...largeBytes()]);
      const hash = await store.put(large);
      expect(large.equals(await under.other.get(hash))).toBe(true);
    });

    it('leave nothing behind when their stream fails, however late', async () => {
      const failing = (sizes: readonly number[]): Readable =>
        Readable.from(
          (async function* () {
            for (const size of sizes) yield Buffer.alloc(size);
            throw new Error('cut');
          })(),
        );
      await expect(store.putStream(failing([4]))).rejects.toThrow('cut');
      await expect(store.putStream(failing([6_000_000, 6_000_000, 6_000_000]))).rejects.toThrow('cut');
      expect(await under.names()).toEqual([]);
    });

    it('that are missing are named, with what may be wrong', async () => {
      const missing = { type: 'Storage.Missing', message: expect.stringContaining(HASH) as string };
      await expect(store.get(HASH)).rejects.toMatchObject(missing);
      await expect(store.open(HASH)).rejects.toMatchObject(missing);
    });

    it('that are damaged are detected by their hash and named, read whole or as a stream', async () => {
      await store.put(bytes);
      await under.damage(HASH, Buffer.from('hellO'));
      const damaged = { type: 'Storage.Damaged', message: expect.stringContaining(HASH) as string };
      await expect(store.get(HASH)).rejects.toMatchObject(damaged);
      await expect(text(await store.open(HASH))).rejects.toMatchObject(damaged);
    });

    it('are not looked for outside of the store, whatever the name', async () => {
      await expect(store.get('../../../etc/passwd')).rejects.toMatchObject({ type: 'Storage.Missing' });
      await expect(store.has('')).rejects.toMatchObject({ type: 'Storage.Missing' });
    });

    it('may be left in the middle by who reads them', async () => {
      const { hash } = await store.putStream(Readable.from(largeBytes()));
      const stream = await store.open(hash);
      for await (const _ of stream) break;
      expect(stream.destroyed).toBe(true);
      expect(await store.has(hash)).toBe(true);
    });
  });

  describe(`${name}: deleting blobs`, () => {
    const longAgo = new Date('2020-01-01T00:00:00Z');
    const hourAgo = (): number => Date.now() - 60 * 60_000;
    const byHash = ([a]: readonly [string, ...unknown[]], [b]: readonly [string, ...unknown[]]): number =>
      a < b ? -1 : 1;
    const listed = async (): Promise<[hash: string, size: number, isNew: boolean][]> => {
      const found: [string, number, boolean][] = [];
      for await (const { hash, size, written } of under.other.list()) found.push([hash, size, written > hourAgo()]);
      return found.toSorted(byHash);
    };

    it('begins with a list of them: hash, size, and when each was written; references are not among them', async () => {
      expect(await listed()).toEqual([]);
      const second = await store.put(Buffer.from('second'));
      await store.put(bytes);
      await store.setReference('runs/a@b/0', { head: HASH });
      await under.date(HASH, longAgo);
      const expected: [string, number, boolean][] = [
        [HASH, 5, false],
        [second, 6, true],
      ];
      expect(await listed()).toEqual(expected.toSorted(byHash));
    });

    it('takes away what is older than asked, and nothing else', async () => {
      const young = await store.put(Buffer.from('young'));
      await store.put(bytes);
      await under.date(HASH, longAgo);
      expect(await under.other.delete(young, hourAgo())).toBe(false);
      expect(await under.other.delete(HASH, hourAgo())).toBe(true);
      expect(await under.other.delete(HASH, hourAgo())).toBe(true);
      expect(await store.has(HASH)).toBe(false);
      expect((await listed()).map(([hash]) => hash)).toEqual([young]);
    });

    it('leaves alone what was stored again or renewed since, whole or as a stream', async () => {
      const again: readonly (() => Promise<unknown>)[] = [
        () => under.other.put(bytes),
        () => under.other.putStream(Readable.from([bytes])),
        () => under.other.renew(HASH),
      ];
      await store.put(bytes);
      for (const storeAgain of again) {
        await under.date(HASH, longAgo);
        await storeAgain();
        expect(await under.other.delete(HASH, hourAgo())).toBe(false);
      }
      expect(Buffer.from(await store.get(HASH))).toEqual(bytes);
    });

    it('leaves alone a large one that was stored again', async () => {
      const { hash } = await store.putStream(Readable.from(largeBytes()));
      await under.date(hash, longAgo);
      await under.other.putStream(Readable.from(largeBytes()));
      expect(await store.delete(hash, hourAgo())).toBe(false);
      expect((await under.other.get(hash)).length).toBe(LARGE);
    });

    it('is noticed by who stores one again that it has stored itself long before', async () => {
      await store.put(bytes);
      await under.date(HASH, longAgo);
      await store.delete(HASH, hourAgo());
      expect(await store.renew(HASH)).toBe(false);
      await store.put(bytes);
      expect(await under.other.has(HASH)).toBe(true);
    });
  });

  describe(`${name}: references`, () => {
    it('hold JSON values under names of any characters', async () => {
      const names = ['runs/a@b/0', 'runs/a@b/0.1', 'runs/a b:ü@x/..', 'runs/a@b/%2E', 'runs/a+b&c=d/😀', 'runs/.x/.'];
      for (const [index, key] of names.entries()) await store.setReference(key, { index });
      const listed = async (prefix: string): Promise<string[]> => (await store.listReferences(prefix)).toSorted();
      const starting = (prefix: string): string[] => names.filter((key) => key.startsWith(prefix)).toSorted();
      for (const prefix of ['runs/', 'runs/a@', 'runs/a@b/0.', 'runs/a b:ü', 'runs/.', 'runs/a+b&c=d/\ud83d', 'x', ''])
        expect([prefix, await listed(prefix)]).toEqual([prefix, starting(prefix)]);
      for (const [index, key] of names.entries()) expect(await under.other.getReference(key)).toEqual({ index });
    });

    it('are undefined where there is none', async () => {
      expect(await store.getReference('runs/none')).toBeUndefined();
      expect(await store.listReferences('runs/')).toEqual([]);
    });

    it('may be deleted, whether they are there or not', async () => {
      await store.setReference('runs/a@b/0', 1);
      await store.setReference('runs/a@b/0.1', 2);
      for (let i = 0; i < 2; i += 1) await under.other.deleteReference('runs/a@b/0');
      expect(await store.getReference('runs/a@b/0')).toBeUndefined();
      expect(await store.listReferences('')).toEqual(['runs/a@b/0.1']);
    });

    it('are replaced as a whole: a reader never sees half of one', async () => {
      const values = ['a'.repeat(50_000), 'b'.repeat(50_000)];
      await store.setReference('x', values[0]);
      const writing = (async () => {
        for (let i = 0; i < 50; i += 1) await store.setReference('x', values[i % 2]);
      })();
      for (let i = 0; i < 100; i += 1) expect(values).toContain(await under.other.getReference('x'));
      await writing;
    });

    it('keep to their own part of the store', async () => {
      await store.setReference('../../x', 1);
      expect(await under.names()).toEqual([expect.stringMatching(/references\/%2E%2E\/%2E%2E\/x\b/)]);
      expect(await store.getReference('../../x')).toBe(1);
    });

    it('are listed however many there are', async () => {
      const names = Array.from({ length: 1010 }, (_, i) => `runs/many@1/0.${i}`);
      for (let at = 0; at < names.length; at += 50)
        await Promise.all(names.slice(at, at + 50).map((key) => store.swapReference(key, at, null)));
      expect((await under.other.listReferences('runs/many@')).toSorted()).toEqual(names.toSorted());
    }, 60_000);
  });

  describe(`${name}: swapping references`, () => {
    const swap = async (value: unknown, expected: string | null, by = store): Promise<string> => {
      const outcome = await by.swapReference('x', value, expected);
      if (outcome.kind !== 'swapped') throw new Error('conflict');
      return outcome.version;
    };

    it('creates where none is expected, and replaces the version that is expected', async () => {
      const first = await swap({ head: 1 }, null);
      expect(await under.other.readReference('x')).toEqual({ value: { head: 1 }, version: first });
      const second = await swap({ head: 2 }, first, under.other);
      expect(await store.readReference('x')).toEqual({ value: { head: 2 }, version: second });
      expect(second).not.toBe(first);
    });

    it('is refused to those who expect what is no longer there, however long ago, and says what is', async () => {
      const versions: (string | null)[] = [null];
      for (let count = 1; count <= 6; count += 1) {
        versions.push(await swap(count, versions.at(-1) ?? null));
        const current = { value: count, version: versions.at(-1) };
        for (const expected of versions.slice(0, -1)) {
          expect(await under.other.swapReference('x', 'stale', expected)).toEqual({ kind: 'conflict', current });
          expect(await under.other.readReference('x')).toEqual(current);
        }
      }
    });

    it('is refused where the same value is there but was written by someone else', async () => {
      const version = await swap(1, null);
      expect(await under.other.swapReference('x', 1, null)).toEqual({
        kind: 'conflict',
        current: { value: 1, version },
      });
    });

    it('is refused where the reference was deleted', async () => {
      const version = await swap(1, null);
      await under.other.deleteReference('x');
      expect(await store.swapReference('x', 2, version)).toEqual({ kind: 'conflict', current: undefined });
      expect(await store.listReferences('')).toEqual([]);
      await swap(3, null, under.other);
      expect(await store.getReference('x')).toBe(3);
    });

    it('keeps next to nothing of the values before', async () => {
      let version: string | null = null;
      for (let count = 0; count < 20; count += 1) version = await swap(count, version);
      expect((await under.names()).length).toBeLessThanOrEqual(2);
      expect(await store.listReferences('')).toEqual(['x']);
    });

    it('lets exactly one of many create', async () => {
      const outcomes = await Promise.all(
        Array.from({ length: 20 }, (_, at) => (at % 2 === 0 ? store : under.other).swapReference('x', at, null)),
      );
      const winner = outcomes.findIndex(({ kind }) => kind === 'swapped');
      expect(outcomes.filter(({ kind }) => kind === 'swapped')).toHaveLength(1);
      expect(await store.getReference('x')).toBe(winner);
    });

    it('gives way to a writer that replaces whatever is there, and replaces what that one wrote', async () => {
      const version = await swap(1, null);
      await under.other.setReference('x', 2);
      const outcome = await store.swapReference('x', 3, version);
      expect(outcome).toMatchObject({ kind: 'conflict', current: { value: 2 } });
      await swap(3, (await store.readReference('x'))?.version ?? null);
      expect(await under.other.getReference('x')).toBe(3);
    });

    it('loses no update of several processes, stopped and continued in the middle', async () => {
      const counters = Array.from({ length: 4 }, () => startCounter(under.location, 'x', 25));
      const seen = readUntil(() => counters.every((counter) => counter.ended()));
      const [first, second] = counters as [(typeof counters)[0], (typeof counters)[0]];
      for (const at of [3, 8, 13, 18]) {
        await first.reached(at);
        first.stop();
        await second.reached(at + 2);
        first.continue();
      }
      await Promise.all(counters.map((counter) => counter.done()));
      const written = counters.flatMap(({ values }) => values).toSorted((a, b) => a - b);
      expect(written).toEqual(Array.from({ length: 100 }, (_, at) => at + 1));
      expect(await store.getReference('x')).toBe(100);
      const values = await seen;
      expect(values).toEqual(values.toSorted((a, b) => a - b));
    }, 60_000);

    it('survives writers that are killed in the middle: every update that they were told of is there', async () => {
      const rounds = sized(2, 4);
      let told = 0;
      for (let round = 0; round < rounds; round += 1) {
        const pair = [startCounter(under.location, 'x', 1000), startCounter(under.location, 'x', 1000)];
        await Promise.all(pair.map((counter) => counter.reached(1 + (round % 4))));
        await Promise.all(pair.map((counter) => counter.kill()));
        told += pair.reduce((sum, { values }) => sum + values.length, 0);
        const value = Number(await store.getReference('x'));
        expect(value).toBeGreaterThanOrEqual(told);
        // Of each killed one at most one that it was not told of.
        expect(value).toBeLessThanOrEqual(told + 2 * (round + 1));
      }
      const survivor = startCounter(under.location, 'x', 5);
      await survivor.done();
      expect(survivor.values).toHaveLength(5);
      expect(await store.getReference('x')).toBe(survivor.values.at(-1));
    }, 120_000);

    /** What a reader sees meanwhile. */
    async function readUntil(isDone: () => boolean): Promise<number[]> {
      const values: number[] = [];
      while (!isDone()) values.push(Number((await under.other.getReference('x')) ?? 0));
      return values;
    }
  });

  it(`${name}: a look whether it can be used keeps no reference, and may be had again`, async () => {
    await store.check();
    await store.check();
    expect(await store.listReferences('')).toEqual([]);
  });

  describe(`${name}: journals`, () => {
    const written = { index: 0, text: 'an answer\nof two lines' };

    it('hold what was appended, for another process too', async () => {
      const journal = await store.openJournal('run@1/0/1.1-abc.0');
      expect(journal.entries).toEqual([]);
      await journal.append(written);
      await Promise.all([1, 2, 3].map((index) => journal.append({ index })));
      await journal.close();
      const again = await under.other.openJournal('run@1/0/1.1-abc.0');
      expect(again.entries).toEqual([written, { index: 1 }, { index: 2 }, { index: 3 }]);
      await again.append({ index: 4 });
      await again.close();
      const last = await store.openJournal('run@1/0/1.1-abc.0');
      expect(last.entries).toHaveLength(5);
      await last.close();
    });

    it('are listed by prefix and deleted by name, apart from references', async () => {
      for (const journalName of ['run@1/0/a', 'run@1/0.1/b', 'run@10/0/c', 'odd name/100%']) {
        const journal = await store.openJournal(journalName);
        await journal.append(written);
        await journal.close();
      }
      expect((await store.listJournals('run@1/')).toSorted()).toEqual(['run@1/0.1/b', 'run@1/0/a']);
      expect(await store.listJournals('odd')).toEqual(['odd name/100%']);
      expect(await store.listJournals('none/')).toEqual([]);
      await store.deleteJournal('run@1/0/a');
      await store.deleteJournal('run@1/0/a');
      expect(await store.listJournals('run@1/')).toEqual(['run@1/0.1/b']);
      expect(await store.listReferences('')).toEqual([]);
    });
  });
}

function* largeBytes(): Generator<Buffer> {
  const block = createHash('sha512').update('seed').digest();
  const chunk = Buffer.alloc(64 * 1024, block);
  for (let left = LARGE; left > 0; left -= chunk.length) {
    chunk.writeUInt32LE(left, 0);
    yield Buffer.from(left >= chunk.length ? chunk : chunk.subarray(0, left));
  }
}
