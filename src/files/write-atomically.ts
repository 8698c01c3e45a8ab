import { randomUUID } from 'node:crypto';
import { closeSync, fsyncSync, openSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { open, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { PRIVATE_FILE_MODE } from './private-folder.ts';

export interface AtomicWrite {
  /**
   * Default true: the content is on the disk before the file has its name, so that a power cut leaves the old file or
   * the new one. False for what means nothing after a restart of the machine.
   */
  readonly synced?: boolean;
}

/**
 * Writes a file that only this user can read. A reader finds the old content or the new, never a part of it, also
 * while several processes write.
 */
export async function writeAtomically(
  file: string,
  content: string | Uint8Array,
  { synced = true }: AtomicWrite = {},
): Promise<void> {
  const temporary = temporaryName(file);
  try {
    const handle = await open(temporary, 'wx', PRIVATE_FILE_MODE);
    try {
      await handle.writeFile(content);
      if (synced) await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, file);
  } catch (error) {
    // A full disk may have left an empty file.
    await rm(temporary, { force: true }).catch(() => undefined);
    throw error;
  }
}

/** The same for callers that cannot wait. */
export function writeAtomicallySync(
  file: string,
  content: string | Uint8Array,
  { synced = true }: AtomicWrite = {},
): void {
  const temporary = temporaryName(file);
  try {
    const descriptor = openSync(temporary, 'wx', PRIVATE_FILE_MODE);
    try {
      writeFileSync(descriptor, content);
      if (synced) fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
    renameSync(temporary, file);
  } catch (error) {
    removeIfPossible(temporary);
    throw error;
  }
}

/** In the same folder, because a rename does not cross file systems. */
function temporaryName(file: string): string {
  return join(dirname(file), `.${basename(file)}.${randomUUID()}.tmp`);
}

function removeIfPossible(file: string): void {
  try {
    rmSync(file, { force: true });
  } catch {
    // A read-only file system has no temporary file either.
  }
}
