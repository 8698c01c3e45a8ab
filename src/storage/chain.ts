import { checkedRecord, type ChainRecord, type RunSpecification } from '../domain/records.ts';
import type { BlobStore } from './blob-store.ts';

/**
 * Reads and extends trajectories. Records that were read or written are kept in memory up to `cacheCharacters`, so
 * that rendering turn after turn does not read the whole chain again.
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
  const cache = createCache(cacheCharacters);

  async function read(hash: string): Promise<unknown> {
    const cached = cache.get(hash);
    if (cached !== undefined) return cached;
    const text = Buffer.from(await blobs.get(hash)).toString('utf8');
    const value: unknown = JSON.parse(text);
    cache.set(hash, value, text.length);
    return value;
  }

  async function write(value: unknown): Promise<string> {
    // Keys keep their order: answers and arguments are Python's.
    const text = JSON.stringify(value) ?? 'null';
    const hash = await blobs.put(Buffer.from(text, 'utf8'));
    cache.set(hash, value, text.length);
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

interface Cache {
  get(hash: string): unknown;
  set(hash: string, value: unknown, size: number): void;
}

/** Keeps what was used last, up to `capacity` characters of JSON; what would fill more than a tenth is not kept. */
function createCache(capacity: number): Cache {
  const entries = new Map<string, { readonly value: unknown; readonly size: number }>();
  let total = 0;
  return {
    get(hash) {
      const entry = entries.get(hash);
      if (entry === undefined) return undefined;
      entries.delete(hash);
      entries.set(hash, entry);
      return entry.value;
    },
    set(hash, value, size) {
      if (size > capacity / 10 || entries.has(hash)) return;
      entries.set(hash, { value, size });
      total += size;
      for (const [oldest, entry] of entries) {
        if (total <= capacity) break;
        entries.delete(oldest);
        total -= entry.size;
      }
    },
  };
}
