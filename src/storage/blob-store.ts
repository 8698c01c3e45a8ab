import type { Readable } from 'node:stream';

/** SHA-256 of a blob's bytes in base64url, 43 characters: shorter than hexadecimal, because it travels through history. */
export type BlobHash = string;

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

  setReference(name: string, value: unknown): Promise<void>;
  /** `undefined` where there is none. */
  getReference(name: string): Promise<unknown>;
  /** Names that start with `prefix`, in no particular order. */
  listReferences(prefix: string): Promise<string[]>;

  /**
   * Tries within 10 s whether the store can be used, so that a run which could not keep anything is not begun.
   *
   * @throws TypedError `Storage.Unavailable` that says what to do
   */
  check(): Promise<void>;
}
