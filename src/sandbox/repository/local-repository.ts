import { readFile, stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { TypedError } from '../../domain/failures.ts';
import { runGit, type GitOptions } from './git.ts';

/** A repository on this machine, as git sees it. Nothing in it is ever changed. */
export interface LocalRepository {
  /** The working tree's top folder; the repository itself where it is bare. */
  readonly top: string;
  readonly bare: boolean;
  /** Of this working tree: where HEAD is. */
  readonly gitDirectory: string;
  readonly objects: string;
  /** Commits at which a shallow history ends. */
  readonly shallow: readonly string[];
}

/**
 * @param path the repository, bare or not, a linked working tree, or any folder inside one.
 * @throws TypedError `Repository.NotFound`; `Input.Invalid` for a repository with SHA-256 names.
 */
export async function openLocalRepository(path: string, signal?: AbortSignal): Promise<LocalRepository> {
  const folder = await stat(path).catch(() => undefined);
  if (folder === undefined) {
    throw new TypedError(
      'Repository.NotFound',
      `${path} does not exist: give the folder of a git repository, or a URL.`,
    );
  }
  if (!folder.isDirectory()) throw new TypedError('Repository.NotFound', `${path} is not a folder.`);
  const options: GitOptions = { cwd: path, signal };
  const questions = ['--absolute-git-dir', '--git-path', 'objects', '--git-path', 'shallow', '--is-bare-repository'];
  const answer = await runGit(['rev-parse', ...questions], options);
  if (answer.code !== 0) throw notARepository(path, answer.stderr);
  const [gitDirectory = '', objects = '', shallow = '', bare] = answer.stdout.split('\n');
  const format = await runGit(['rev-parse', '--show-object-format'], options);
  if (format.stdout.trim() === 'sha256') {
    throw new TypedError('Input.Invalid', `${path} names its commits by SHA-256, which is not supported yet.`);
  }
  const top = bare === 'true' ? gitDirectory : await topOf(path, options);
  return {
    top,
    bare: bare === 'true',
    gitDirectory,
    objects: resolve(path, objects),
    shallow: await readShallow(resolve(path, shallow)),
  };
}

function notARepository(path: string, stderr: string): TypedError {
  if (/not a git repository/i.test(stderr)) {
    return new TypedError(
      'Repository.NotFound',
      `${path} is not a git repository. To make it one: git -C '${path}' init && git -C '${path}' add -A && git -C '${path}' commit -m start`,
    );
  }
  return new TypedError('Repository.NotFound', `${path} cannot be read as a git repository: ${stderr.trim()}`);
}

async function topOf(path: string, options: GitOptions): Promise<string> {
  const top = await runGit(['rev-parse', '--show-toplevel'], options);
  // Inside .git there is no working tree.
  return top.code === 0 && top.stdout.trim() !== '' ? top.stdout.replace(/\n$/, '') : path;
}

async function readShallow(file: string): Promise<string[]> {
  const text = await readFile(file, 'utf8').catch(() => '');
  return text.split('\n').filter((line) => /^[0-9a-f]{40}$/.test(line));
}

/** One sentence for each thing in the working tree that a run will not see. */
export async function uncommittedChanges(repository: LocalRepository, signal?: AbortSignal): Promise<string[]> {
  if (repository.bare) return [];
  const status = await runGit(['status', '--porcelain', '-z', '--untracked-files=normal', '--ignore-submodules=all'], {
    cwd: repository.top,
    signal,
    config: await disarmedFilters(repository, signal),
  });
  if (status.code !== 0)
    return [`Whether ${repository.top} has uncommitted changes could not be told: ${status.stderr.trim()}`];
  const entries = status.stdout.split('\0').filter((entry) => /^.. ./.test(entry));
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

/** A repository's filters are programs; a look at its status must not run them. */
async function disarmedFilters(repository: LocalRepository, signal?: AbortSignal): Promise<[string, string][]> {
  const listed = await runGit(['config', '--null', '--name-only', '--get-regexp', '^filter\\.'], {
    cwd: repository.top,
    signal,
  });
  return listed.stdout
    .split('\0')
    .filter((name) => name !== '')
    .map((name) => [name, name.endsWith('.required') ? 'false' : '']);
}
