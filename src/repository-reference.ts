import { realpath } from 'node:fs/promises';
import { basename, relative, sep } from 'node:path';
import type { RepositoryReference } from './domain/records.ts';
import { bundleRepository } from './sandbox/repository/bundle.ts';
import { findRepository } from './sandbox/repository/find-repository.ts';
import type { RepositoryCache } from './sandbox/repository/repository-cache.ts';
import { withLocalRepository } from './sandbox/repository/local-repository.ts';
import { parseRepositoryName, type RepositoryName } from './sandbox/repository/repository-name.ts';
import { requireFolder } from './sandbox/repository/require-folder.ts';
import { resolveCommit, type ResolvedCommit } from './sandbox/repository/resolve-commit.ts';
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
  const { name, top, resolved, about, inferred } = await locateRepository(stores.cache, question, signal);
  const inAbout = about === undefined ? {} : { folder: about };
  if (name.kind === 'url')
    return { repository: { name: name.url, url: name.url, ...resolved, ...inAbout }, warnings: [] };
  const { bundle, warnings } = await bundleOnce(stores.blobs, name.path, resolved.commit, signal);
  return {
    repository: { name: basename(top), bundle, ...resolved, ...inAbout },
    warnings: [
      ...warnings,
      ...(inferred
        ? [
            `${name.path} is the folder ${about} of the repository ${top}. Agents have the whole repository, and are ` +
              'told that the task is about this folder.',
          ]
        : []),
    ],
  };
}

interface LocatedRepository {
  readonly name: RepositoryName;
  /** As a person names it; of a folder, its working tree. */
  readonly top: string;
  readonly resolved: ResolvedCommit;
  /** The folder of it that the run is about. */
  readonly about: string | undefined;
  /** `about` is the folder that was given as the repository. */
  readonly inferred: boolean;
}

/**
 * The commit that a run would work on, and the folder it is about, which the commit has.
 *
 * @throws TypedError `Repository.NotFound`, `Repository.Unavailable`, `Input.Invalid`.
 */
export async function locateRepository(
  cache: RepositoryCache,
  question: Omit<RepositoryQuestion, 'bundle'>,
  signal?: AbortSignal,
): Promise<LocatedRepository> {
  const { repo, branch, commit, folder, token, anonymous } = question;
  const name = parseRepositoryName(repo);
  const access = { ...(token === undefined ? {} : { token }), ...(anonymous === undefined ? {} : { anonymous }) };
  const resolved = await resolveCommit(
    cache,
    {
      repository: name.kind === 'url' ? { ...name, ...access } : name,
      ...(branch === undefined ? {} : { branch }),
      ...(commit === undefined ? {} : { commit }),
    },
    signal,
  );
  if (name.kind === 'url') {
    if (folder !== undefined) {
      const { gitDirectory } = await cache.fetch({ ...name, ...access }, resolved.commit, signal);
      await requireFolder({ where: name.url, gitDirectory, commit: resolved.commit, folder }, signal);
    }
    return { name, top: name.url, resolved, about: folder, inferred: false };
  }
  const place = await folderInside(name.path);
  const about = folder ?? place.folder;
  if (about !== undefined)
    await withLocalRepository(
      name.path,
      ({ view }) =>
        requireFolder({ where: place.top, gitDirectory: view, commit: resolved.commit, folder: about }, signal),
      signal,
    );
  return { name, top: place.top, resolved, about, inferred: about !== undefined && folder === undefined };
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
