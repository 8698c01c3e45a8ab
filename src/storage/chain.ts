import { LRUCache } from 'lru-cache';
import { checkedRecord, type ChainRecord, type RunSpecification } from '../domain/records.ts';
import type { BlobStore } from './blob-store.ts';
import { parseJson, stringifyJson } from '../domain/ordered-json.ts';

/** Part of the cache that one value may fill. */
const MAX_SHARE = 1 / 10;

/**
 * Larger values: a call with thousands of prompts is read by hundreds of activities, one part each, and by every
 * sub-agent that it starts. As many as sandboxes may hand over at the same time are kept for a moment.
 */
const MAX_LARGE_VALUES = 2;
const LARGE_VALUE_TTL_MS = 30_000;

/**
 * Reads and extends trajectories. Records that were read or written are kept in memory, those used last, up to
 * `cacheCharacters` of JSON: rendering turn after turn does not read the whole chain again.
 */
export interface Chains {
  append(record: ChainRecord): Promise<string>;
  record(hash: string): Promise<ChainRecord>;
  /** From the first record to `head`. */
  walk(head: string): Promise<ChainRecord[]>;
  specification(hash: string): Promise<RunSpecification>;
  /** Any JSON value as a blob. */
  putJson(value: unknown): Promise<string>;
  getJson(hash: string): Promise<unknown>;
}

export function createChains(
  blobs: BlobStore,
  { cacheCharacters = 64_000_000 }: { cacheCharacters?: number } = {},
): Chains {
  const maxEntrySize = Math.max(1, Math.floor(cacheCharacters * MAX_SHARE));
  // The cache does not know a size of zero: then nothing fits.
  const cache = new LRUCache<string, { readonly value: unknown }>({
    maxSize: Math.max(1, cacheCharacters),
    maxEntrySize,
  });
  const large = new LRUCache<string, { readonly value: unknown }>({
    max: MAX_LARGE_VALUES,
    ttl: LARGE_VALUE_TTL_MS,
    ttlAutopurge: true,
  });
  const reading = new Map<string, Promise<unknown>>();

  function remember(hash: string, value: unknown, size: number): void {
    if (size <= maxEntrySize) cache.set(hash, { value }, { size: Math.max(1, size) });
    else if (cacheCharacters > 0) large.set(hash, { value });
  }

  /** Those who ask at the same time get what is read once. */
  function read(hash: string): Promise<unknown> {
    const cached = cache.get(hash) ?? large.get(hash);
    if (cached !== undefined) return Promise.resolve(cached.value);
    const known = reading.get(hash);
    if (known !== undefined) return known;
    const value = readBlob(hash).finally(() => reading.delete(hash));
    reading.set(hash, value);
    return value;
  }

  async function readBlob(hash: string): Promise<unknown> {
    const text = Buffer.from(await blobs.get(hash)).toString('utf8');
    const value = parseJson(text);
    remember(hash, value, text.length);
    return value;
  }

  async function write(value: unknown): Promise<string> {
    // Keys keep their order: answers and arguments are Python's.
    const text = stringifyJson(value);
    const hash = await blobs.put(Buffer.from(text, 'utf8'));
    remember(hash, value, text.length);
    return hash;
  }

  const record = async (hash: string): Promise<ChainRecord> => checkedRecord(await read(hash));

  return {
    append: write,
    record,
    async walk(head) {
      const records: ChainRecord[] = [];
      for (let hash: string | null = head; hash !== null;) {
        const next: ChainRecord = await record(hash);
        records.push(next);
        hash = next.parent;
      }
      return records.toReversed();
    },
    specification: async (hash) => (await read(hash)) as RunSpecification,
    putJson: write,
    getJson: read,
  };
}
