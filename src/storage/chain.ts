import { canonicalJson, parseRecord, type ChainRecord, type RunSpecification } from '../domain/records.ts';
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

  async function read(hash: string): Promise<string> {
    const cached = cache.get(hash);
    if (cached !== undefined) return cached;
    const text = Buffer.from(await blobs.get(hash)).toString('utf8');
    cache.set(hash, text);
    return text;
  }

  async function write(value: unknown): Promise<string> {
    const text = canonicalJson(value);
    const hash = await blobs.put(Buffer.from(text, 'utf8'));
    cache.set(hash, text);
    return hash;
  }

  const record = async (hash: string): Promise<ChainRecord> => parseRecord(await read(hash));

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
    specification: async (hash) => JSON.parse(await read(hash)) as RunSpecification,
    putJson: write,
    getJson: async (hash) => JSON.parse(await read(hash)) as unknown,
  };
}

interface Cache {
  get(hash: string): string | undefined;
  set(hash: string, text: string): void;
}

/** Keeps what was used last; a text that would fill more than a tenth of it is not kept. */
function createCache(capacity: number): Cache {
  const texts = new Map<string, string>();
  let size = 0;
  return {
    get(hash) {
      const text = texts.get(hash);
      if (text !== undefined) {
        texts.delete(hash);
        texts.set(hash, text);
      }
      return text;
    },
    set(hash, text) {
      if (text.length > capacity / 10 || texts.has(hash)) return;
      texts.set(hash, text);
      size += text.length;
      for (const [oldest, old] of texts) {
        if (size <= capacity) break;
        texts.delete(oldest);
        size -= old.length;
      }
    },
  };
}
