import { constants } from 'node:fs';
import { open } from 'node:fs/promises';

/** Far more than any file of settings has, or an index of results. */
const MAX_BYTES = 1024 * 1024;

/**
 * The text of a file that may have come with somebody else's folder: a pipe there would be waited for without an end, and
 * a link to a device read without one.
 *
 * @throws Error when it is no file, or has more than 1 MiB; with a `code` when it cannot be opened
 */
export async function readTextFile(path: string): Promise<string> {
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const found = await file.stat();
    if (!found.isFile()) throw new Error(`${path} is not a file`);
    if (found.size > MAX_BYTES) throw new Error(`${path} has more than ${MAX_BYTES} bytes`);
    return await file.readFile('utf8');
  } finally {
    await file.close();
  }
}
