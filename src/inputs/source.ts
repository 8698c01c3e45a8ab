import { Readable } from 'node:stream';
import type { InputFiles, StoredInput } from '../domain/inputs.ts';
import type { InputFormat, InputSummary } from '../domain/kernel-protocol.ts';
import type { Field } from '../domain/signature/field-type.ts';
import type { BlobStore } from '../storage/blob-store.ts';

/** The bytes of an input, on their way. They are read once. */
export interface Source {
  readonly format: InputFormat;
  /** @throws TypedError `Input.Invalid` where they are not what the field wants */
  readonly bytes: AsyncIterable<Uint8Array>;
  /** What is known of the value when all bytes were read. */
  readonly summary: () => InputSummary;
  /** What was found, left out, or looks wrong, when all bytes were read. */
  readonly notes?: () => readonly string[];
  /** Of the files it is from, in the order of its items, when all bytes were read. */
  readonly names?: readonly string[];
}

/** What gathers before it is passed on. */
const CHUNK = 256 * 1024;

export async function store(blobs: Pick<BlobStore, 'putStream'>, field: Field, source: Source): Promise<StoredInput> {
  const { hash, size } = await blobs.putStream(Readable.from(source.bytes, { objectMode: false }));
  const { name, type } = field;
  const stored = { name, type, format: source.format, ref: hash, size, summary: source.summary() };
  const { names } = source;
  return names === undefined || names.length === 0 ? stored : { ...stored, files: await storeNames(blobs, names) };
}

/** Characters of names that a prompt shows. */
const SHOWN_NAMES = 6000;

async function storeNames(blobs: Pick<BlobStore, 'putStream'>, names: readonly string[]): Promise<InputFiles> {
  const { hash } = await blobs.putStream(Readable.from([Buffer.from(JSON.stringify(names))], { objectMode: false }));
  let left = SHOWN_NAMES;
  const first = names.filter((name) => {
    left -= name.length + 4;
    return left >= 0;
  });
  return { ref: hash, count: names.length, first };
}

/** Short texts as bytes in large pieces. */
export async function* encoded(
  pieces: AsyncIterable<string | Uint8Array> | Iterable<string>,
): AsyncGenerator<Uint8Array> {
  let gathered: string[] = [];
  let length = 0;
  for await (const piece of pieces) {
    if (typeof piece === 'string') {
      gathered.push(piece);
      length += piece.length;
    }
    if (length >= CHUNK || (typeof piece !== 'string' && length > 0)) {
      yield Buffer.from(gathered.join(''));
      gathered = [];
      length = 0;
    }
    if (typeof piece !== 'string') yield piece;
  }
  if (length > 0) yield Buffer.from(gathered.join(''));
}
