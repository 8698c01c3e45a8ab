import { lstat, readFile, readlink, realpath, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { TypedError } from '../../domain/failures.ts';

/** Where a repository lies, found without git: git would read its configuration on the way. Real paths. */
export interface RepositoryPlace {
  /** Absent for a bare repository, and inside of one. */
  readonly workTree: string | undefined;
  /** The file named `.git` of a linked working tree or a submodule. */
  readonly gitFile: string | undefined;
  /** Of this working tree: where HEAD and the index are. */
  readonly gitDirectory: string;
  /** Where branches, objects and the configuration are; the same but for a linked working tree. */
  readonly commonDirectory: string;
}

/** Bytes that no file which names something is larger than. */
const MAX_NAME_BYTES = 64 * 1024;

/**
 * The repository that a folder is in: the one at the folder itself or at the nearest folder above it on the same file
 * system, as git looks for it.
 *
 * @returns undefined when there is none.
 * @throws TypedError `Repository.NotFound` for a working tree whose repository is gone.
 */
export async function findRepository(path: string): Promise<RepositoryPlace | undefined> {
  const start = await realpath(path);
  const { dev } = await stat(start);
  for (let folder = start; ; folder = dirname(folder)) {
    const found = (await atWorkTree(folder)) ?? (await atDirectory(folder, undefined, undefined));
    if (found !== undefined) return found;
    const parent = dirname(folder);
    if (parent === folder || (await stat(parent)).dev !== dev) return undefined;
  }
}

async function atWorkTree(folder: string): Promise<RepositoryPlace | undefined> {
  const path = join(folder, '.git');
  const stats = await stat(path).catch(() => undefined);
  if (stats === undefined) return undefined;
  if (stats.isDirectory()) return atDirectory(path, folder, undefined);
  const target = /^gitdir: ([^\0]+?)\n*$/.exec((await readName(path)) ?? '')?.[1];
  const found = target === undefined ? undefined : await atDirectory(resolve(folder, target), folder, path);
  if (found !== undefined) return found;
  throw new TypedError(
    'Repository.NotFound',
    `${path} does not name a git repository${target === undefined ? '' : ` (${target})`}. Of a linked working tree ` +
      'whose repository was moved it is corrected by: git worktree repair',
  );
}

async function atDirectory(
  path: string,
  workTree: string | undefined,
  gitFile: string | undefined,
): Promise<RepositoryPlace | undefined> {
  if ((await readHead(path)) === undefined) return undefined;
  const common = (await readName(join(path, 'commondir')))?.replace(/\n+$/, '');
  const commonDirectory = common === undefined ? path : resolve(path, common);
  if (!(await isFolder(join(commonDirectory, 'objects'))) || !(await isFolder(join(commonDirectory, 'refs')))) {
    return undefined;
  }
  return {
    workTree,
    gitFile,
    gitDirectory: await realpath(path),
    commonDirectory: await realpath(commonDirectory),
  };
}

/** What a repository's HEAD says: the name of a branch (`ref: refs/...`) or of a commit. */
export async function readHead(gitDirectory: string): Promise<string | undefined> {
  const path = join(gitDirectory, 'HEAD');
  const stats = await lstat(path).catch(() => undefined);
  // As git wrote it long ago.
  const text = stats?.isSymbolicLink() === true ? `ref: ${await readlink(path)}` : await readName(path);
  return /^(ref:\s*refs\/[^\0\n]+|[0-9a-f]{40}|[0-9a-f]{64})\s*$/.exec(text ?? '')?.[1];
}

/** Undefined where there is no plain file, or a far too large one. */
export async function readName(path: string): Promise<string | undefined> {
  const stats = await stat(path).catch(() => undefined);
  if (stats?.isFile() !== true || stats.size > MAX_NAME_BYTES) return undefined;
  return readFile(path, 'utf8').catch(() => undefined);
}

async function isFolder(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined))?.isDirectory() === true;
}
