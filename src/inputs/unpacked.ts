import { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { fileFault, invalid } from './invalid.ts';

/** What a file of gzip may become, whatever its size. */
const SURE_BYTES = 256 * 1024 * 1024;
/** Beyond that, how many times its size. Logs and tables reach 100, a bomb 1,000. */
const MAX_RATIO = 200;

export function isGzip(start: Uint8Array): boolean {
  return start[0] === 0x1f && start[1] === 0x8b;
}

/**
 * What is in bytes of gzip.
 *
 * @throws TypedError `Input.Invalid` where they are damaged, or become so much that they look like a bomb
 */
export async function* gunzipped(bytes: AsyncIterable<Uint8Array>, label: string): AsyncGenerator<Uint8Array> {
  const gunzip = createGunzip();
  const source = Readable.from(bytes, { objectMode: false });
  let fault: unknown;
  source.on('error', (error) => {
    fault = error;
    gunzip.destroy(error);
  });
  source.pipe(gunzip);
  let size = 0;
  try {
    for await (const chunk of gunzip) {
      size += (chunk as Buffer).length;
      if (size > SURE_BYTES && size > MAX_RATIO * gunzip.bytesWritten)
        throw invalid(
          `${label} becomes more than ${MAX_RATIO} times its size when it is unpacked, which looks like a zip bomb; if it is none, unpack it (gunzip) and name what is in it`,
        );
      yield chunk as Buffer;
    }
  } catch (error) {
    if (fault !== undefined) throw fileFault(label, fault);
    const { code } = error as NodeJS.ErrnoException;
    if (code?.startsWith('Z_') !== true) throw error;
    throw invalid(`${label} is damaged: it cannot be unpacked (${(error as Error).message})`, error);
  } finally {
    source.destroy();
    gunzip.destroy();
  }
}
