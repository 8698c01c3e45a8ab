import type { Dirent } from 'node:fs';
import * as fs from 'node:fs/promises';
import { join, relative, resolve, sep } from 'node:path';
import { fileFault, invalid } from './invalid.ts';

export interface FoundFile {
  /** Absolute. */
  readonly path: string;
  /** Relative to the folder that was named, with slashes. */
  readonly name: string;
}

export interface Found {
  /** In natural order: `file2` before `file10`, folder by folder. */
  readonly files: readonly FoundFile[];
  /** Hidden files and folders, and those of version control. */
  readonly hidden: number;
  /** Links to folders, links to nothing, sockets and the like. */
  readonly odd: number;
}

const VERSION_CONTROL = new Set(['CVS', '_darcs', 'RCS', 'SCCS']);

/** All files below a folder; links to files are followed, those to folders are not. */
export async function findInFolder(folder: string): Promise<Found> {
  const files: FoundFile[] = [];
  let [hidden, odd] = [0, 0];
  const folders = [folder];
  for (let next = folders.pop(); next !== undefined; next = folders.pop()) {
    // oxlint-disable-next-line no-await-in-loop -- one folder after the other
    for (const entry of await entriesOf(next)) {
      const path = join(next, entry.name);
      if (entry.name.startsWith('.') || (entry.isDirectory() && VERSION_CONTROL.has(entry.name))) hidden += 1;
      else if (entry.isDirectory()) folders.push(path);
      // oxlint-disable-next-line no-await-in-loop -- links are few
      else if (entry.isFile() || (entry.isSymbolicLink() && (await isFile(path)))) files.push(named(folder, path));
      else odd += 1;
    }
  }
  return { files: inNaturalOrder(files), hidden, odd };
}

/** The files that a pattern names; its wildcards stand for no hidden ones. */
export async function findByPattern(pattern: string, cwd: string): Promise<Found> {
  // Node 20 has none.
  if (typeof fs.glob !== 'function') {
    throw invalid(`patterns such as ${pattern} need Node 22 or newer: name a folder, or use a newer Node`);
  }
  const [base, rest] = splitPattern(pattern);
  const folder = resolve(cwd, base);
  const files: FoundFile[] = [];
  let odd = 0;
  for await (const entry of fs.glob(rest, { cwd: folder, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (entry.isFile() || (entry.isSymbolicLink() && (await isFile(path)))) files.push(named(folder, path));
    else if (!entry.isDirectory()) odd += 1;
  }
  return { files: inNaturalOrder(files), hidden: 0, odd };
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

async function entriesOf(folder: string): Promise<Dirent[]> {
  try {
    return await fs.readdir(folder, { withFileTypes: true });
  } catch (error) {
    throw fileFault(folder, error);
  }
}

async function isFile(path: string): Promise<boolean> {
  try {
    return (await fs.stat(path)).isFile();
  } catch {
    return false;
  }
}

function named(folder: string, path: string): FoundFile {
  const name = relative(folder, path);
  return { path, name: sep === '/' ? name : name.replaceAll(sep, '/') };
}

const COLLATOR = new Intl.Collator('en', { numeric: true });

/** Number by number and folder by folder, the same on every host. */
function inNaturalOrder(files: readonly FoundFile[]): FoundFile[] {
  return files
    .map((file) => ({ file, parts: file.name.split('/') }))
    .toSorted((left, right) => compareParts(left.parts, right.parts))
    .map(({ file }) => file);
}

function compareParts(left: readonly string[], right: readonly string[]): number {
  for (const [index, part] of left.entries()) {
    const other = right[index];
    if (other === undefined) return 1;
    if (part === other) continue;
    return COLLATOR.compare(part, other) || (part < other ? -1 : 1);
  }
  return left.length - right.length;
}
