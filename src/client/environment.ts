import { existsSync } from 'node:fs';
import { cacheDirectory, stateDirectory } from '../config/directories.ts';
import type { RunConfig } from '../domain/config.ts';
import { makePrivateFolder } from '../files/private-folder.ts';
import type { BlobStore } from '../storage/blob-store.ts';
import { openBlobStore } from '../storage/open-blob-store.ts';

/** Where things are on this machine. */
export interface Environment {
  readonly env: NodeJS.ProcessEnv;
  readonly cwd: string;
  readonly stateDirectory: string;
  readonly cacheDirectory: string;
  readonly blobs: BlobStore;
}

export async function openEnvironment(input: {
  env: NodeJS.ProcessEnv;
  cwd: string;
  config: RunConfig;
}): Promise<Environment> {
  const { env, cwd, config } = input;
  const [state, cache] = [stateDirectory(env), cacheDirectory(env)];
  // Created by the first process that needs them; a folder that a person created may be open to others.
  for (const folder of [state, cache]) if (existsSync(folder)) makePrivateFolder(folder);
  const blobs = await openBlobStore({ storage: config.storage, env, cwd, stateDirectory: state });
  return { env, cwd, stateDirectory: state, cacheDirectory: cache, blobs };
}
