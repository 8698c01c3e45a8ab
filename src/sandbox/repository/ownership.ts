import { lstat } from 'node:fs/promises';
import { TypedError } from '../../domain/failures.ts';
import { isOwnUid, userSettings } from './user-config.ts';

/**
 * Refuses a repository of another user, by git's own rule: its owner decides what a reader of it finds. The user's
 * own configuration may make exceptions (`safe.directory`); a repository's own, or the system's, may not.
 *
 * @param paths whose owners count: the working tree, its `.git`, the repository.
 * @param top the name by which an exception is made.
 * @throws TypedError `Repository.NotFound` with the command that makes an exception.
 */
export async function assertOwned(top: string, paths: readonly string[], signal?: AbortSignal): Promise<void> {
  const owners = await Promise.all(paths.map(async (path) => (await lstat(path)).uid));
  const other = owners.find((uid) => !isOwnUid(uid));
  if (other === undefined || isExcepted(top, await userSettings(signal))) return;
  throw new TypedError(
    'Repository.NotFound',
    `${top} is not read: it belongs to another user (uid ${other}), git calls this dubious ownership. If you trust ` +
      `that user, add an exception for this folder: git config --global --add safe.directory ${shellWord(top)}`,
  );
}

/** The values so far count, in their order; an empty one forgets those before it. */
function isExcepted(top: string, settings: readonly (readonly [string, string])[]): boolean {
  let excepted = false;
  for (const [name, value] of settings) {
    if (name !== 'safe.directory') continue;
    if (value === '') excepted = false;
    else if (value === '*' || trimSlash(value) === top) excepted = true;
    else if (value.endsWith('/*') && top.startsWith(value.slice(0, -1))) excepted = true;
  }
  return excepted;
}

function trimSlash(path: string): string {
  return path.length > 1 ? path.replace(/\/+$/, '') : path;
}

function shellWord(text: string): string {
  return /^[\w./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
