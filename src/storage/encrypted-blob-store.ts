import { Readable } from 'node:stream';
import { TypedError } from '../domain/failures.ts';
import type { BlobStore, StoredReference } from './blob-store.ts';
import { simpleReferences } from './reference-entry.ts';
import { KeyMissing } from '../domain/key-missing.ts';
import type { EncryptionKeys } from '../encryption/keys.ts';
import { seal, SEAL_BYTES, unseal } from '../encryption/seal.ts';

/** Begins what is encrypted; eight characters follow that name the key. */
const MAGIC = Buffer.from('RLM-AES1');
const KEY_ID_BYTES = 8;
const HEAD_BYTES = MAGIC.length + KEY_ID_BYTES;
/** Each part is encrypted by itself, so that a blob can be streamed. */
const PART_BYTES = 1024 * 1024;
const SEALED_PART_BYTES = PART_BYTES + SEAL_BYTES;
const ENTRY = 'encrypted';

/** Those that decrypt, by id. */
type Keys = EncryptionKeys['byId'];
const NO_KEYS: Keys = new Map();

/**
 * Encrypts blobs, the values of references and the entries of journals on their way into a store, and decrypts them on
 * their way back. Names stay as they are: of runs and agents, and for a blob the hash of what is stored. The same bytes give
 * the same blob under the same key. What was stored before there was a key is read as it is.
 */
export function encryptBlobStore(store: BlobStore, keys: EncryptionKeys): BlobStore {
  const wrap = (value: unknown): unknown => ({
    [ENTRY]: sealBytes(keys, Buffer.from(JSON.stringify(value) ?? 'null')).toString('base64'),
  });
  return {
    ...convertValues(store, keys.byId, wrap),
    put: (bytes) => store.put(sealBytes(keys, bytes)),
    async putStream(stream) {
      let size = 0;
      const counted = async function* (): AsyncGenerator<Uint8Array> {
        for await (const chunk of stream as AsyncIterable<Uint8Array>) {
          size += chunk.length;
          yield chunk;
        }
      };
      const { hash } = await store.putStream(Readable.from(sealStream(keys, counted())));
      return { hash, size };
    },
    get: async (hash) => openBytes(keys.byId, await store.get(hash)),
    open: async (hash) => Readable.from(openStream(keys.byId, (await store.open(hash)) as AsyncIterable<Buffer>)),
  };
}

/**
 * For a process without a key: what is encrypted is refused with the name of the key, not taken for damaged data. Streams are
 * left as they are: the record that names one is read before it.
 */
export function refuseEncryptedBlobs(store: BlobStore): BlobStore {
  return {
    ...convertValues(store, NO_KEYS, (value) => value),
    get: async (hash) => openBytes(NO_KEYS, await store.get(hash)),
  };
}

/** The store with other values of references and entries of journals: decrypted when read, passed through `wrap` when written. */
function convertValues(store: BlobStore, keys: Keys, wrap: (value: unknown) => unknown): BlobStore {
  const unwrap = (value: unknown): unknown => {
    if (typeof value !== 'object' || value === null || !(ENTRY in value) || typeof value[ENTRY] !== 'string')
      return value;
    return JSON.parse(openBytes(keys, Buffer.from(value[ENTRY], 'base64')).toString('utf8'));
  };
  const unwrapReference = (found: StoredReference | undefined): StoredReference | undefined =>
    found === undefined ? undefined : { ...found, value: unwrap(found.value) };
  const readReference: BlobStore['readReference'] = async (name) => unwrapReference(await store.readReference(name));
  const swapReference: BlobStore['swapReference'] = async (name, value, expected) => {
    const outcome = await store.swapReference(name, wrap(value), expected);
    return outcome.kind === 'swapped' ? outcome : { kind: 'conflict', current: unwrapReference(outcome.current) };
  };
  return {
    ...store,
    readReference,
    swapReference,
    ...simpleReferences({ readReference, swapReference }),
    async openJournal(name) {
      const journal = await store.openJournal(name);
      let entries: readonly unknown[];
      try {
        entries = journal.entries.map(unwrap);
      } catch (error) {
        await journal.close(); // Its caller never gets it.
        throw error;
      }
      return {
        entries,
        append: (entry) => journal.append(wrap(entry)),
        close: () => journal.close(),
      };
    },
  };
}

function sealBytes({ current }: EncryptionKeys, bytes: Uint8Array): Buffer {
  const parts: Uint8Array[] = [MAGIC, Buffer.from(current.id)];
  for (let at = 0, index = 0; at === 0 || at < bytes.length; at += PART_BYTES, index += 1) {
    const part = bytes.subarray(at, at + PART_BYTES);
    parts.push(seal(current, labelOf(index, at + PART_BYTES >= bytes.length), part));
  }
  return Buffer.concat(parts);
}

function openBytes(keys: Keys, bytes: Uint8Array): Buffer {
  const all = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (!all.subarray(0, MAGIC.length).equals(MAGIC)) return all;
  const key = keyOf(keys, all.subarray(0, HEAD_BYTES));
  const parts: Buffer[] = [];
  for (let at = HEAD_BYTES, index = 0; at < all.length; at += SEALED_PART_BYTES, index += 1) {
    const isLast = at + SEALED_PART_BYTES >= all.length;
    parts.push(openPart(key, index, isLast, all.subarray(at, at + SEALED_PART_BYTES)));
  }
  return Buffer.concat(parts);
}

async function* sealStream(keys: EncryptionKeys, source: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer> {
  yield Buffer.concat([MAGIC, Buffer.from(keys.current.id)]);
  let index = 0;
  for await (const { part, isLast } of inParts(source, PART_BYTES)) {
    yield seal(keys.current, labelOf(index, isLast), part);
    index += 1;
  }
}

async function* openStream(keys: Keys, source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const chunks = source[Symbol.asyncIterator]();
  try {
    let head: Buffer = Buffer.alloc(0);
    while (head.length < HEAD_BYTES) {
      const { value, done } = await chunks.next();
      if (done === true) break;
      head = Buffer.concat([head, value]);
    }
    const first = head.subarray(HEAD_BYTES);
    const afterHead = async function* (): AsyncGenerator<Buffer> {
      if (first.length > 0) yield first;
      for (let next = await chunks.next(); next.done !== true; next = await chunks.next()) yield next.value;
    };
    if (!head.subarray(0, MAGIC.length).equals(MAGIC)) {
      yield head.subarray(0, HEAD_BYTES);
      yield* afterHead();
      return;
    }
    const key = keyOf(keys, head.subarray(0, HEAD_BYTES));
    let index = 0;
    for await (const { part, isLast } of inParts(afterHead(), SEALED_PART_BYTES)) {
      yield openPart(key, index, isLast, part);
      index += 1;
    }
  } finally {
    await chunks.return?.(); // Closes its file, or its connection, also when the reader stops early.
  }
}

/** Cuts a stream into parts of this size; there is a last one, which may be empty. */
async function* inParts(
  source: AsyncIterable<Uint8Array>,
  size: number,
): AsyncGenerator<{ readonly part: Buffer; readonly isLast: boolean }> {
  let held: Buffer[] = [];
  let length = 0;
  for await (const chunk of source) {
    held.push(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength));
    length += chunk.length;
    if (length <= size) continue;
    let all = Buffer.concat(held, length);
    // The last part is not known to be one before the end.
    for (; all.length > size; all = all.subarray(size)) yield { part: all.subarray(0, size), isLast: false };
    held = [all];
    length = all.length;
  }
  yield { part: Buffer.concat(held, length), isLast: true };
}

/** Parts of one blob cannot change places, and none can be left out at the end. */
function labelOf(index: number, isLast: boolean): string {
  return `blob ${index}${isLast ? ' last' : ''}`;
}

function keyOf(keys: Keys, head: Buffer): EncryptionKeys['current'] {
  const id = head.subarray(MAGIC.length).toString('latin1');
  const key = keys.get(id);
  if (key === undefined) throw new KeyMissing(id, 'A blob');
  return key;
}

function openPart(key: EncryptionKeys['current'], index: number, isLast: boolean, part: Buffer): Buffer {
  try {
    return unseal(key, labelOf(index, isLast), part);
  } catch (error) {
    throw new TypedError('Storage.Damaged', 'A blob cannot be decrypted: it was changed, or is of another key.', {
      cause: error,
    });
  }
}
