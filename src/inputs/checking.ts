import type { InputSummary } from '../domain/kernel-protocol.ts';

/** Looks at bytes as they pass. */
export interface Check {
  /** @throws TypedError `Input.Invalid` where they are not what the field wants */
  take(chunk: Buffer): void;
  end(): void;
  /** After the end. */
  summary(): InputSummary;
  /** What looks wrong, after the end. */
  warnings?(): readonly string[];
}

/** Passes bytes on, each piece after it was checked. */
export async function* checked(bytes: AsyncIterable<Uint8Array>, check: Check): AsyncGenerator<Uint8Array> {
  for await (const chunk of bytes) {
    check.take(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength));
    yield chunk;
  }
  check.end();
}
