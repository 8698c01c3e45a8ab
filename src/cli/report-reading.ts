import { Readable } from 'node:stream';
import type { BlobStore } from '../storage/blob-store.ts';

/** Small inputs are read in less. */
const FIRST_MS = 5000;
const EVERY_MS = 15_000;

type Streams = Pick<BlobStore, 'putStream'>;

/**
 * Says now and then how much of inputs was read, so that nobody takes a large file for a command that hangs, nor a pipe
 * that nobody writes to for a large file.
 *
 * @param log - takes a line
 */
export async function reportReading<Read>(
  blobs: Streams,
  log: (line: string) => void,
  read: (blobs: Streams) => Promise<Read>,
): Promise<Read> {
  let bytes = 0;
  async function* counted(stream: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const chunk of stream) {
      bytes += chunk.length;
      yield chunk;
    }
  }
  const report = (): void => {
    const megabytes = Math.floor(bytes / 1_000_000);
    log(
      bytes === 0
        ? 'Reading the inputs: nothing has arrived yet.'
        : `Reading the inputs: ${megabytes === 0 ? 'less than 1' : megabytes} MB so far.`,
    );
  };
  let timer = setTimeout(function next() {
    report();
    timer = setTimeout(next, EVERY_MS);
  }, FIRST_MS);
  try {
    return await read({
      putStream: (stream) =>
        blobs.putStream(Readable.from(counted(stream as AsyncIterable<Uint8Array>), { objectMode: false })),
    });
  } finally {
    clearTimeout(timer);
  }
}
