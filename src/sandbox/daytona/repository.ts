import { createWriteStream, existsSync } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { TypedError } from '../../domain/failures.ts';
import { lockOf, withLock } from '../../files/lock.ts';
import { markUsed } from '../host/last-use.ts';
import { removeAbandoned, scratchName } from '../host/scratch.ts';
import type { SandboxRequest } from '../provider.ts';
import { bundleCommit } from '../repository/bundle.ts';
import { RepositoryCache } from '../repository/repository-cache.ts';

/** How a repository comes into a sandbox. */
export type Delivery =
  /** Fetched inside: public, and the network is open. */
  | { readonly kind: 'url'; readonly url: string }
  /** A bundle on this host, to be uploaded. */
  | { readonly kind: 'file'; readonly path: string };

type Repository = NonNullable<SandboxRequest['repository']>;

/** What the sandbox may be asked to fetch itself: no secret is needed, and nothing is known to be in the way. */
export function urlToFetchInside({ source }: Repository, request: SandboxRequest): string | undefined {
  if (source.kind !== 'url' || source.token !== undefined) return undefined;
  const { network_block_all, network_allow_list, domain_allow_list } = request.daytona ?? {};
  const restricted = network_block_all === true || network_allow_list !== undefined || domain_allow_list !== undefined;
  return !restricted && /^(https?|git):\/\//.test(source.url) ? source.url : undefined;
}

/**
 * The repository as a bundle in a file of this host, made once for each commit. A URL's is fetched by the host, so that
 * a token stays here, and holds the commit alone; a local repository's holds its history.
 *
 * @throws TypedError `Repository.*`.
 */
export async function bundleFile(
  cacheDirectory: string,
  { source, commit }: Repository,
  signal: AbortSignal | undefined,
): Promise<string> {
  if (!/^[0-9a-f]{40}$/.test(commit)) throw new TypedError('Input.Invalid', `not the full name of a commit: ${commit}`);
  const directory = join(cacheDirectory, 'bundles');
  const file = join(directory, `${RepositoryCache.key(source)}-${commit}.bundle`);
  await markUsed(file);
  if (existsSync(file)) return file;
  const make = async (): Promise<string> => {
    if (existsSync(file)) return file;
    await removeAbandoned(directory);
    const scratch = join(directory, scratchName('bundle'));
    try {
      const content =
        source.kind === 'bundle'
          ? await source.open()
          : bundleCommit(await new RepositoryCache(cacheDirectory).fetch(source, commit, signal), signal);
      await pipeline(content, createWriteStream(scratch, { mode: 0o600 }), signal === undefined ? {} : { signal });
      await rename(scratch, file);
    } finally {
      await rm(scratch, { force: true });
    }
    return file;
  };
  return withLock(lockOf(file), make, { signal });
}
