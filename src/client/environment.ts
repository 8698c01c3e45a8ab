import { resolve } from 'node:path';
import { cacheDirectory, stateDirectory } from '../config/directories.ts';
import type { RunConfig } from '../domain/config.ts';
import type { BlobStore } from '../storage/blob-store.ts';
import { createFileBlobStore } from '../storage/file-blob-store.ts';

/** Where things are on this machine. */
export interface Environment {
  readonly env: NodeJS.ProcessEnv;
  readonly cwd: string;
  readonly stateDirectory: string;
  readonly cacheDirectory: string;
  readonly blobs: BlobStore;
}

export function openEnvironment(input: { env: NodeJS.ProcessEnv; cwd: string; config: RunConfig }): Environment {
  const { env, cwd, config } = input;
  const state = stateDirectory(env);
  const path = config.storage.path === undefined ? resolve(state, 'blobs') : resolve(cwd, config.storage.path);
  return { env, cwd, stateDirectory: state, cacheDirectory: cacheDirectory(env), blobs: createFileBlobStore({ path }) };
}
