import { link, mkdir, readdir, readFile, rmdir, stat, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { TypedError } from '../domain/failures.ts';
import { temporaryName } from '../files/abandoned-files.ts';
import { PRIVATE, isMissing, isSystemError, retryWithFolder, unlessMissing, writeSynced } from './blob-files.ts';
import { escapeSegment } from './blob-names.ts';
import type { StoredReference, SwapOutcome } from './blob-store.ts';
import { createEntry, parseEntry, parseVersion, storedReference, type ReferenceEntry } from './reference-entry.ts';

/** An escaped segment of a name never begins so. */
const VERSION_FILE = /^@(\d+)\.json$/;
const MAX_READ_ATTEMPTS = 100;

export interface ReferenceFiles {
  read(name: string): Promise<StoredReference | undefined>;
  swap(name: string, value: unknown, expected: string | null): Promise<SwapOutcome>;
  list(prefix: string): Promise<string[]>;
  delete(name: string): Promise<void>;
}

/**
 * References as folders that hold their newest versions, `<name>/@<number>.json`; the highest number counts.
 *
 * A version is written and synced under a temporary name and then linked to its own, which fails where the number is
 * taken: one of several writers succeeds, and no reader sees half a file. The previous file stays for readers that are about
 * to read it; those before that are removed. A writer that was stopped for so long that its number was taken *and*
 * removed finds versions beyond its own, and none that came after it: then it takes its file back.
 *
 * The folder is not synced: a power cut may bring back the version before, and the step that made the new one is
 * repeated.
 */
export function createReferenceFiles({
  references,
  temporary,
}: {
  readonly references: string;
  readonly temporary: string;
}): ReferenceFiles {
  const folderOf = (name: string): string => join(references, ...name.split('/').map(escapeSegment));

  async function read(name: string): Promise<StoredReference | undefined> {
    const folder = folderOf(name);
    for (let attempt = 0; attempt < MAX_READ_ATTEMPTS; attempt += 1) {
      const number = (await versionsIn(folder)).at(-1);
      if (number === undefined) return undefined;
      const entry = await readEntry(folder, number);
      if (entry !== undefined) return storedReference(number, entry);
      // Replaced twice since. A network file system may also list for a while what is gone.
      await delay(attempt);
    }
    throw new TypedError(
      'Storage.Unavailable',
      `${folder} was listed ${MAX_READ_ATTEMPTS} times and what it lists was never there; check the file system`,
    );
  }

  return {
    read,

    async swap(name, value, expected) {
      const folder = folderOf(name);
      const entry = createEntry(value, expected);
      const number = expected === null ? 1 : Number(parseVersion(expected).place) + 1;
      const target = versionFile(folder, number);
      const file = join(temporary, temporaryName());
      let versions: readonly number[];
      try {
        await retryWithFolder(temporary, () => writeSynced(file, Buffer.from(JSON.stringify(entry))));
        if (expected === null) await mkdir(folder, PRIVATE);
        if (!(await linkExclusively(file, target))) return { kind: 'conflict', current: await read(name) };
        versions = await versionsIn(folder);
        if (!(await isSuccessor(folder, { number, entry, versions }))) {
          await remove(target);
          return { kind: 'conflict', current: await read(name) };
        }
      } finally {
        await remove(file);
      }
      await prune(folder, versions);
      return { kind: 'swapped', version: storedReference(number, entry).version };
    },

    async list(prefix) {
      const split = prefix.lastIndexOf('/') + 1;
      const start = join(references, ...prefix.slice(0, split).split('/').filter(Boolean).map(escapeSegment));
      // Only what begins so is opened: there may be thousands of others beside it.
      const beginning = prefix.slice(split);
      const entries = (await readdir(start, { withFileTypes: true }).catch(unlessMissing)) ?? [];
      const folders = entries
        .filter((entry) => entry.isDirectory() && decodeURIComponent(entry.name).startsWith(beginning))
        .map(({ name }) => join(start, name));
      const found = await Promise.all(folders.map((folder) => foldersWithVersions(folder)));
      const names = found.flat().map((folder) => referenceName(references, folder));
      return names.filter((name) => name.startsWith(prefix));
    },

    async delete(name) {
      const folder = folderOf(name);
      for (;;) {
        const versions = await versionsIn(folder);
        if (versions.length === 0) break;
        // The oldest first: a reader must not see an older value again.
        for (const number of versions) await remove(versionFile(folder, number));
      }
      await rmdir(folder).catch(unlessInUse);
    },
  };
}

function versionFile(folder: string, number: number): string {
  return join(folder, `@${number}.json`);
}

/** Folders at and below one that hold references. */
async function foldersWithVersions(folder: string): Promise<string[]> {
  const entries = (await readdir(folder, { recursive: true, withFileTypes: true }).catch(unlessMissing)) ?? [];
  const files = entries.filter((entry) => entry.isFile() && VERSION_FILE.test(entry.name));
  return [...new Set(files.map(({ parentPath }) => parentPath))];
}

/** Their numbers, ascending. */
async function versionsIn(folder: string): Promise<number[]> {
  const names = (await readdir(folder).catch(unlessMissing)) ?? [];
  const numbers = names.map((name) => Number(VERSION_FILE.exec(name)?.[1]));
  return numbers.filter((number) => !Number.isNaN(number)).toSorted((a, b) => a - b);
}

async function readEntry(folder: string, number: number): Promise<ReferenceEntry | undefined> {
  const file = versionFile(folder, number);
  const text = await readFile(file, 'utf8').catch(unlessMissing);
  return text === undefined ? undefined : parseEntry(text, file);
}

/** @returns whether the name was free and is the file's now; also false where there is no folder (any more) */
async function linkExclusively(file: string, target: string): Promise<boolean> {
  try {
    await link(file, target);
    return true;
  } catch (error) {
    if (isMissing(error)) return false;
    // A network file system may have linked it, lost the reply, and asked again.
    if (isSystemError(error) && error.code === 'EEXIST') return (await stat(file)).nlink > 1;
    throw error;
  }
}

/** Whether a version that was just linked is the one that came after the expected one. */
async function isSuccessor(
  folder: string,
  own: { readonly number: number; readonly entry: ReferenceEntry; readonly versions: readonly number[] },
): Promise<boolean> {
  const { number, entry, versions } = own;
  if (versions.at(-1) === number) return entry.after === null || versions.includes(number - 1);
  return (await readEntry(folder, number + 1))?.after === entry.id;
}

/** Removes all but the newest two. One whose writer still looks (it has the temporary name too) stays, and what follows. */
async function prune(folder: string, versions: readonly number[]): Promise<void> {
  for (const number of versions.slice(0, -2)) {
    const file = versionFile(folder, number);
    const found = await stat(file).catch(unlessMissing);
    if (found !== undefined && found.nlink > 1) return;
    await remove(file);
  }
}

async function remove(file: string): Promise<void> {
  await unlink(file).catch(unlessMissing);
}

function referenceName(root: string, folder: string): string {
  return folder.slice(root.length).split('/').filter(Boolean).map(decodeURIComponent).join('/');
}

/** References below it keep a folder, and so does a writer that was faster. */
function unlessInUse(error: unknown): void {
  if (!isMissing(error) && !(isSystemError(error) && (error.code === 'ENOTEMPTY' || error.code === 'EEXIST')))
    throw error;
}
