import { existsSync, readFileSync } from 'node:fs';
import { chown, rename } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { TypedError } from '../../domain/failures.ts';
import { lockOf, withLock } from '../../files/lock.ts';
import { makePrivateFolder } from '../../files/private-folder.ts';
import type { RepositorySource } from '../provider.ts';
import { discardTree, makeScratchFolder, removeAbandoned } from '../host/scratch.ts';
import { markUsed } from '../host/last-use.ts';
import { RepositoryCache } from '../repository/repository-cache.ts';
import { launchSpec, sandboxOwner, uidToBecome, WORKSPACE, type Interpreter } from './launch-spec.ts';
import type { Launcher } from './launcher.ts';

/** A clean checkout of one commit, immutable: the lower layer of every clone. Paths on the host. */
export interface BaseCheckout {
  readonly tree: string;
  /** A copy of its index, in a place that no clone can write. */
  readonly index: string;
  /** The objects it borrows. */
  readonly objects: string;
}

export interface CheckoutRequest {
  readonly source: RepositorySource;
  readonly commit: string;
  /** MiB on disk. */
  readonly disk_mb?: number | undefined;
}

interface CheckoutMeans {
  readonly bwrap: string | null;
  readonly interpreter: Interpreter;
}

/** Where a sandbox sees the objects and the index. */
export const INSIDE_OBJECTS = '/run/rlm/objects';
export const INSIDE_INDEX = '/run/rlm/index';

const CHECKOUT_TIMEOUT_MS = 15 * 60_000;
const CHECKOUT_MEMORY_MB = 8192;
const DEFAULT_DISK_MB = 10_240;
/** Files and folders that a MiB of the limit stands for: each takes a block of the disk, and room in its index. */
const ENTRIES_PER_MB = 200;
const SCRIPT = fileURLToPath(new URL('../../../python/rlm_launcher/checkout.py', import.meta.url));

/**
 * One checkout for each repository, commit and owner on this host, made inside a sandbox and under its uid: checking
 * out runs what the repository's attributes name, and an index written by another uid makes the first status slow.
 */
export class BaseCheckouts {
  readonly #directory: string;
  readonly #cache: RepositoryCache;
  readonly #launcher: Launcher;

  constructor(cacheDirectory: string, launcher: Launcher) {
    this.#directory = join(cacheDirectory, 'checkouts');
    this.#cache = new RepositoryCache(cacheDirectory);
    this.#launcher = launcher;
  }

  /** Makes it where it is missing; concurrent callers, of other processes too, make it once. */
  async ensure(repository: CheckoutRequest, how: CheckoutMeans, signal?: AbortSignal): Promise<BaseCheckout> {
    const checkout = this.at(repository, how);
    const folder = dirname(checkout.tree);
    if (!existsSync(folder)) {
      const make = async (): Promise<void> => {
        if (!existsSync(folder)) await this.make(folder, repository, how, signal);
      };
      // Not in the folder of a repository, where nobody would look for what is left of it.
      const name = relative(this.#directory, folder).replaceAll('/', '-');
      await withLock(lockOf(join(this.#directory, name)), make, { signal });
    }
    await markUsed(folder, dirname(checkout.objects));
    return checkout;
  }

  /** Where it is, made or not. */
  at({ source, commit }: CheckoutRequest, { bwrap }: Pick<CheckoutMeans, 'bwrap'>): BaseCheckout {
    if (!/^[0-9a-f]{40}$/.test(commit))
      throw new TypedError('Input.Invalid', `not the full name of a commit: ${commit}`);
    const kind = bwrap === null ? 'plain' : `uid-${sandboxOwner()}`;
    const folder = join(this.#directory, kind, RepositoryCache.key(source), commit);
    const objects = join(RepositoryCache.folder(dirname(this.#directory), source), 'objects');
    return { tree: join(folder, 'tree'), index: join(folder, 'index'), objects };
  }

  /**
   * Makes a checkout that is the caller's alone: `tree` and `index` in a folder, which appears complete.
   *
   * @returns the objects it borrows.
   */
  async make(
    folder: string,
    { source, commit, disk_mb = DEFAULT_DISK_MB }: CheckoutRequest,
    { bwrap, interpreter }: CheckoutMeans,
    signal: AbortSignal | undefined,
  ): Promise<string> {
    const cached = await this.#cache.fetch(source, commit, signal);
    makePrivateFolder(dirname(folder));
    makePrivateFolder(this.#directory);
    await removeAbandoned(this.#directory);
    const fresh = await makeScratchFolder(this.#directory, 'new');
    try {
      const owner = uidToBecome();
      if (bwrap !== null && owner !== null) await chown(fresh, owner, owner);
      const isolated = bwrap !== null;
      const inside = isolated ? WORKSPACE : fresh;
      const shallow = cached.shallow === undefined ? [] : ['--shallow', isolated ? '/run/rlm/shallow' : cached.shallow];
      const objects = isolated ? INSIDE_OBJECTS : cached.objects;
      const limits = ['--max-mb', String(disk_mb), '--max-entries', String(disk_mb * ENTRIES_PER_MB)];
      const script = ['--into', inside, '--objects', objects, '--commit', cached.commit, ...limits, ...shallow];
      const spec = launchSpec({
        bwrap,
        interpreter,
        folder: null,
        read_only: [
          [cached.objects, INSIDE_OBJECTS],
          ...(cached.shallow === undefined ? [] : ([[cached.shallow, '/run/rlm/shallow']] as const)),
        ],
        workspace: { kind: 'bind', path: fresh },
        inside,
        memory_mb: CHECKOUT_MEMORY_MB,
        disk_mb,
        // Its text, because its file may be one that only the worker can read.
        argv: [interpreter.path, '-I', '-S', '-c', readFileSync(SCRIPT, 'utf8'), ...script],
      });
      const exit = await this.#launcher.job(spec, CHECKOUT_TIMEOUT_MS, signal);
      signal?.throwIfAborted();
      if (exit.code !== 0) {
        const why = exit.stderr.trim() || `exit code ${exit.code}`;
        const passing = exit.code > 128 || /no space left|cannot allocate|out of memory|input\/output error/i.test(why);
        throw new TypedError(
          passing ? 'Repository.Unavailable' : 'Repository.NotFound',
          `Commit ${cached.commit} could not be checked out: ${why}`,
        );
      }
      await rename(fresh, folder);
      return cached.objects;
    } finally {
      await discardTree(fresh);
    }
  }
}
