import { createHash } from 'node:crypto';
import { Transform } from 'node:stream';
import { TypedError } from '../domain/failures.ts';
import type { BlobHash } from './blob-store.ts';

/*
 * How blobs and references are called, the same in every store: a folder copied into a bucket as it is, or the other
 * way round, is the same store.
 */

export function sha256(bytes: Uint8Array): BlobHash {
  return createHash('sha256').update(bytes).digest('base64url');
}

/**
 * The last two parts of a blob's name, in hexadecimal digits: not every file system tells upper from lower case.
 *
 * @throws TypedError `Storage.Missing` for what cannot be the hash of a blob
 */
export function objectSegments(hash: BlobHash): [string, string] {
  if (!/^[A-Za-z0-9_-]{43}$/.test(hash))
    throw new TypedError('Storage.Missing', `"${hash.slice(0, 80)}" is not the hash of a blob`);
  const digits = Buffer.from(hash, 'base64url').toString('hex');
  return [digits.slice(0, 2), digits.slice(2)];
}

/** The hash of a blob by the last two parts of its name; undefined where that is no blob's. */
export function hashOfSegments(folder: string, file: string): BlobHash | undefined {
  const digits = `${folder}${file}`;
  return folder.length === 2 && /^[0-9a-f]{64}$/.test(digits)
    ? Buffer.from(digits, 'hex').toString('base64url')
    : undefined;
}

/** Names become parts of paths: whatever could mean something there is escaped. */
export function escapeSegment(segment: string): string {
  return encodeURIComponent(segment).replace(/^\.+$/, (dots) => '%2E'.repeat(dots.length));
}

/** Passes bytes on and measures them. */
export function measure(): { stream: Transform; size: () => number; hash: () => BlobHash } {
  const digest = createHash('sha256');
  let size = 0;
  const stream = new Transform({
    transform(chunk: Buffer, _encoding, done): void {
      digest.update(chunk);
      size += chunk.length;
      done(null, chunk);
    },
  });
  return { stream, size: () => size, hash: () => digest.digest('base64url') };
}

/** Passes bytes on; an error at their end when they do not have the hash. */
export function checking(hash: BlobHash, damaged: () => Error): Transform {
  const digest = createHash('sha256');
  return new Transform({
    transform(chunk: Buffer, _encoding, done): void {
      digest.update(chunk);
      done(null, chunk);
    },
    flush(done): void {
      done(digest.digest('base64url') === hash ? null : damaged());
    },
  });
}
