import { randomBytes } from 'node:crypto';
import { linkSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { writeAtomicallySync } from '../../files/write-atomically.ts';

const FILE = 'host-id';

/**
 * Names where the sandboxes of a state folder live, for handles and task queues: the host's name, and an id of the
 * folder, because two workers may have one host name and not one folder (containers, or two users).
 */
export function hostIdentity(name: string, stateDirectory: string): string {
  return `${name}.${folderId(stateDirectory)}`;
}

function folderId(stateDirectory: string): string {
  const file = join(stateDirectory, FILE);
  const known = readId(file);
  if (known !== undefined) return known;
  const made = randomBytes(4).toString('hex');
  const own = `${file}.${made}`;
  writeAtomicallySync(own, `${made}\n`);
  try {
    linkSync(own, file);
  } catch (error) {
    // Another process was first.
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    rmSync(own, { force: true });
  }
  return readId(file) ?? made;
}

function readId(file: string): string | undefined {
  try {
    const id = readFileSync(file, 'utf8').trim();
    return id === '' ? undefined : id;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
