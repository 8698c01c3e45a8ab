import { constants } from 'node:fs';
import { open, rm, stat, writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { errorMessage } from '../domain/error-message.ts';
import { PRIVATE_FILE_MODE } from '../files/private-folder.ts';
import { CommandError } from './report-error.ts';

/**
 * Makes sure that a file can be written, and leaves everything as it was.
 *
 * @throws CommandError with exit code 2
 */
export async function checkWritable(cwd: string, file: string): Promise<void> {
  const path = resolve(cwd, file);
  try {
    const existed = (await stat(path).catch(() => undefined)) !== undefined;
    const handle = await open(path, constants.O_WRONLY | constants.O_CREAT | constants.O_APPEND, PRIVATE_FILE_MODE);
    await handle.close();
    if (!existed) await rm(path);
  } catch (error) {
    throw new CommandError(`${file} cannot be written (${reasonOf(error)}): choose another file with -o.`);
  }
}

/** A new file can be read by its owner only; one that exists keeps its mode. */
export async function writeOutput(cwd: string, file: string, bytes: Uint8Array): Promise<void> {
  await writeFile(resolve(cwd, file), bytes, { mode: PRIVATE_FILE_MODE });
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'its folder does not exist',
  ENOTDIR: 'its folder is no folder',
  EISDIR: 'it is a folder',
  EACCES: 'you may not write there',
  EPERM: 'you may not write there',
  EROFS: 'the file system is read-only',
  ENOSPC: 'the disk is full',
  EDQUOT: 'your quota is used up',
};

/** In a few words. */
export function reasonOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  return REASONS[code] ?? errorMessage(error);
}
