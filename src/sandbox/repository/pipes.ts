import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);
const TIMEOUT_MS = 20_000;

/**
 * A pipe or a device below these folders, or a link to one, that git would wait at for ever where it expects a file.
 *
 * @param names only files of these names. Default: all.
 */
export async function findPipe(folders: readonly string[], names: readonly string[] = []): Promise<string | undefined> {
  const named = names.flatMap((name, place) => [...(place === 0 ? [] : ['-o']), '-name', name]);
  const ofNames = named.length === 0 ? [] : ['(', ...named, ')'];
  const kinds = ['(', '-xtype', 'p', '-o', '-xtype', 'c', ')'];
  const where = folders.map((folder) => (folder.startsWith('/') ? folder : `./${folder}`));
  // What cannot be read or went away meanwhile, git does not wait for either.
  const { stdout } = await run('find', [...where, ...ofNames, ...kinds, '-print', '-quit'], {
    timeout: TIMEOUT_MS,
    encoding: 'utf8',
  }).catch((error: { stdout?: string }) => ({ stdout: error.stdout ?? '' }));
  return stdout === '' ? undefined : stdout.replace(/\n$/, '');
}
