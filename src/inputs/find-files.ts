import type { Dirent } from 'node:fs';
import { lstat, readdir, realpath, stat } from 'node:fs/promises';
import * as paths from 'node:path';
import { fileFault, invalid } from './invalid.ts';

export interface Found {
  /** Absolute. */
  readonly folder: string;
  /**
   * The files, relative to the folder, with slashes. In natural order: `file2` before `file10`, folder by folder. Only
   * names, because there may be a hundred thousand.
   */
  readonly names: readonly string[];
  /** Hidden files and folders, and those of version control. */
  readonly hidden: number;
  /** Links to folders, links to nothing, sockets and the like. */
  readonly odd: number;
  /** Those whose names are not UTF-8, which no path can name here. */
  readonly unnameable: number;
  /** Links to files elsewhere: they come with a folder that may be a stranger's, and could name any file of its reader. */
  readonly outside: number;
  /** Each of them was asked for. */
  readonly isPattern: boolean;
}

const VERSION_CONTROL = new Set(['CVS', '_darcs', 'RCS', 'SCCS']);

/** All files below a folder; links to others of these are followed, those to folders or out of it are not. */
export async function findInFolder(folder: string): Promise<Found> {
  const walk = new Walk(folder, { depth: Infinity, takesHidden: false, takes: () => true });
  await walk.enter('', 1);
  const { names, hidden, odd, unnameable, outside } = walk;
  return { folder: walk.folder, names, hidden, odd, unnameable, outside, isPattern: false };
}

/** The files that a pattern names; its wildcards stand for no hidden ones. */
export async function findByPattern(pattern: string, cwd: string): Promise<Found> {
  // Node 20 has none.
  if (typeof paths.matchesGlob !== 'function') {
    throw invalid(`patterns such as ${pattern} need Node 22.5 or newer: name a folder, or use a newer Node`);
  }
  const [base, rest] = splitPattern(pattern);
  const walk = new Walk(paths.resolve(cwd, base), {
    depth: /\*\*|\{[^}]*\//.test(rest) ? Infinity : rest.split('/').length,
    takesHidden: /(?:^|[/{,])\./.test(rest),
    takes: (name) => paths.matchesGlob(name, rest),
  });
  await walk.enter('', 1);
  // Nobody expects hidden and odd ones of a pattern.
  const { names, unnameable, outside } = walk;
  return { folder: walk.folder, names, hidden: 0, odd: 0, unnameable, outside, isPattern: true };
}

/** Whether a path that does not exist is a pattern. */
export function isPattern(path: string): boolean {
  return /[*?]|\[.+\]|\{.+\}/.test(path);
}

/** The folders before the first wildcard, and what follows. */
function splitPattern(pattern: string): [string, string] {
  const parts = pattern.split('/');
  const first = parts.findIndex(isPattern);
  const base = parts.slice(0, first).join('/');
  return [base === '' && pattern.startsWith('/') ? '/' : base, parts.slice(first).join('/')];
}

interface WalkOptions {
  /** Levels of folders that are looked into. */
  readonly depth: number;
  readonly takesHidden: boolean;
  readonly takes: (name: string) => boolean;
}

class Walk {
  readonly folder: string;
  readonly names: string[] = [];
  hidden = 0;
  odd = 0;
  unnameable = 0;
  outside = 0;
  readonly #options: WalkOptions;

  constructor(folder: string, options: WalkOptions) {
    this.folder = folder;
    this.#options = options;
  }

  /** @param prefix - of a folder below: its path with a slash at its end */
  async enter(prefix: string, level: number): Promise<void> {
    for (const entry of await this.#entries(prefix)) {
      const name = `${prefix}${entry.name}`;
      if (this.#isHidden(entry)) this.hidden += 1;
      // oxlint-disable-next-line no-await-in-loop -- they are few
      else if (await isUnnameable(paths.join(this.folder, name))) {
        if (entry.isDirectory() || this.#options.takes(name)) this.unnameable += 1;
      } else if (entry.isDirectory()) {
        // oxlint-disable-next-line no-await-in-loop -- in their order
        if (level < this.#options.depth) await this.enter(`${name}/`, level + 1);
      } else if (this.#options.takes(name)) {
        // oxlint-disable-next-line no-await-in-loop -- links are few
        const kind = entry.isFile() ? 'file' : entry.isSymbolicLink() ? await behindLink(this.folder, name) : 'odd';
        if (kind === 'file') this.names.push(name);
        else this[kind] += 1;
      }
    }
  }

  async #entries(prefix: string): Promise<Dirent[]> {
    const folder = paths.join(this.folder, prefix);
    try {
      const entries = await readdir(folder, { withFileTypes: true });
      return entries.toSorted((left, right) => compareNames(left.name, right.name));
    } catch (error) {
      const isMissingBase = prefix === '' && (error as NodeJS.ErrnoException).code === 'ENOENT';
      if (isMissingBase) return [];
      throw fileFault(folder, error);
    }
  }

  #isHidden(entry: Dirent): boolean {
    if (entry.isDirectory() && VERSION_CONTROL.has(entry.name)) return true;
    return entry.name.startsWith('.') && !(this.#options.takesHidden && entry.name !== '.git');
  }
}

/** A name whose bytes are not UTF-8 arrives with these in their place, and leads nowhere. */
async function isUnnameable(path: string): Promise<boolean> {
  if (!path.includes('\ufffd')) return false;
  return lstat(path).then(
    () => false,
    (error: unknown) => (error as NodeJS.ErrnoException).code === 'ENOENT',
  );
}

async function behindLink(folder: string, name: string): Promise<'file' | 'outside' | 'odd'> {
  try {
    const target = await realpath(paths.join(folder, name));
    if (!(await stat(target)).isFile()) return 'odd';
    const root = await realpath(folder);
    return target.startsWith(root.endsWith('/') ? root : `${root}/`) ? 'file' : 'outside';
  } catch {
    return 'odd';
  }
}

const COLLATOR = new Intl.Collator('en', { numeric: true });

/** The same on every host. */
function compareNames(left: string, right: string): number {
  return COLLATOR.compare(left, right) || (left < right ? -1 : 1);
}
