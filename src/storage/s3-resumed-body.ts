import { Readable } from 'node:stream';
import type { GetObjectCommandOutput } from '@aws-sdk/client-s3';

/** How often a body that breaks off is asked for again; the SDK repeats requests, not what comes after their headers. */
const RESUMPTIONS = 4;

/**
 * A body that continues where it stopped when its connection is lost.
 *
 * @param ask for the bytes from an offset on
 */
export async function resumedBody(ask: (offset: number) => Promise<GetObjectCommandOutput>): Promise<Readable> {
  const first = await ask(0);
  return Readable.from(chunks(first, ask), { objectMode: false });
}

async function* chunks(
  first: GetObjectCommandOutput,
  ask: (offset: number) => Promise<GetObjectCommandOutput>,
): AsyncGenerator<Uint8Array> {
  const whole = first.ContentLength;
  let body = first.Body;
  let offset = 0;
  for (let resumptions = 0; ; resumptions += 1) {
    // What the reader throws while it has a chunk is its own, and no reason to ask again.
    let delivering = false;
    try {
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- under Node it is an IncomingMessage
      for await (const chunk of (body ?? Readable.from([])) as Readable as AsyncIterable<Uint8Array>) {
        offset += chunk.length;
        delivering = true;
        yield chunk;
        delivering = false;
      }
      if (whole === undefined || offset >= whole) return;
    } catch (error) {
      if (delivering || resumptions >= RESUMPTIONS) throw error;
    }
    if (resumptions >= RESUMPTIONS) return; // Too short: its hash will tell.
    body = (await ask(offset)).Body;
  }
}
