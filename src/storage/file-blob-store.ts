import { constants, createReadStream, createWriteStream } from 'node:fs';
import { access, mkdir, open, readFile, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { TypedError } from '../domain/failures.ts';
import { removeAbandoned, temporaryName } from './abandoned-files.ts';
import { deleteFile, isMissing, isSystemError, listBlobFiles, renewFile } from './blob-files.ts';
import { checking, escapeSegment, measure, objectSegments, sha256 } from './blob-names.ts';
import { FRESH_MS, type BlobHash, type BlobStore } from './blob-store.ts';

/**
 * Blobs and references as files below one folder: `objects/<2 digits>/<62 digits>`, `references/<name>.json`.
 *
 * A file is written under a temporary name, synced and renamed, so it is there as a whole or not at all, also after
 * a power cut. Several processes of one host, or of several on a network file system, may share the folder.
 */
export function createFileBlobStore({ path }: { path: string }): BlobStore {
  /** When blobs were last stored by this process. */
  const known = new Map<BlobHash, number>();
  const objects = join(path, 'objects');
  const references = join(path, 'references');
  const temporary = join(path, 'temporary');
  const objectPath = (hash: BlobHash): string => join(objects, ...objectSegments(hash));
  const referencePath = (name: string): string => `${join(references, ...name.split('/').map(escapeSegment))}.json`;
  const guard = storageGuard(path);

  async function keep(hash: BlobHash, write: (file: string) => Promise<void>): Promise<void> {
    const now = Date.now();
    if (now - (known.get(hash) ?? 0) < FRESH_MS) return;
    const target = objectPath(hash);
    if (!(await renewFile(target))) {
      await writeThenRename({ temporary, target, write });
      await syncFolder(dirname(target));
    }
    if (known.size >= MOST_KNOWN) known.clear();
    known.set(hash, now);
  }

  return {
    put: (bytes) =>
      guard(async () => {
        const hash = sha256(bytes);
        await keep(hash, (file) => writeSynced(file, bytes));
        return hash;
      }),

    putStream: (stream) =>
      guard(async () => {
        await mkdir(temporary, { recursive: true });
        const file = join(temporary, temporaryName());
        try {
          const measured = measure();
          await pipeline(stream, measured.stream, createWriteStream(file, { flush: true }));
          const hash = measured.hash();
          const target = objectPath(hash);
          await mkdir(dirname(target), { recursive: true });
          await rename(file, target);
          await syncFolder(dirname(target));
          return { hash, size: measured.size() };
        } finally {
          await rm(file, { force: true });
        }
      }),

    get: (hash) =>
      guard(async () => {
        const bytes = await readFile(objectPath(hash)).catch((error: unknown) => {
          throw isMissing(error) ? missing(hash, path) : error;
        });
        if (sha256(bytes) !== hash) throw damaged(hash, objectPath(hash));
        return bytes;
      }),

    open: (hash) =>
      guard(async () => {
        const file = objectPath(hash);
        if (!(await exists(file))) throw missing(hash, path);
        return checkedStream(createReadStream(file), hash, file);
      }),

    has: (hash) => guard(() => exists(objectPath(hash))),

    renew: (hash) =>
      guard(async () => {
        const target = objectPath(hash);
        if (await renewFile(target)) return true;
        if (!(await exists(target))) return false;
        // Another user's file: as one of ours it is as new as can be.
        await writeThenRename({ temporary, target, write: async (file) => writeSynced(file, await readFile(target)) });
        return true;
      }),

    list: () => listBlobFiles({ objects, temporary }, guard),

    delete: (hash, before) =>
      guard(async () => {
        const gone = await deleteFile({ file: objectPath(hash), temporary, before });
        if (gone) known.delete(hash);
        return gone;
      }),

    setReference: (name, value) =>
      guard(async () => {
        const bytes = Buffer.from(JSON.stringify(value));
        // Its folder is not synced: a power cut may bring back the reference before, and that step is done again.
        await writeThenRename({ temporary, target: referencePath(name), write: (file) => writeSynced(file, bytes) });
      }),

    getReference: (name) =>
      guard(async () => {
        try {
          return JSON.parse(await readFile(referencePath(name), 'utf8')) as unknown;
        } catch (error) {
          if (isMissing(error)) return undefined;
          throw error;
        }
      }),

    listReferences: (prefix) =>
      guard(async () => {
        const folder = prefix.slice(0, prefix.lastIndexOf('/') + 1);
        const start = join(references, ...folder.split('/').filter(Boolean).map(escapeSegment));
        const entries = await readdir(start, { recursive: true, withFileTypes: true }).catch((error: unknown) => {
          if (isMissing(error)) return [];
          throw error;
        });
        return entries
          .filter((entry) => entry.isFile() && entry.name.endsWith('.json'))
          .map((entry) => referenceName(references, entry.parentPath, entry.name))
          .filter((name) => name.startsWith(prefix));
      }),

    deleteReference: (name) => guard(() => rm(referencePath(name), { force: true })),

    check: () =>
      guard(async () => {
        await mkdir(temporary, { recursive: true });
        const file = join(temporary, temporaryName());
        await writeFile(file, '');
        await rm(file, { force: true });
        await removeAbandoned(temporary);
      }),
  };
}

/** What this process remembers to have stored: 10 MB. */
const MOST_KNOWN = 50_000;

async function writeThenRename(input: {
  temporary: string;
  target: string;
  write: (file: string) => Promise<void>;
}): Promise<void> {
  const file = join(input.temporary, temporaryName());
  try {
    await retryWithFolder(input.temporary, () => input.write(file));
    await retryWithFolder(dirname(input.target), () => rename(file, input.target));
  } catch (error) {
    await rm(file, { force: true });
    throw error;
  }
}

/** Makes the folder only when it turns out to be missing: it nearly always exists. */
async function retryWithFolder(folder: string, act: () => Promise<void>): Promise<void> {
  try {
    await act();
  } catch (error) {
    if (!isMissing(error)) throw error;
    await mkdir(folder, { recursive: true });
    await act();
  }
}

async function writeSynced(file: string, bytes: Uint8Array): Promise<void> {
  const handle = await open(file, 'wx');
  try {
    await handle.writeFile(bytes);
    await handle.datasync();
  } finally {
    await handle.close();
  }
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, constants.O_RDONLY);
  try {
    await handle.datasync();
  } finally {
    await handle.close();
  }
}

function checkedStream(source: Readable, hash: BlobHash, file: string): Readable {
  const check = checking(hash, () => damaged(hash, file));
  source.on('error', (error) => check.destroy(error));
  return source.pipe(check);
}

function referenceName(root: string, folder: string, file: string): string {
  const segments = folder.slice(root.length).split('/').filter(Boolean);
  return [...segments, file.slice(0, -'.json'.length)].map(decodeURIComponent).join('/');
}

function missing(hash: BlobHash, path: string): TypedError {
  return new TypedError(
    'Storage.Missing',
    `blob ${hash} is not in the blob store at ${path}: was it deleted, or does this process use another store?`,
  );
}

function damaged(hash: BlobHash, file: string): TypedError {
  return new TypedError(
    'Storage.Damaged',
    `blob ${hash} is damaged: the bytes of ${file} do not have its hash. Restore the file from a backup, or delete it`,
  );
}

/** Turns what the file system refuses into `Storage.Unavailable` with the way on. */
function storageGuard(path: string): <T>(act: () => Promise<T>) => Promise<T> {
  return async (act) => {
    try {
      return await act();
    } catch (error) {
      if (error instanceof TypedError || !isSystemError(error)) throw error;
      const advice =
        error.code === 'ENOSPC'
          ? 'the disk is full: free some space'
          : error.code === 'EACCES' || error.code === 'EROFS'
            ? 'make the folder writable'
            : 'check the disk';
      throw new TypedError('Storage.Unavailable', `the blob store at ${path} failed (${error.code}); ${advice}`, {
        cause: error,
      });
    }
  };
}

async function exists(file: string): Promise<boolean> {
  try {
    await access(file);
    return true;
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
}
