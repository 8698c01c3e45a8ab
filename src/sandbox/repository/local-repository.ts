import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { TypedError } from '../../domain/failures.ts';
import { findPointers, isContentOf } from './lfs-pointers.ts';
import { findRepository, readHead, type RepositoryPlace } from './find-repository.ts';
import { runGit, spawnGit, type GitOptions } from './git.ts';
import { assertOwned } from './ownership.ts';
import { findPipe } from './pipes.ts';
import { withRepositoryView } from './repository-view.ts';
import { comparingSettings, settingsOfFile, userSettings, type Setting } from './user-config.ts';

/** A repository on this machine while it is read. Nothing in it is ever changed, and its configuration has no say. */
export interface LocalRepository {
  /** The working tree's top folder; the repository itself where it is bare. */
  readonly top: string;
  readonly bare: boolean;
  /** What shows it to git: a repository of ours, to be read only. */
  readonly view: string;
  readonly objects: string;
  /** Commits at which a shallow history ends. */
  readonly shallow: readonly string[];
  /** Its own configuration; of what it says little counts. */
  readonly settings: readonly Setting[];
}

/**
 * @param path the repository, bare or not, a linked working tree, or any folder inside one.
 * @param work what is done with it; what it is given counts until it ends.
 * @throws TypedError `Repository.NotFound`, also for one that belongs to another user; `Input.Invalid` for a repository
 *   with SHA-256 names.
 */
export async function withLocalRepository<T>(
  path: string,
  work: (repository: LocalRepository) => Promise<T>,
  signal?: AbortSignal,
): Promise<T> {
  const folder = await stat(path).catch(() => undefined);
  if (folder === undefined) {
    throw new TypedError(
      'Repository.NotFound',
      `${path} does not exist: give the folder of a git repository, or a URL.`,
    );
  }
  if (!folder.isDirectory()) throw new TypedError('Repository.NotFound', `${path} is not a folder.`);
  const place = await findRepository(path);
  const head = place === undefined ? undefined : await readHead(place.gitDirectory);
  if (place === undefined || head === undefined) throw notARepository(path);
  const top = place.workTree ?? place.gitDirectory;
  const { workTree, gitFile, gitDirectory, commonDirectory } = place;
  const owned = [workTree, gitFile, gitDirectory, commonDirectory].filter((name) => name !== undefined);
  await assertOwned(top, owned, signal);
  const pipe = await findPipe([...new Set([gitDirectory, commonDirectory])]);
  if (pipe !== undefined) {
    throw new TypedError(
      'Input.Invalid',
      `${path} is not read: ${pipe} is a pipe or a device, and git would wait for what it says. Remove it.`,
    );
  }
  const settings = await settingsOfFile(join(commonDirectory, 'config'), signal);
  await assertSupported(path, place, settings);
  return withRepositoryView({ ...place, head }, async (view) => {
    const shallow = await readShallow(join(commonDirectory, 'shallow'));
    const objects = join(commonDirectory, 'objects');
    return work({ top, bare: workTree === undefined, view, objects, shallow, settings });
  });
}

function notARepository(path: string): TypedError {
  return new TypedError(
    'Repository.NotFound',
    `${path} is not a git repository. To make it one: git -C '${path}' init && git -C '${path}' add -A && git -C '${path}' commit -m start`,
  );
}

async function assertSupported(path: string, place: RepositoryPlace, settings: readonly Setting[]): Promise<void> {
  const [, format] = settings.findLast(([name]) => name === 'extensions.objectformat') ?? [];
  if (format === 'sha256') {
    throw new TypedError('Input.Invalid', `${path} names its commits by SHA-256, which is not supported yet.`);
  }
  const isLinked = place.gitDirectory !== place.commonDirectory;
  if (!isLinked || (await stat(join(place.commonDirectory, 'reftable')).catch(() => undefined)) === undefined) return;
  throw new TypedError(
    'Input.Invalid',
    `${path} is a linked working tree of a repository with reftables, which is not supported yet: name the main one, ` +
      'and the branch with -b.',
  );
}

async function readShallow(file: string): Promise<string[]> {
  const isFile = (await stat(file).catch(() => undefined))?.isFile() === true;
  const text = isFile ? await readFile(file, 'utf8') : '';
  return text.split('\n').filter((line) => /^[0-9a-f]{40}$/.test(line));
}

/** A few trees that hold each other many times have any number of files, and git would compare them all. */
const MAX_COMPARED_FILES = 2_000_000;

async function isTooLarge({ view }: LocalRepository, signal: AbortSignal | undefined): Promise<boolean> {
  const stop = new AbortController();
  const signals = signal === undefined ? stop.signal : AbortSignal.any([signal, stop.signal]);
  const { stdout } = spawnGit(['ls-tree', '-r', '-z', '--object-only', 'HEAD'], {
    gitDirectory: view,
    signal: signals,
  });
  let bytes = 0;
  for await (const chunk of stdout) {
    bytes += (chunk as Buffer).length;
    if (bytes <= MAX_COMPARED_FILES * OBJECT_LINE_BYTES) continue;
    stop.abort();
    return true;
  }
  return false;
}

/** The name of an object, and what ends it. */
const OBJECT_LINE_BYTES = 41;

/** One sentence for each thing in the working tree that a run will not see. */
export async function uncommittedChanges(repository: LocalRepository, signal?: AbortSignal): Promise<string[]> {
  if (repository.bare) return [];
  const pipe = await findPipe([repository.top], ['.gitignore', '.gitattributes']);
  if (pipe !== undefined)
    return [`Whether ${repository.top} has uncommitted changes could not be told: ${pipe} is a pipe.`];
  if (await isTooLarge(repository, signal)) {
    return [
      `Whether ${repository.top} has uncommitted changes was not asked: its commit has more than ${MAX_COMPARED_FILES} files.`,
    ];
  }
  const user = await userSettings(signal);
  const ignored = user.filter(([name]) => name === 'core.excludesfile');
  const options: GitOptions = {
    gitDirectory: repository.view,
    workTree: repository.top,
    signal,
    config: [...ignored, ...comparingSettings([...user, ...repository.settings])],
  };
  const status = await runGit(
    ['status', '--porcelain', '-z', '--untracked-files=normal', '--ignore-submodules=all'],
    options,
  );
  if (status.code !== 0)
    return [`Whether ${repository.top} has uncommitted changes could not be determined: ${status.stderr.trim()}`];
  const found = status.stdout.split('\0').filter((entry) => /^.. ./s.test(entry));
  const entries = found.length === 0 ? [] : await withoutFetched(repository, found, signal);
  if (entries.length === 0) return [];
  const untracked = entries.filter((entry) => entry.startsWith('??')).length;
  const changed = entries.length - untracked;
  const parts = [
    ...(changed > 0 ? [`${changed} uncommitted ${changed === 1 ? 'change' : 'changes'}`] : []),
    ...(untracked > 0 ? [`${untracked} untracked ${untracked === 1 ? 'file or folder' : 'files or folders'}`] : []),
  ];
  const advice = entries.length === 1 ? 'commit it first if it matters' : 'commit them first if they matter';
  return [
    `${parts.join(' and ')} in ${repository.top} will not be seen by the run, which works on the commit: ${advice}.`,
  ];
}

/** Without the files whose content Git LFS has put in the place of their pointers: git itself would ask its filter. */
async function withoutFetched(
  repository: LocalRepository,
  entries: readonly string[],
  signal: AbortSignal | undefined,
): Promise<string[]> {
  const pointers = await findPointers(repository, signal);
  const changed: string[] = [];
  for (const entry of entries) {
    const pointer = entry.startsWith(' M ') ? pointers.get(entry.slice(3)) : undefined;
    const path = join(repository.top, entry.slice(3));
    if (pointer === undefined || !(await isContentOf(pointer, path, signal))) changed.push(entry);
  }
  return changed;
}
