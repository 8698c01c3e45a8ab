import { constants, lstatSync } from 'node:fs';
import { open, rm, stat, writeFile } from 'node:fs/promises';
import { isAbsolute, join, resolve, sep } from 'node:path';
import { errorMessage } from '../domain/error-message.ts';
import { PRIVATE_FILE_MODE } from '../files/private-folder.ts';
import { CommandError } from './report-error.ts';

/**
 * Makes sure that a file can be written, and leaves everything as it was.
 *
 * @throws CommandError with exit code 2
 */
export async function checkWritable(cwd: string, file: string): Promise<void> {
  const path = outputPath(cwd, file);
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
  await writeFile(outputPath(cwd, file), bytes, { mode: PRIVATE_FILE_MODE });
}

/**
 * A symbolic link in the current folder may have come with it and lead anywhere.
 *
 * @throws CommandError for a relative path that goes through one
 */
export function outputPath(cwd: string, file: string): string {
  const link = linkOnTheWay(cwd, file);
  if (link === undefined) return resolve(cwd, file);
  throw new CommandError(`${file} is not written through ${link}, which is a symbolic link: give an absolute path.`);
}

/** The first symbolic link that a relative path goes through or ends at. */
export function linkOnTheWay(cwd: string, path: string): string | undefined {
  if (isAbsolute(path)) return undefined;
  const segments = path.split(sep).filter((segment) => segment !== '' && segment !== '.');
  return segments
    .map((_, index) => join(cwd, ...segments.slice(0, index + 1)))
    .find((part) => lstatSync(part, { throwIfNoEntry: false })?.isSymbolicLink() === true);
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
