import type { Readable } from 'node:stream';
import type { Journals } from './journal.ts';

/** SHA-256 of a blob's bytes in base64url, 43 characters: shorter than hexadecimal, because it travels through history. */
export type BlobHash = string;

export interface StoredBlob {
  readonly hash: BlobHash;
  /** Bytes. */
  readonly size: number;
  /** Milliseconds since the epoch at which it was stored last, up to `FRESH_MS` early where it was there already. */
  readonly written: number;
}

/** A reference as it was read. */
export interface StoredReference {
  readonly value: unknown;
  /** What `swapReference` is to expect; it has no other meaning. */
  readonly version: string;
}

export type SwapOutcome =
  | { readonly kind: 'swapped'; readonly version: string }
  /** Nothing was changed. `current` is undefined where there is no such reference. */
  | { readonly kind: 'conflict'; readonly current: StoredReference | undefined };

/**
 * Milliseconds for which a blob that was stored is not stored again. Far less than the time for which a sweep leaves
 * alone what was written.
 */
export const FRESH_MS = 60 * 60_000;

/**
 * Content-addressed blobs and named references to them.
 *
 * A blob never changes. A reference is a small JSON value under a path-like name (`runs/<run>/0`); it is
 * replaced as a whole by compare-and-swap, and a reader sees the old or the new value, never a mixture.
 *
 * @throws TypedError `Storage.Missing`, `Storage.Damaged` (naming the blob), `Storage.Unavailable`.
 */
export interface BlobStore extends Journals {
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

  /** `undefined` where there is none. */
  readReference(name: string): Promise<StoredReference | undefined>;
  /**
   * Replaces a reference if it still is what the caller has read. Of several writers that expect the same version one
   * succeeds; the others learn the current value. A write whose reply was lost counts as a success.
   *
   * @param expected the version that was read; null where the reference must not exist yet
   */
  swapReference(name: string, value: unknown, expected: string | null): Promise<SwapOutcome>;
  /** The value alone, for those who only read. `undefined` where there is none. */
  getReference(name: string): Promise<unknown>;
  /** Replaces whatever is there: only where the last writer is right. */
  setReference(name: string, value: unknown): Promise<void>;
  /** Names that start with `prefix`, in no particular order. */
  listReferences(prefix: string): Promise<string[]>;
  /** For a reference that is no longer written. A missing reference is no error. */
  deleteReference(name: string): Promise<void>;

  /**
   * Tries within 10 s whether the store can be used, so that a run which could not keep anything is not begun.
   *
   * @throws TypedError `Storage.Unavailable` that says what to do
   */
  check(): Promise<void>;
}
