import { mkdir, readdir, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { makeTemporaryFolder } from '../../files/temporary-folder.ts';
import type { RepositoryPlace } from './find-repository.ts';

/** What of a repository's common directory a reader needs. */
const COMMON = ['objects', 'refs', 'packed-refs', 'shallow', 'reftable'];
/** Which files git ignores, and how it compares them; what these name to be run is configured nowhere. */
const INFO = ['exclude', 'attributes'];

/**
 * Shows git somebody's repository as one of ours: its objects, references and index by symbolic links, without its
 * configuration and hooks. Whatever reads the view cannot be made to run or fetch anything, and writes nothing.
 *
 * @param work gets the view as a git directory; it is removed afterwards.
 */
export async function withRepositoryView<T>(
  place: RepositoryPlace & { readonly head: string },
  work: (gitDirectory: string) => Promise<T>,
): Promise<T> {
  const view = makeTemporaryFolder('view');
  try {
    await fillView(view, place);
    return await work(view);
  } finally {
    await rm(view, { recursive: true, force: true });
  }
}

async function fillView(view: string, place: RepositoryPlace & { readonly head: string }): Promise<void> {
  const { commonDirectory, gitDirectory } = place;
  const reftable = await exists(join(commonDirectory, 'reftable'));
  const format = reftable ? '1\n[extensions]\n\trefStorage = reftable\n' : '0\n';
  await writeFile(join(view, 'config'), `[core]\n\tbare = false\n\trepositoryFormatVersion = ${format}`);
  await writeFile(join(view, 'HEAD'), `${place.head}\n`);
  await mkdir(join(view, 'info'));
  // A split index lies in several files.
  const indexes = (await readdir(gitDirectory)).filter((name) => /^(index|sharedindex\.[0-9a-f]+)$/.test(name));
  await link(view, commonDirectory, COMMON);
  await link(view, gitDirectory, indexes);
  await link(join(view, 'info'), join(commonDirectory, 'info'), INFO);
  await link(join(view, 'info'), join(gitDirectory, 'info'), ['sparse-checkout']);
}

async function link(into: string, from: string, names: readonly string[]): Promise<void> {
  for (const name of names) if (await exists(join(from, name))) await symlink(join(from, name), join(into, name));
}

/** Files and folders; anything else, such as a pipe, would only keep its reader waiting. */
async function exists(path: string): Promise<boolean> {
  const stats = await stat(path).catch(() => undefined);
  return stats !== undefined && (stats.isFile() || stats.isDirectory());
}
