import { constants, createReadStream, createWriteStream } from 'node:fs';
import { access, link, mkdir, open, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { TypedError } from '../domain/failures.ts';
import { systemFault } from './system-fault.ts';
import { removeAbandoned, temporaryName } from '../files/abandoned-files.ts';
import {
  PRIVATE,
  deleteFile,
  isMissing,
  isSystemError,
  listBlobFiles,
  renewFile,
  retryWithFolder,
  writeSynced,
} from './blob-files.ts';
import { checking, measure, objectSegments, sha256 } from './blob-names.ts';
import { FRESH_MS, type BlobHash, type BlobStore } from './blob-store.ts';
import { createFileJournals } from './file-journals.ts';
import { simpleReferences } from './reference-entry.ts';
import { createReferenceFiles } from './reference-files.ts';

/**
 * Blobs, references and journals as files below one folder: `objects/<2 digits>/<62 digits>`,
 * `references/<name>/@<version>.json`, `journals/<name>.jsonl`.
 *
 * A blob's file is written under a temporary name, synced and renamed, so it is there as a whole or not at all, also after
 * a power cut. Several processes of one host, or of several on a network file system, may share the folder.
 */
export function createFileBlobStore({ path }: { path: string }): BlobStore {
  /** When blobs were last stored by this process. */
  const known = new Map<BlobHash, number>();
  const objects = join(path, 'objects');
  const temporary = join(path, 'temporary');
  const references = createReferenceFiles({ references: join(path, 'references'), temporary });
  const objectPath = (hash: BlobHash): string => join(objects, ...objectSegments(hash));
  const guard = storageGuard(path);
  const readReference: BlobStore['readReference'] = (name) => guard(() => references.read(name));
  const swapReference: BlobStore['swapReference'] = (name, value, expected) =>
    guard(() => references.swap(name, value, expected));

  async function keep(hash: BlobHash, write: (file: string) => Promise<void>): Promise<void> {
    const now = Date.now();
    if (now - (known.get(hash) ?? 0) < FRESH_MS) return;
    const target = objectPath(hash);
    if (!(await renewFile(target))) {
      await writeThenRename({ temporary, target, write });
      await syncFolder(dirname(target));
    }
    if (known.size >= MAX_KNOWN) known.clear();
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
        await mkdir(temporary, PRIVATE);
        const file = join(temporary, temporaryName());
        try {
          const measured = measure();
          await pipeline(stream, measured.stream, createWriteStream(file, { flush: true, mode: 0o600 }));
          const hash = measured.hash();
          const target = objectPath(hash);
          await mkdir(dirname(target), PRIVATE);
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

    readReference,
    swapReference,
    ...simpleReferences({ readReference, swapReference }),
    listReferences: (prefix) => guard(() => references.list(prefix)),
    deleteReference: (name) => guard(() => references.delete(name)),

    ...createFileJournals(join(path, 'journals'), guard),

    check: () =>
      guard(async () => {
        await mkdir(temporary, PRIVATE);
        const file = join(temporary, temporaryName());
        const linked = join(temporary, temporaryName());
        try {
          await writeFile(file, '');
          await link(file, linked).catch((error: unknown) => {
            throw isSystemError(error) && NO_LINKS.has(error.code) ? noLinks(path, error) : error;
          });
        } finally {
          await Promise.all([file, linked].map((name) => rm(name, { force: true })));
        }
        await removeAbandoned(temporary);
      }),
  };
}

/** What this process remembers to have stored: 10 MB. */
const MAX_KNOWN = 50_000;

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

const NO_LINKS = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS']);

function noLinks(path: string, cause: Error): TypedError {
  const message =
    `the file system of the blob store at ${path} has no hard links, which keep workers from overwriting each other's ` +
    'progress. Set storage.path to a folder on another file system';
  return new TypedError('Storage.Unavailable', message, { cause });
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
      const { code } = systemFault(error);
      const advice =
        code === 'ENOSPC'
          ? 'the disk is full: free some space'
          : code === 'EACCES' || code === 'EROFS'
            ? 'make the folder writable'
            : 'check the disk';
      throw new TypedError('Storage.Unavailable', `the blob store at ${path} failed (${code}); ${advice}`, {
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
