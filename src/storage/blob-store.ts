import type { Readable } from 'node:stream';

/** SHA-256 of a blob's bytes in base64url, 43 characters: shorter than hexadecimal, because it travels through history. */
export type BlobHash = string;

export interface StoredBlob {
  readonly hash: BlobHash;
  /** Bytes. */
  readonly size: number;
  /** Milliseconds since the epoch at which it was stored last, up to `FRESH_MS` early where it was there already. */
  readonly written: number;
}

/**
 * Milliseconds for which a blob that was stored is not stored again. Far less than the time for which a sweep leaves
 * alone what was written.
 */
export const FRESH_MS = 60 * 60_000;

/**
 * Content-addressed blobs and named references to them.
 *
 * A blob never changes. A reference is a small JSON value under a path-like name (`runs/<run>/0`); it is
 * replaced as a whole, and a reader sees the old or the new value, never a mixture.
 *
 * @throws TypedError `Storage.Missing`, `Storage.Damaged` (naming the blob), `Storage.Unavailable`.
 */
export interface BlobStore {
  /** Stored (and on disk) when this resolves; the same bytes are stored once. */
  put(bytes: Uint8Array): Promise<BlobHash>;
  /** Like `put` for bytes that should not be held in memory. */
  putStream(stream: Readable): Promise<{ hash: BlobHash; size: number }>;
  get(hash: BlobHash): Promise<Uint8Array>;
  /** The bytes as a stream; the hash is checked at its end, a mismatch is an error of the stream. */
  open(hash: BlobHash): Promise<Readable>;
  has(hash: BlobHash): Promise<boolean>;
  /** As `has`; and what is there counts as written now. For who refers to a blob that somebody else once stored. */
  renew(hash: BlobHash): Promise<boolean>;
  /** Every blob, in no particular order; those written or deleted meanwhile may be among them or not. */
  list(): AsyncIterable<StoredBlob>;
  /**
   * Deletes a blob unless it was written, or renewed, at or after `before` (milliseconds since the epoch).
   *
   * @returns whether it is gone
   */
  delete(hash: BlobHash, before: number): Promise<boolean>;

  setReference(name: string, value: unknown): Promise<void>;
  /** `undefined` where there is none. */
  getReference(name: string): Promise<unknown>;
  /** Names that start with `prefix`, in no particular order. */
  listReferences(prefix: string): Promise<string[]>;
  /** Nothing to do where there is none. */
  deleteReference(name: string): Promise<void>;

  /**
   * Tries within 10 s whether the store can be used, so that a run which could not keep anything is not begun.
   *
   * @throws TypedError `Storage.Unavailable` that says what to do
   */
  check(): Promise<void>;
}
