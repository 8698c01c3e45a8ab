import { resolve } from 'node:path';
import type { StorageConfig } from '../domain/config.ts';
import { encryptBlobStore, refuseEncryptedBlobs } from './encrypted-blob-store.ts';
import { readEncryptionKeys } from '../encryption/keys.ts';
import type { BlobStore } from './blob-store.ts';
import { createFileBlobStore } from './file-blob-store.ts';

/** Where the files of a store are that consists of files. */
export function blobFolder(input: {
  readonly storage: StorageConfig;
  readonly cwd: string;
  readonly stateDirectory: string;
}): string {
  const { path } = input.storage;
  return path === undefined ? resolve(input.stateDirectory, 'blobs') : resolve(input.cwd, path);
}

/** The store that a configuration names, encrypted where there is a key. Nothing is asked of it yet: `check` does. */
export async function openBlobStore(input: OpenInput): Promise<BlobStore> {
  const keys = readEncryptionKeys(input.env);
  const store = await openPlainStore(input);
  return keys === undefined ? refuseEncryptedBlobs(store) : encryptBlobStore(store, keys);
}

interface OpenInput {
  readonly storage: StorageConfig;
  readonly env: NodeJS.ProcessEnv;
  /** What a relative path is relative to. */
  readonly cwd: string;
  readonly stateDirectory: string;
}

async function openPlainStore(input: OpenInput): Promise<BlobStore> {
  const { storage, env } = input;
  if (storage.driver === 'file' || storage.bucket === undefined)
    return createFileBlobStore({ path: blobFolder(input) });
  const { bucket, prefix, endpoint, region, path_style: pathStyle } = storage;
  // Loaded only where it is used: 0.15 s.
  const { createS3BlobStore } = await import('./s3-blob-store.ts');
  return createS3BlobStore({
    place: {
      bucket,
      ...(prefix === undefined ? {} : { prefix }),
      ...(endpoint === undefined ? {} : { endpoint }),
      ...(region === undefined ? {} : { region }),
      ...(pathStyle === undefined ? {} : { pathStyle }),
    },
    env,
  });
}
