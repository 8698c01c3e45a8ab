import { Readable } from 'node:stream';
import type { StoredInput } from '../domain/inputs.ts';
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
  /** What was left out, or looks wrong, when all bytes were read. */
  readonly warnings?: () => readonly string[];
}

/** What gathers before it is passed on. */
const CHUNK = 256 * 1024;

export async function store(blobs: Pick<BlobStore, 'putStream'>, field: Field, source: Source): Promise<StoredInput> {
  const { hash, size } = await blobs.putStream(Readable.from(source.bytes, { objectMode: false }));
  const { name, type } = field;
  return { name, type, format: source.format, ref: hash, size, summary: source.summary() };
}

/** Short texts as bytes in large pieces. */
export async function* encoded(pieces: AsyncIterable<string> | Iterable<string>): AsyncGenerator<Uint8Array> {
  let gathered: string[] = [];
  let length = 0;
  for await (const piece of pieces) {
    gathered.push(piece);
    length += piece.length;
    if (length >= CHUNK) {
      yield Buffer.from(gathered.join(''));
      gathered = [];
      length = 0;
    }
  }
  if (length > 0) yield Buffer.from(gathered.join(''));
}
