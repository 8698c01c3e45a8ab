import { stat, utimes } from 'node:fs/promises';

/** Milliseconds to which the time of the last use is exact. */
const GRAIN_MS = 60 * 60_000;

/** Says of things in the cache that they are used now, by their time of modification; those that are not there are left out. */
export async function markUsed(...paths: readonly string[]): Promise<void> {
  const now = new Date();
  await Promise.all(
    paths.map(async (path) => {
      const used = await lastUse(path);
      // What another user made cannot be marked: then it counts as old, and is made anew where it was taken away.
      if (used !== undefined && now.getTime() - used > GRAIN_MS) await utimes(path, now, now).catch(() => undefined);
    }),
  );
}

/** Milliseconds since the epoch; undefined where there is no such file or folder. */
export async function lastUse(path: string): Promise<number | undefined> {
  return stat(path).then(
    ({ mtimeMs }) => mtimeMs,
    () => undefined,
  );
}
