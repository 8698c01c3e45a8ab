import { LRUCache } from 'lru-cache';
import { checkedRecord, type ChainRecord, type RunSpecification } from '../domain/records.ts';
import type { BlobStore } from './blob-store.ts';
import { parseJson, stringifyJson } from '../domain/ordered-json.ts';

/** Part of the cache that one value may fill. */
const MAX_SHARE = 1 / 10;

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
  // The cache does not know a size of zero: then nothing fits.
  const cache = new LRUCache<string, { readonly value: unknown }>({
    maxSize: Math.max(1, cacheCharacters),
    maxEntrySize: Math.max(1, Math.floor(cacheCharacters * MAX_SHARE)),
  });

  async function read(hash: string): Promise<unknown> {
    const cached = cache.get(hash);
    if (cached !== undefined) return cached.value;
    const text = Buffer.from(await blobs.get(hash)).toString('utf8');
    const value = parseJson(text);
    cache.set(hash, { value }, { size: Math.max(1, text.length) });
    return value;
  }

  async function write(value: unknown): Promise<string> {
    // Keys keep their order: answers and arguments are Python's.
    const text = stringifyJson(value);
    const hash = await blobs.put(Buffer.from(text, 'utf8'));
    cache.set(hash, { value }, { size: Math.max(1, text.length) });
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
