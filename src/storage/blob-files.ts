import { link, mkdir, open, readdir, rename, rm, stat, utimes } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { hashOfSegments, objectSegments } from './blob-names.ts';
import type { StoredBlob } from './blob-store.ts';

/** Makes the folder only when it turns out to be missing: it nearly always exists. */
export async function retryWithFolder(folder: string, act: () => Promise<void>): Promise<void> {
  try {
    await act();
  } catch (error) {
    if (!isMissing(error)) throw error;
    await mkdir(folder, { recursive: true });
    await act();
  }
}

/** A new file, on disk when this resolves. */
export async function writeSynced(file: string, bytes: Uint8Array): Promise<void> {
  const handle = await open(file, 'wx');
  try {
    await handle.writeFile(bytes);
    await handle.datasync();
  } finally {
    await handle.close();
  }
}

/** Of a file that a deletion has taken out of the way; the digits of its hash follow. */
const DELETED = 'deleted-';

/** Says that a file was stored just now: false where there is none, or it is another user's. */
export async function renewFile(file: string): Promise<boolean> {
  const now = new Date();
  try {
    await utimes(file, now, now);
    return true;
  } catch (error) {
    if (isMissing(error) || (isSystemError(error) && (error.code === 'EPERM' || error.code === 'EACCES'))) return false;
    throw error;
  }
}

/**
 * Deletes a blob's file unless it was written at or after `before`. It is taken out of the way first and looked at there:
 * who has renewed it before that is seen, who stores it afterwards finds nothing and writes it.
 *
 * @returns whether it is gone
 */
export async function deleteFile(input: {
  readonly file: string;
  readonly temporary: string;
  readonly before: number;
}): Promise<boolean> {
  const { file, temporary, before } = input;
  const written = await writtenAt(file);
  if (written === undefined) return true;
  if (written >= before) return false;
  const aside = join(temporary, `${DELETED}${basename(dirname(file))}${basename(file)}`);
  await mkdir(temporary, { recursive: true });
  await rename(file, aside).catch(unlessMissing);
  const renewed = ((await writtenAt(aside)) ?? 0) >= before;
  if (renewed) await putBack(aside, file);
  await rm(aside, { force: true });
  return !renewed;
}

/** Every blob that is a file, after those have been put back whose deletion was cut off in the middle. */
export async function* listBlobFiles(
  { objects, temporary }: { readonly objects: string; readonly temporary: string },
  guard: <T>(act: () => Promise<T>) => Promise<T>,
): AsyncGenerator<StoredBlob> {
  await guard(() => restore(objects, temporary));
  for (const folder of await guard(() => namesIn(objects))) {
    const path = join(objects, folder);
    // oxlint-disable-next-line no-await-in-loop -- a folder at a time: there may be millions of blobs
    for (const name of await guard(() => namesIn(path))) {
      const hash = hashOfSegments(folder, name);
      if (hash === undefined) continue;
      // oxlint-disable-next-line no-await-in-loop -- who reads on decides
      const found = await guard(() => stat(join(path, name)).catch(unlessMissing));
      if (found !== undefined) yield { hash, size: found.size, written: found.mtimeMs };
    }
  }
}

async function restore(objects: string, temporary: string): Promise<void> {
  for (const name of await namesIn(temporary)) {
    const digits = name.startsWith(DELETED) ? name.slice(DELETED.length) : '';
    const hash = hashOfSegments(digits.slice(0, 2), digits.slice(2));
    if (hash === undefined) continue;
    // oxlint-disable-next-line no-await-in-loop -- one at most of each process that was killed
    await putBack(join(temporary, name), join(objects, ...objectSegments(hash)));
    // oxlint-disable-next-line no-await-in-loop -- as above
    await rm(join(temporary, name), { force: true });
  }
}

/** A link and no renaming: what was written meanwhile stays. */
async function putBack(aside: string, file: string): Promise<void> {
  await mkdir(dirname(file), { recursive: true });
  await link(aside, file).catch((error: unknown) => {
    if (!isMissing(error) && !(isSystemError(error) && error.code === 'EEXIST')) throw error;
  });
}

async function namesIn(folder: string): Promise<string[]> {
  return (await readdir(folder).catch(unlessMissing)) ?? [];
}

async function writtenAt(file: string): Promise<number | undefined> {
  return (await stat(file).catch(unlessMissing))?.mtimeMs;
}

export function unlessMissing(error: unknown): undefined {
  if (!isMissing(error)) throw error;
}

export function isSystemError(error: unknown): error is NodeJS.ErrnoException & { code: string } {
  return error instanceof Error && typeof (error as NodeJS.ErrnoException).code === 'string' && 'errno' in error;
}

export function isMissing(error: unknown): boolean {
  return isSystemError(error) && error.code === 'ENOENT';
}
