import { createWriteStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeTemporaryFolder } from '../files/temporary-folder.ts';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { TypedError } from '../domain/failures.ts';
import { measure } from './blob-names.ts';
import type { BlobHash } from './blob-store.ts';

export interface Spooled {
  readonly hash: BlobHash;
  readonly size: number;
  /** The bytes, or the file that holds them. */
  readonly content: Uint8Array | string;
  remove(): Promise<void>;
}

/**
 * Takes a stream to its end: in memory up to `limit` bytes, beyond in a file of the temporary folder (`TMPDIR`).
 *
 * @throws what the stream throws; TypedError `Storage.Unavailable` when the temporary folder is full
 */
export async function spool(stream: Readable, limit: number): Promise<Spooled> {
  const measured = measure();
  const start: Buffer[] = [];
  let file: { folder: string; path: string } | undefined;
  const remove = async (): Promise<void> => {
    if (file !== undefined) await rm(file.folder, { recursive: true, force: true });
  };
  try {
    await pipeline(stream, measured.stream, async (source: AsyncIterable<Buffer>) => {
      const chunks = source[Symbol.asyncIterator]();
      for (let held = 0; held <= limit;) {
        const next = await chunks.next();
        if (next.done === true) return;
        start.push(next.value);
        held += next.value.length;
      }
      const folder = makeTemporaryFolder('blob');
      file = { folder, path: join(folder, 'blob') };
      const rest = { [Symbol.asyncIterator]: () => chunks };
      await pipeline(concatenated(start.splice(0), rest), createWriteStream(file.path, { mode: 0o600 }));
    });
  } catch (error) {
    await remove();
    throw isFull(error) ? full(error) : error;
  }
  return { hash: measured.hash(), size: measured.size(), content: file?.path ?? Buffer.concat(start), remove };
}

async function* concatenated(start: readonly Buffer[], rest: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  yield* start;
  yield* rest;
}

function isFull(error: unknown): error is Error {
  const code = error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined;
  return code === 'ENOSPC' || code === 'EDQUOT';
}

function full(cause: Error): TypedError {
  const message = `the temporary folder ${tmpdir()} is full: free some space there, or set TMPDIR to another folder`;
  return new TypedError('Storage.Unavailable', message, { cause });
}
