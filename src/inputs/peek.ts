export interface Begun {
  /** The first bytes, or all there are. */
  readonly start: Buffer;
  readonly isWhole: boolean;
  /** All bytes, those of the start again. */
  readonly bytes: AsyncIterable<Uint8Array>;
  /** For who does not read them to their end. */
  readonly close: () => Promise<void>;
}

/** Looks at the beginning of bytes that can be read once. */
export async function peek(stream: AsyncIterable<Uint8Array>, size: number): Promise<Begun> {
  const chunks = stream[Symbol.asyncIterator]();
  const taken: Uint8Array[] = [];
  let length = 0;
  let isWhole = false;
  while (length < size && !isWhole) {
    // oxlint-disable-next-line no-await-in-loop -- one after the other
    const next = await chunks.next();
    if (next.done === true) isWhole = true;
    else {
      taken.push(next.value);
      length += next.value.length;
    }
  }
  const start = Buffer.concat(taken);
  const close = async (): Promise<void> => {
    await chunks.return?.();
  };
  async function* bytes(): AsyncGenerator<Uint8Array> {
    try {
      yield start;
      if (!isWhole) yield* { [Symbol.asyncIterator]: () => chunks };
    } finally {
      await close();
    }
  }
  return { start, isWhole, bytes: bytes(), close };
}
