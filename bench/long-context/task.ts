/** A long document with something to find out about it, and what that is: known because the document was made so. */
export interface LongContextTask {
  readonly name: string;
  /** For a reader of the results. */
  readonly title: string;
  readonly signature: string;
  readonly instructions: string;
  readonly inputs: Readonly<Record<string, unknown>>;
  /** The one right answer, as the signature has it. */
  readonly expected: unknown;
  /** Of the document, of four characters each. */
  readonly tokens: number;
}

export interface TaskSize {
  /** The document has as many or a few less. */
  readonly tokens: number;
  /** The same seed and size give the same task. */
  readonly seed: number;
}

export const CHARACTERS_PER_TOKEN = 4;
