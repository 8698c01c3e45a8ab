import { chmodSync, lstatSync, mkdirSync } from 'node:fs';
import { TypedError } from '../domain/failures.ts';

/** Of a folder whose files hold prompts, repositories and replies. */
const FOLDER_MODE = 0o700;
/** Of a file with such content. */
export const PRIVATE_FILE_MODE = 0o600;

const GROUP_AND_OTHERS = 0o077;

/**
 * Makes a folder that only this user can enter, with every missing folder above it. An existing folder that other users
 * can enter is closed to them.
 *
 * @throws TypedError `Input.Invalid` when it is a symbolic link, is not a folder, belongs to another user, or cannot be
 *   closed.
 */
export function makePrivateFolder(path: string): void {
  // The mode is that of each folder it makes; of one that exists it changes nothing.
  if (lstatSync(path, { throwIfNoEntry: false }) === undefined) {
    mkdirSync(path, { recursive: true, mode: FOLDER_MODE });
  }
  const stats = lstatSync(path);
  if (stats.isSymbolicLink()) throw refused(path, 'it is a symbolic link; name the folder it points to');
  if (!stats.isDirectory()) throw refused(path, 'it is not a folder');
  const uid = process.geteuid?.();
  if (uid !== undefined && stats.uid !== uid) {
    throw refused(path, `it belongs to user ${stats.uid}, and this process is user ${uid}`);
  }
  if ((stats.mode & GROUP_AND_OTHERS) === 0) return;
  chmodSync(path, FOLDER_MODE);
  if ((lstatSync(path).mode & GROUP_AND_OTHERS) !== 0) {
    throw refused(path, 'other users can enter it, and its file system does not let that be changed');
  }
}

function refused(path: string, why: string): TypedError {
  return new TypedError(
    'Input.Invalid',
    `${path} is not used for private files: ${why}. Remove it, or name another folder with DURABLE_RLM_STATE (state) ` +
      'or DURABLE_RLM_CACHE (cache).',
  );
}
