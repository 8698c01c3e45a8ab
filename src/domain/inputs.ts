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
}
