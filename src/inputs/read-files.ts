import { open, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import type { Found } from './find-files.ts';
import { fileFault } from './invalid.ts';

/** Files that are opened and begun before it is their turn. */
const AHEAD = 8;
const START = 64 * 1024;
const CHUNK = 256 * 1024;

export interface BegunFile {
  /** Relative to the folder. */
  readonly name: string;
  /** Its beginning, or all of it: valid until the next file is asked for. */
  readonly start: Buffer;
  /** What follows; to be read before the next file is asked for. */
  readonly rest: AsyncIterable<Buffer>;
}

interface Begun {
  readonly start: Buffer;
  /** Undefined where the beginning is all. */
  readonly handle: FileHandle | undefined;
}

/**
 * Files one after the other, in their order, while the next ones are being opened: little is held of each.
 *
 * @throws TypedError `Input.Invalid` with the path of one that cannot be read
 */
export async function* readFiles({ folder, names }: Pick<Found, 'folder' | 'names'>): AsyncGenerator<BegunFile> {
  const slots: { readonly buffer: Buffer; begun: Promise<Begun> | undefined }[] = [];
  const beginFile = (index: number): void => {
    const name = names[index];
    const slot = (slots[index % AHEAD] ??= { buffer: Buffer.allocUnsafeSlow(START), begun: undefined });
    slot.begun = name === undefined ? undefined : begin(join(folder, name), slot.buffer);
    // Who waits for it learns of it; nobody may, when an earlier one fails.
    slot.begun?.catch(() => {});
  };
  for (let index = 0; index < AHEAD; index += 1) beginFile(index);
  try {
    for (const [index, name] of names.entries()) {
      // oxlint-disable-next-line no-await-in-loop -- in their order
      const begun = await slots[index % AHEAD]?.begun;
      if (begun === undefined) throw new Error('a file was not begun');
      yield { name, start: begun.start, rest: restOf(join(folder, name), begun.handle) };
      // oxlint-disable-next-line no-await-in-loop -- its buffer is used again
      await begun.handle?.close();
      beginFile(index + AHEAD);
    }
  } finally {
    await Promise.all(slots.map(({ begun }) => closed(begun)));
  }
}

async function begin(path: string, buffer: Buffer): Promise<Begun> {
  let handle: FileHandle | undefined;
  try {
    handle = await open(path);
    let length = 0;
    while (length < buffer.length) {
      // oxlint-disable-next-line no-await-in-loop -- one after the other
      const { bytesRead } = await handle.read(buffer, length, buffer.length - length, null);
      if (bytesRead === 0) {
        // oxlint-disable-next-line no-await-in-loop -- the last of this loop
        await handle.close();
        return { start: buffer.subarray(0, length), handle: undefined };
      }
      length += bytesRead;
    }
    return { start: buffer, handle };
  } catch (error) {
    await handle?.close().catch(() => {});
    throw fileFault(path, error);
  }
}

async function* restOf(path: string, handle: FileHandle | undefined): AsyncGenerator<Buffer> {
  if (handle === undefined) return;
  for (;;) {
    const buffer = Buffer.allocUnsafe(CHUNK);
    // oxlint-disable-next-line no-await-in-loop -- one after the other
    const { bytesRead } = await handle.read(buffer, 0, CHUNK, null).catch((error: unknown) => {
      throw fileFault(path, error);
    });
    if (bytesRead === 0) return;
    yield buffer.subarray(0, bytesRead);
  }
}

async function closed(begun: Promise<Begun> | undefined): Promise<void> {
  try {
    const { handle } = (await begun) ?? {};
    await handle?.close();
  } catch {
    // It could not be opened, or was closed already.
  }
}
