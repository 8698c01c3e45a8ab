import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { TypedError } from '../../domain/failures.ts';
import { findPointers, isContentOf } from './lfs-pointers.ts';
import { findRepository, readHead, type RepositoryPlace } from './find-repository.ts';
import { runGit, type GitOptions } from './git.ts';
import { assertOwned } from './ownership.ts';
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

/** One sentence for each thing in the working tree that a run will not see. */
export async function uncommittedChanges(repository: LocalRepository, signal?: AbortSignal): Promise<string[]> {
  if (repository.bare) return [];
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
  return [
    `${parts.join(' and ')} in ${repository.top} will not be seen by the run, which works on the commit: commit them first if they matter.`,
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
