import { execFile } from 'node:child_process';
import { readdir, rename } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { makePrivateFolder } from '../../files/private-folder.ts';
import { lastUse } from '../host/last-use.ts';
import { removeTree, scratchName } from '../host/scratch.ts';

/** Something in the cache that is made again when it is needed and missing. */
export interface CacheEntry {
  readonly kind: CacheKind;
  readonly path: string;
  /** On disk. */
  readonly bytes: number;
  /** Milliseconds since the epoch, exact to an hour. */
  readonly lastUsed: number;
}

export type CacheKind = 'setup layer' | 'checkout' | 'bundle' | 'kernel' | 'repository';

/**
 * Repositories, what was made of them, and the kernel's archives, in the order in which they may be removed: checkouts and
 * layers borrow from repositories. Using one of these marks its repository as well.
 */
export async function listCaches(cacheDirectory: string): Promise<CacheEntry[]> {
  const below = (...folders: readonly string[]): Promise<string[]> => pathsIn(join(cacheDirectory, ...folders));
  const repositories = (await Promise.all((await below('checkouts')).map(pathsIn))).flat();
  const checkouts = (await Promise.all(repositories.map(pathsIn))).flat();
  const kernels = (await below()).filter((path) => /\/kernel-[^/]*\.pyc$/.test(path));
  const found: readonly (readonly [CacheKind, readonly string[]])[] = [
    ['setup layer', await below('layers')],
    ['checkout', checkouts],
    ['bundle', await below('bundles')],
    ['kernel', kernels],
    ['repository', await below('repositories')],
  ];
  const sizes = await diskUsage(found.flatMap(([, paths]) => paths));
  const entries = await Promise.all(
    found.flatMap(([kind, paths]) =>
      paths.map(async (path) => ({ kind, path, bytes: sizes.get(path) ?? 0, lastUsed: await lastUse(path) })),
    ),
  );
  return entries.flatMap((entry) => (entry.lastUsed === undefined ? [] : [{ ...entry, lastUsed: entry.lastUsed }]));
}

async function pathsIn(path: string): Promise<string[]> {
  const names = await readdir(path).catch(() => []);
  return names.filter((name) => !name.startsWith('.')).map((name) => join(path, name));
}

/**
 * Removes it unless it was used since. It gets another name first, so that nobody finds half of it; who had found it a
 * moment before fails and tries again.
 *
 * @param before milliseconds since the epoch.
 * @returns whether it is gone.
 */
export async function removeCache(
  { path, kind }: CacheEntry,
  cacheDirectory: string,
  before: number,
): Promise<boolean> {
  const used = await lastUse(path);
  if (used === undefined) return true;
  if (used >= before) return false;
  // Where the next who makes such a thing removes what was abandoned.
  const directory = kind === 'checkout' ? join(cacheDirectory, 'checkouts') : dirname(path);
  makePrivateFolder(directory);
  const aside = join(directory, scratchName('gone'));
  await rename(path, aside);
  await removeTree(aside);
  return true;
}

/** Bytes on disk by path, as `du` counts them; what cannot be read is left out. */
export async function diskUsage(paths: readonly string[]): Promise<Map<string, number>> {
  const sizes = new Map<string, number>();
  for (let at = 0; at < paths.length; at += BATCH) {
    // oxlint-disable-next-line no-await-in-loop -- a command line has a limit, and so has a disk
    for (const [path, bytes] of await usageOf(paths.slice(at, at + BATCH))) sizes.set(path, bytes);
  }
  return sizes;
}

const BATCH = 500;

function usageOf(paths: readonly string[]): Promise<[path: string, bytes: number][]> {
  return new Promise((resolve) => {
    // Its exit code says no more than that something was not readable or went away meanwhile.
    execFile('du', ['-sk', '--', ...paths], { maxBuffer: 64 * 1024 * 1024 }, (_, stdout) => {
      const lines = stdout.split('\n').map((line) => /^(\d+)\t(.*)$/.exec(line));
      resolve(lines.flatMap((line) => (line === null ? [] : [[line[2] ?? '', Number(line[1]) * 1024]])));
    });
  });
}
