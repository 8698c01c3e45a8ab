import { realpath } from 'node:fs/promises';
import { basename, relative, sep } from 'node:path';
import type { RepositoryReference } from './domain/records.ts';
import { bundleRepository } from './sandbox/repository/bundle.ts';
import { findRepository } from './sandbox/repository/find-repository.ts';
import type { RepositoryCache } from './sandbox/repository/repository-cache.ts';
import { parseRepositoryName } from './sandbox/repository/repository-name.ts';
import { resolveCommit } from './sandbox/repository/resolve-commit.ts';
import type { BlobStore } from './storage/blob-store.ts';

export interface RepositoryQuestion {
  /** URL or folder, as a person types it. */
  readonly repo: string;
  readonly branch?: string;
  readonly commit?: string;
  /** Blob of a bundle made before; then `commit` is whole and nothing is looked up. */
  readonly bundle?: string;
  /** Of the repository, that the run is about. Default: the folder that `repo` names inside of one. */
  readonly folder?: string;
  readonly token?: string;
  /** See `RepositorySource`. */
  readonly anonymous?: true;
}

export interface RepositoryAnswer {
  readonly repository: RepositoryReference;
  /** What a person should know, one sentence each. */
  readonly warnings: readonly string[];
}

/**
 * Which commit a run works on, and how it travels: a URL as it is, a folder as a bundle in the blob store. A folder's
 * bundle is made once for each commit.
 *
 * @throws TypedError `Repository.NotFound`, `Repository.Unavailable`, `Input.Invalid`.
 */
export async function referToRepository(
  stores: { readonly blobs: BlobStore; readonly cache: RepositoryCache },
  question: RepositoryQuestion,
  signal?: AbortSignal,
): Promise<RepositoryAnswer> {
  const { branch, commit, folder } = question;
  const inside = folder === undefined ? {} : { folder };
  if (question.bundle !== undefined && commit !== undefined) {
    return {
      repository: {
        name: question.repo,
        bundle: question.bundle,
        commit,
        ...(branch === undefined ? {} : { branch }),
        ...inside,
      },
      warnings: [],
    };
  }
  const name = parseRepositoryName(question.repo);
  const { token, anonymous } = question;
  const access = { ...(token === undefined ? {} : { token }), ...(anonymous === undefined ? {} : { anonymous }) };
  const resolved = await resolveCommit(
    stores.cache,
    {
      repository: name.kind === 'url' ? { ...name, ...access } : name,
      ...(branch === undefined ? {} : { branch }),
      ...(commit === undefined ? {} : { commit }),
    },
    signal,
  );
  if (name.kind === 'url')
    return { repository: { name: name.url, url: name.url, ...resolved, ...inside }, warnings: [] };
  const place = await folderInside(name.path);
  const { bundle, warnings } = await bundleOnce(stores.blobs, name.path, resolved.commit, signal);
  const about = folder ?? place.folder;
  return {
    repository: { name: basename(place.top), bundle, ...resolved, ...(about === undefined ? {} : { folder: about }) },
    warnings: [
      ...warnings,
      ...(about === undefined || folder !== undefined
        ? []
        : [
            `${name.path} is the folder ${about} of the repository ${place.top}. Agents have the whole repository, and are ` +
              'told that the task is about this folder.',
          ]),
    ],
  };
}

/** Where a folder is in the working tree that holds it. */
async function folderInside(path: string): Promise<{ top: string; folder: string | undefined }> {
  const top = (await findRepository(path))?.workTree;
  if (top === undefined) return { top: path, folder: undefined };
  const folder = relative(top, await realpath(path))
    .split(sep)
    .join('/');
  return folder === '' ? { top: path, folder: undefined } : { top, folder };
}

async function bundleOnce(
  blobs: BlobStore,
  path: string,
  commit: string,
  signal: AbortSignal | undefined,
): Promise<{ bundle: string; warnings: readonly string[] }> {
  const reference = `bundles/${commit}`;
  const known = await blobs.getReference(reference);
  const { stream, warnings } = await bundleRepository({ path, commit }, signal);
  // Nothing names it as this run's until the run begins: meanwhile it must not count as abandoned.
  if (typeof known === 'string' && (await blobs.renew(known))) {
    stream.destroy();
    return { bundle: known, warnings };
  }
  const { hash } = await blobs.putStream(stream);
  await blobs.setReference(reference, hash);
  return { bundle: hash, warnings };
}
