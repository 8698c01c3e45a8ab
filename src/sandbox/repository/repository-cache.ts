import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { chmod, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { TypedError } from '../../domain/failures.ts';
import { lockOf, withLock } from '../../files/lock.ts';
import { makePrivateFolder } from '../../files/private-folder.ts';
import { makeScratchFolder, removeAbandoned, scratchName } from '../host/scratch.ts';
import type { RepositorySource } from '../provider.ts';
import { runGit, type GitOptions } from './git.ts';
import { markUsed } from '../host/last-use.ts';
import { fetchFailure } from './remote-failures.ts';
import { tokenOptions } from './token.ts';
import { anonymousSettings, networkSettings, NOBODY, sshCommand, userSettings } from './user-config.ts';

/** A bare repository of ours on the host, from which checkouts are made. */
export interface CachedCommit {
  /** Folder of the bare repository. */
  readonly gitDirectory: string;
  /** Its objects, which checkouts borrow. */
  readonly objects: string;
  /** The commits at which the history we have ends; present in a shallow one only. */
  readonly shallow: string | undefined;
  readonly commit: string;
}

/** For the uid of sandboxes, whatever the worker's umask; the folder above is closed to others. */
const READABLE = 0o644;
/** A large repository over a slow line; below `http.lowSpeedLimit` git gives up much sooner. */
const FETCH_TIMEOUT_MS = 20 * 60_000;

/**
 * Bare repositories in `<cacheDirectory>/repositories`, one for each source. They are only ever fetched into: nothing
 * is checked out, no hook or helper runs, nothing is collected, so that objects borrowed from them stay.
 */
export class RepositoryCache {
  readonly #cacheDirectory: string;
  readonly #directory: string;

  constructor(cacheDirectory: string) {
    this.#cacheDirectory = cacheDirectory;
    this.#directory = join(cacheDirectory, 'repositories');
  }

  /**
   * Names a source in paths: the same source, the same key. A token is no part of it, but what was fetched with credentials
   * is not found by who has none.
   */
  static key(source: RepositorySource): string {
    const identity =
      source.kind === 'url'
        ? `${source.anonymous === true ? 'anonymous ' : ''}url ${source.url}`
        : `bundle ${source.id}`;
    return createHash('sha256').update(identity).digest('hex').slice(0, 32);
  }

  /** The bare repository of a source. */
  static folder(cacheDirectory: string, source: RepositorySource): string {
    return join(cacheDirectory, 'repositories', `${RepositoryCache.key(source)}.git`);
  }

  /**
   * Has the commit and its history here.
   *
   * @param commit all 40 digits.
   * @throws TypedError `Repository.NotFound`, `Repository.Unavailable`.
   */
  async fetch(source: RepositorySource, commit: string, signal?: AbortSignal): Promise<CachedCommit> {
    const gitDirectory = RepositoryCache.folder(this.#cacheDirectory, source);
    if (!(await hasCommit(gitDirectory, commit))) {
      const work = async (): Promise<void> => {
        await this.#initialise(gitDirectory);
        if (await hasCommit(gitDirectory, commit)) return;
        if (source.kind === 'url') await fetchFromUrl(gitDirectory, source, commit, signal);
        else await this.#fetchFromBundle(gitDirectory, source, commit, signal);
        await markComplete(gitDirectory, commit);
      };
      await withLock(lockOf(gitDirectory), work, { signal });
    }
    await markUsed(gitDirectory);
    const shallow = join(gitDirectory, 'shallow');
    return {
      gitDirectory,
      objects: join(gitDirectory, 'objects'),
      shallow: (await exists(shallow)) ? shallow : undefined,
      commit,
    };
  }

  /**
   * The full name of a commit given by its first digits, after everything has been fetched.
   *
   * @throws TypedError `Repository.NotFound` when there is none or more than one.
   */
  async resolveAbbreviated(
    source: RepositorySource & { kind: 'url' },
    digits: string,
    signal?: AbortSignal,
  ): Promise<string> {
    const gitDirectory = RepositoryCache.folder(this.#cacheDirectory, source);
    const work = async (): Promise<string> => {
      await this.#initialise(gitDirectory);
      await fetchAllBranches(gitDirectory, source, signal);
      const found = await runGit(['rev-parse', '--verify', '--quiet', `${digits}^{commit}`], { gitDirectory, signal });
      if (found.code === 0) return found.stdout.trim();
      throw new TypedError(
        'Repository.NotFound',
        `No commit ${digits} is reachable from a branch or tag of ${source.url} (or several begin so): give all 40 digits.`,
      );
    };
    return withLock(lockOf(gitDirectory), work, { signal });
  }

  async #initialise(gitDirectory: string): Promise<void> {
    if (await exists(gitDirectory)) return;
    await removeAbandoned(this.#directory);
    const fresh = await makeScratchFolder(this.#directory, 'new');
    const made = await runGit(['init', '--quiet', '--bare', '--template=', '--object-format=sha1', '--shared=0644'], {
      gitDirectory: fresh,
    });
    if (made.code !== 0) throw new TypedError('Repository.Unavailable', `git could not make its cache: ${made.stderr}`);
    await rename(fresh, gitDirectory);
  }

  async #fetchFromBundle(
    gitDirectory: string,
    source: RepositorySource & { kind: 'bundle' },
    commit: string,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const file = join(this.#directory, scratchName('bundle'));
    try {
      await pipeline(
        await source.open(),
        createWriteStream(file, { mode: 0o600 }),
        signal === undefined ? {} : { signal },
      );
      await addShallowCommits(gitDirectory, file, signal);
      const fetched = await runGit(
        ['fetch', '--quiet', '--no-tags', '--no-write-fetch-head', file, '+refs/*:refs/rlm/bundle/*'],
        {
          gitDirectory,
          signal,
          timeoutMs: FETCH_TIMEOUT_MS,
          protocols: 'file',
        },
      );
      if (fetched.code !== 0) {
        throw new TypedError(
          'Repository.Unavailable',
          `The repository's bundle could not be read: ${fetched.stderr.trim()}`,
        );
      }
    } finally {
      await rm(file, { force: true });
    }
    if (await lacks(gitDirectory, commit)) {
      throw new TypedError('Repository.NotFound', `The repository's bundle does not hold commit ${commit}.`);
    }
  }
}

/**
 * The bundle of a shallow repository names the commits its history ends at as references (see bundle.ts); git must
 * know them before it fetches, or it misses their parents.
 */
async function addShallowCommits(gitDirectory: string, bundle: string, signal: AbortSignal | undefined): Promise<void> {
  const heads = await runGit(['bundle', 'list-heads', bundle], { gitDirectory, signal });
  const ends = heads.stdout
    .split('\n')
    .filter((line) => line.includes(' refs/shallow/'))
    .map((line) => line.slice(0, 40));
  if (ends.length === 0) return;
  await writeFile(join(gitDirectory, 'shallow'), `${ends.join('\n')}\n`);
  await chmod(join(gitDirectory, 'shallow'), READABLE);
}

async function fetchFromUrl(
  gitDirectory: string,
  source: RepositorySource & { kind: 'url' },
  commit: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  const options = await urlOptions(gitDirectory, source, signal);
  const one = await runGit(
    ['fetch', '--quiet', '--no-write-fetch-head', '--', source.url, `+${commit}:refs/rlm/fetched/${commit}`],
    options,
  );
  if (one.code === 0) return;
  // Some servers give out branches only, not a commit by name.
  await fetchAllBranches(gitDirectory, source, signal);
  if (await lacks(gitDirectory, commit)) {
    throw new TypedError('Repository.NotFound', `${source.url} has no commit ${commit}: was it pushed?`);
  }
}

async function fetchAllBranches(
  gitDirectory: string,
  source: RepositorySource & { kind: 'url' },
  signal: AbortSignal | undefined,
): Promise<void> {
  const everything = ['+refs/heads/*:refs/rlm/heads/*', '+refs/tags/*:refs/tags/*'];
  const all = await runGit(
    ['fetch', '--quiet', '--no-write-fetch-head', '--', source.url, ...everything],
    await urlOptions(gitDirectory, source, signal),
  );
  if (all.code !== 0) throw fetchFailure(source, all);
}

/**
 * How git reaches a server: with the run's token where it has one, else with what the user's configuration says, or
 * without any of that.
 */
export async function urlOptions(
  gitDirectory: string | undefined,
  source: RepositorySource & { kind: 'url' },
  signal: AbortSignal | undefined,
): Promise<GitOptions> {
  const own = await userSettings(signal);
  if (source.anonymous === true) {
    return {
      signal,
      timeoutMs: FETCH_TIMEOUT_MS,
      protocols: 'https:http:git',
      ...(gitDirectory === undefined ? {} : { gitDirectory }),
      config: [...anonymousSettings(own)],
      environment: NOBODY,
    };
  }
  const token = source.token === undefined ? undefined : tokenOptions(source.token, source.url);
  return {
    signal,
    timeoutMs: FETCH_TIMEOUT_MS,
    protocols: 'https:http:ssh:git',
    ...(gitDirectory === undefined ? {} : { gitDirectory }),
    config: [...networkSettings(own, token === undefined), ...(token?.config ?? [])],
    environment: { ...sshCommand(own), ...token?.environment },
    ...(token?.secrets === undefined ? {} : { secrets: token.secrets }),
  };
}

/** Written when all of a commit's history is here, so that asking costs no process. */
function completeMark(gitDirectory: string, commit: string): string {
  return join(gitDirectory, 'complete', commit);
}

async function markComplete(gitDirectory: string, commit: string): Promise<void> {
  makePrivateFolder(join(gitDirectory, 'complete'));
  await writeFile(completeMark(gitDirectory, commit), '');
}

async function hasCommit(gitDirectory: string, commit: string): Promise<boolean> {
  return exists(completeMark(gitDirectory, commit));
}

async function lacks(gitDirectory: string, commit: string): Promise<boolean> {
  return (await runGit(['cat-file', '-e', `${commit}^{commit}`], { gitDirectory })).code !== 0;
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
