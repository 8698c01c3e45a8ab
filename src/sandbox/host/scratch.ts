import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { lstat, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { errorMessage } from '../../domain/error-message.ts';
import { removeAbandonedLocks } from '../../files/lock.ts';
import { makePrivateFolder } from '../../files/private-folder.ts';
import { identify, isAlive } from './processes.ts';

const run = promisify(execFile);

/**
 * A name for something half-made in a folder: it gets its real name, by a rename, when it is complete. It says whose
 * it is, so that what a killed process left can be told from what is being made.
 */
export function scratchName(kind: string): string {
  const self = identify(process.pid);
  return `.${kind}-${process.pid}-${self?.start ?? 0}-${randomBytes(8).toString('hex')}`;
}

/** Makes a scratch folder and returns its path. */
export async function makeScratchFolder(directory: string, kind: string): Promise<string> {
  const path = join(directory, scratchName(kind));
  makePrivateFolder(path);
  return path;
}

/** Paths of what processes that are gone left in a folder. */
export async function findAbandoned(directory: string): Promise<string[]> {
  const names = await readdir(directory).catch(() => []);
  const abandoned = names.filter((name) => {
    const [, pid, start] = /^\.[a-z]+-(\d+)-(\d+)-[0-9a-f]{16}$/.exec(name) ?? [];
    return pid !== undefined && !isAlive({ pid: Number(pid), start: Number(start) });
  });
  return abandoned.map((name) => join(directory, name));
}

/** Something that nobody uses any more and that could not be removed. Its hidden name keeps it out of everybody's way. */
export interface Leftover {
  readonly path: string;
  readonly why: string;
}

/** Removes what processes that are gone left in a folder. What resists stays, and stops nobody: `rlm clean` names it too. */
export async function removeAbandoned(directory: string): Promise<Leftover[]> {
  await removeAbandonedLocks(directory);
  const removals = (await findAbandoned(directory)).map((path) =>
    removeTree(path).then(
      () => [],
      (error: unknown) => [{ path, why: errorMessage(error) }],
    ),
  );
  return (await Promise.all(removals)).flat();
}

/** For what is only in the way: where it resists, a later process tries again. */
export async function discardTree(path: string): Promise<void> {
  await removeTree(path).catch(() => undefined);
}

/**
 * Removes a folder also where something in it is closed to its own owner, as some package managers leave their caches, and
 * where its folders lie deeper than a path can say: rm and chmod walk by descriptors.
 */
export async function removeTree(path: string): Promise<void> {
  await rm(path, { recursive: true, force: true, maxRetries: 2 }).catch(async (error: unknown) => {
    const stats = await lstat(path).catch(() => undefined);
    // Removed by another process meanwhile.
    if (stats === undefined) return;
    // A link would have others' files opened up.
    if (!stats.isDirectory()) throw error;
    await run('chmod', ['-R', 'u+rwX', '--', path]).catch(() => undefined);
    await run('rm', ['-rf', '--one-file-system', '--', path]);
  });
}
