import type { InputSummary, InputVariable } from './kernel-protocol.ts';

/**
 * A variable of an analysis as it is kept: its bytes in the blob store, and what a prompt says of it. Nothing of its
 * content but the preview travels anywhere else.
 */
export interface StoredInput extends InputVariable {
  /** Blob with its bytes, in `format`. */
  readonly ref: string;
  /** Bytes. */
  readonly size: number;
  readonly summary: InputSummary;
  /** The files it is from. Left out where it is from none. */
  readonly files?: InputFiles;
}

/** Names of files, relative to their folder, in the order in which the variable holds them. */
export interface InputFiles {
  /** Blob with all of them, a list in JSON. */
  readonly ref: string;
  readonly count: number;
  /** As many of the first as a prompt shows. */
  readonly first: readonly string[];
}
