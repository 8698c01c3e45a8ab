import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { lstat } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { runGit } from './git.ts';

/** What git is asked about: a `LocalRepository`. */
interface WorkingTree {
  readonly top: string;
  readonly bare: boolean;
  readonly view: string;
}

/** What a Git LFS pointer stands for. */
export interface LfsPointer {
  readonly sha256: string;
  readonly size: number;
}

const NAMES_IN_WARNING = 5;

/** The pointers in the index of a working tree, by path: of those files that its attributes give to Git LFS. */
export async function findPointers(
  repository: Pick<WorkingTree, 'top' | 'view'>,
  signal?: AbortSignal,
): Promise<Map<string, LfsPointer>> {
  const lines = ['^version https://git-lfs', '^oid sha256:', '^size '].flatMap((line) => ['-e', line]);
  const grep = ['grep', '--cached', '--full-name', '-I', '-z', ...lines, '--', ':(top,attr:filter=lfs)'];
  const found = await runGit(grep, { gitDirectory: repository.view, workTree: repository.top, signal });
  const texts = new Map<string, string>();
  for (const [, path = '', line = ''] of found.stdout.matchAll(/([^\0]+)\0([^\n]*)\n/g)) {
    texts.set(path, `${texts.get(path) ?? ''}${line}\n`);
  }
  const pointers = new Map<string, LfsPointer>();
  for (const [path, text] of texts) {
    const match = /^version https:\S+\noid sha256:([0-9a-f]{64})\nsize (\d+)\n$/.exec(text);
    if (match !== null) pointers.set(path, { sha256: match[1] ?? '', size: Number(match[2]) });
  }
  return pointers;
}

export async function isContentOf(pointer: LfsPointer, path: string, signal?: AbortSignal): Promise<boolean> {
  const stats = await lstat(path).catch(() => undefined);
  if (stats?.isFile() !== true || stats.size !== pointer.size) return false;
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash, { signal });
  return hash.digest('hex') === pointer.sha256;
}

/** One sentence where agents will see pointers. */
export async function lfsWarning(repository: WorkingTree, signal?: AbortSignal): Promise<string[]> {
  if (repository.bare) return [];
  const paths = [...(await findPointers(repository, signal)).keys()];
  if (paths.length === 0) return [];
  const more = paths.length - NAMES_IN_WARNING;
  const names = `${paths.slice(0, NAMES_IN_WARNING).join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
  return [`Git LFS: agents will have only the pointers, not the content, of ${names}.`];
}
