import { TypedError } from '../../domain/failures.ts';
import { closeNames } from './close-names.ts';
import { runGit } from './git.ts';

export interface FolderRequest {
  /** The repository as a person names it. */
  readonly where: string;
  /** A bare repository of ours that has the commit. */
  readonly gitDirectory: string;
  /** 40 digits. */
  readonly commit: string;
  /** A path inside the repository, such as `src/parser`. */
  readonly folder: string;
}

/**
 * Checks that a commit has a folder. A link is taken for one, and so is a submodule: what it leads to is not looked at.
 *
 * @throws TypedError `Repository.NotFound` that names the folders which are there
 */
export async function requireFolder(
  { where, gitDirectory, commit, folder }: FolderRequest,
  signal?: AbortSignal,
): Promise<void> {
  const parts = folder.split('/').filter((part) => part !== '' && part !== '.');
  let parent = '';
  for (const part of parts) {
    // oxlint-disable-next-line no-await-in-loop -- from the top down to what is missing
    const entries = await entriesOf(gitDirectory, `${commit}:${parent}`, signal);
    const mode = entries.get(part);
    if (mode === LINK || mode === SUBMODULE) return;
    if (mode !== FOLDER) {
      const what = mode === undefined ? `has no folder "${folder}"` : `has "${folder}" as a file, and not as a folder,`;
      const folders = [...entries].flatMap(([name, each]) => (each === FOLDER ? [`${parent}${name}`] : []));
      const there = foldersSentence(`${parent}${part}`, folders, parent);
      throw new TypedError('Repository.NotFound', `${where} ${what} at commit ${commit.slice(0, 12)}. ${there}`);
    }
    parent += `${part}/`;
  }
}

/** Modes of git's trees. */
const FOLDER = '040000';
const LINK = '120000';
const SUBMODULE = '160000';
/** Folders that are named where none is close. */
const MAX_NAMED = 5;

/** Modes of what is in a folder, by name. */
async function entriesOf(
  gitDirectory: string,
  tree: string,
  signal: AbortSignal | undefined,
): Promise<ReadonlyMap<string, string>> {
  const listed = await runGit(['ls-tree', '-z', tree], { gitDirectory, signal });
  if (listed.code !== 0) throw new TypedError('Repository.Unavailable', `git could not read ${tree}: ${listed.stderr}`);
  return new Map(
    listed.stdout
      .split('\0')
      .filter((line) => line !== '')
      .map((line) => [line.slice(line.indexOf('\t') + 1), line.slice(0, 6)]),
  );
}

function foldersSentence(wanted: string, folders: readonly string[], parent: string): string {
  const close = closeNames(wanted, folders);
  if (close.length > 0) return `Close to it: ${close.join(', ')}.`;
  const place = parent === '' ? 'It' : parent.slice(0, -1);
  if (folders.length === 0) return `${place} has no folders there: agents see what is committed.`;
  const more = folders.length > MAX_NAMED ? `, and ${folders.length - MAX_NAMED} more` : '';
  return `${place} has there: ${folders.slice(0, MAX_NAMED).join(', ')}${more}; agents see what is committed.`;
}
