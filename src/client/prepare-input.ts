import type { RunConfig } from '../domain/config.ts';
import type { InvestigateInput } from '../domain/contract.ts';
import { referToRepository } from '../repository-reference.ts';
import { RepositoryCache } from '../sandbox/repository/repository-cache.ts';
import type { RepositoryName } from '../sandbox/repository/repository-name.ts';
import type { BlobStore } from '../storage/blob-store.ts';
import { portableConfig, type RunArguments } from './run-arguments.ts';

export interface PreparedInput {
  readonly input: InvestigateInput & { readonly repo: string; readonly prompt: string };
  /** What a person should know, one sentence each. */
  readonly warnings: readonly string[];
}

/**
 * Resolves the repository to one commit, which so exists before anything is spent. A folder is packed into the blob
 * store, so that the worker may be anywhere.
 *
 * @throws TypedError `Repository.*`, `Input.Invalid`, `Storage.Unavailable`
 */
export async function prepareInput(
  { blobs, cacheDirectory, env }: { blobs: BlobStore; cacheDirectory: string; env: NodeJS.ProcessEnv },
  { prompt, branch, commit }: RunArguments,
  name: RepositoryName,
  config: RunConfig,
): Promise<PreparedInput> {
  const token = config.repository.token_env === undefined ? undefined : env[config.repository.token_env];
  const { repository, warnings } = await referToRepository(
    { blobs, cache: new RepositoryCache(cacheDirectory) },
    {
      repo: name.kind === 'url' ? name.url : name.path,
      ...(branch === undefined ? {} : { branch }),
      ...(commit === undefined ? {} : { commit }),
      ...(token === undefined || token === '' ? {} : { token }),
    },
  );
  return {
    input: {
      repo: repository.name,
      prompt,
      commit: repository.commit,
      ...(repository.branch === undefined ? {} : { branch: repository.branch }),
      ...(repository.bundle === undefined ? {} : { bundle: repository.bundle }),
      ...(repository.folder === undefined ? {} : { folder: repository.folder }),
      config: portableConfig(config),
    },
    warnings,
  };
}
