import { createHash } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import {
  DeleteObjectCommand,
  GetObjectCommand,
  paginateListObjectsV2,
  PutObjectCommand,
  type S3Client,
} from '@aws-sdk/client-s3';
import { escapeSegment } from './blob-names.ts';
import type { StoredReference, SwapOutcome } from './blob-store.ts';
import {
  createEntry,
  formatVersion,
  parseEntry,
  parseVersion,
  storedReference,
  type ReferenceEntry,
} from './reference-entry.ts';
import { SMALL_REQUEST_TIME } from './s3-client.ts';
import { isAbsent, isRefusedCondition } from './s3-failures.ts';

/** Attempts of a swap that the store refuses although nothing has changed: another conditional write was under way. */
const MAX_SWAP_ATTEMPTS = 10;
const SWAP_RETRY_MS = 50;
/** Attempts of a read whose ETag is not that of its bytes: about a second. */
const MAX_READ_ATTEMPTS = 10;
const READ_RETRY_MS = 20;
/** Matches nothing, where a store leaves the ETag out. */
const NO_ETAG = '"none"';

interface Found {
  readonly etag: string;
  readonly entry: ReferenceEntry;
}

export interface S3References {
  read(name: string): Promise<StoredReference | undefined>;
  swap(name: string, value: unknown, expected: string | null): Promise<SwapOutcome>;
  list(prefix: string): Promise<string[]>;
  delete(name: string): Promise<void>;
}

/** References as objects `<prefix><name>.json`, replaced by conditional writes (`If-Match`, `If-None-Match`). */
export function createS3References(client: S3Client, where: { bucket: string; prefix: string }): S3References {
  const { bucket: Bucket, prefix } = where;
  const keyOf = (name: string): string => `${prefix}${name.split('/').map(escapeSegment).join('/')}.json`;
  const small = { requestTimeout: SMALL_REQUEST_TIME };
  /**
   * Whether the store's ETags are the MD5 of the bytes, as far as is known: not so where it encrypts. A gateway that
   * keeps ETags apart from objects (versitygw with a sidecar) may answer with the ETag of the next version and the bytes
   * of the one before; a swap that expects this ETag would overwrite a version that its writer has never seen.
   */
  let hasDigests: boolean | undefined;

  async function find(name: string): Promise<Found | undefined> {
    const Key = keyOf(name);
    try {
      for (let attempt = 1; ; attempt += 1) {
        const { Body, ETag = NO_ETAG } = await client.send(new GetObjectCommand({ Bucket, Key }), small);
        const text = (await Body?.transformToString()) ?? '';
        const isMixed = hasDigests !== false && !isDigest(ETag, text);
        if (!isMixed || attempt >= MAX_READ_ATTEMPTS) {
          if (isMixed) hasDigests ??= false;
          return { etag: ETag, entry: parseEntry(text, `s3://${Bucket}/${Key}`) };
        }
        await delay(READ_RETRY_MS * attempt);
      }
    } catch (error) {
      if (isAbsent(error)) return undefined;
      throw error;
    }
  }

  return {
    async read(name) {
      const found = await find(name);
      return found === undefined ? undefined : storedReference(found.etag, found.entry);
    },

    async swap(name, value, expected) {
      const entry = createEntry(value, expected);
      const condition = expected === null ? { IfNoneMatch: '*' } : { IfMatch: parseVersion(expected).place };
      const text = JSON.stringify(entry);
      const put = { Bucket, Key: keyOf(name), Body: Buffer.from(text), ...condition };
      for (let attempt = 1; ; attempt += 1) {
        try {
          const { ETag = NO_ETAG } = await client.send(new PutObjectCommand(put), small);
          hasDigests = isDigest(ETag, text);
          return { kind: 'swapped', version: formatVersion(ETag, entry.id) };
        } catch (error) {
          if (!isRefusedCondition(error)) throw error;
          const found = await find(name);
          // It was stored, and the reply was lost: the SDK asked again, and its own write stood in the way.
          if (found?.entry.id === entry.id || found?.entry.after === entry.id) {
            const etag = found.entry.id === entry.id ? found.etag : '"replaced"';
            return { kind: 'swapped', version: formatVersion(etag, entry.id) };
          }
          const current = found === undefined ? undefined : storedReference(found.etag, found.entry);
          if ((current?.version ?? null) !== expected) return { kind: 'conflict', current };
          if (attempt >= MAX_SWAP_ATTEMPTS) throw error;
          await delay(SWAP_RETRY_MS * Math.random() * attempt);
        }
      }
    },

    async list(wanted) {
      const folder = wanted
        .slice(0, wanted.lastIndexOf('/') + 1)
        .split('/')
        .map(escapeSegment)
        .join('/');
      const rest = encodable(wanted.slice(wanted.lastIndexOf('/') + 1));
      const names: string[] = [];
      const pages = paginateListObjectsV2({ client }, { Bucket, Prefix: `${prefix}${folder}${rest}` });
      for await (const { Contents = [] } of pages)
        for (const { Key } of Contents)
          if (Key?.endsWith('.json') === true)
            names.push(Key.slice(prefix.length, -'.json'.length).split('/').map(decodeURIComponent).join('/'));
      return names.filter((name) => name.startsWith(wanted));
    },

    async delete(name) {
      await client.send(new DeleteObjectCommand({ Bucket, Key: keyOf(name) }), small);
    },
  };
}

function isDigest(etag: string, text: string): boolean {
  return etag === `"${createHash('md5').update(text).digest('hex')}"`;
}

/** The beginning of a name as far as its escaped form begins the same way: not so for dots and halves of a character. */
function encodable(beginning: string): string {
  return /^\.+$/.test(beginning) || !beginning.isWellFormed() ? '' : encodeURIComponent(beginning);
}
