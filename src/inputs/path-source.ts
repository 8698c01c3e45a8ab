import { readdir } from 'node:fs/promises';
import { homedir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { nearestName } from '../domain/nearest-name.ts';
import type { Field } from '../domain/signature/field-type.ts';
import { fileSource, kindOf } from './file-source.ts';
import { findByPattern, findInFolder, isPattern } from './find-files.ts';
import { folderSource } from './folder-source.ts';
import { invalid } from './invalid.ts';
import type { Source } from './source.ts';

/** A file, a folder or a pattern; `~/` is the user's folder, and a file whose name looks like a pattern is a file. */
export async function pathSource(typed: string, field: Field, cwd: string): Promise<Source> {
  if (typed === '') throw invalid(`${field.name}: name a file, a folder or a pattern after the @`);
  const expanded = typed.startsWith('~/') || typed === '~' ? join(homedir(), typed.slice(1)) : typed;
  const path = resolve(cwd, expanded);
  const kind = await kindOf(path, typed);
  if (kind === 'file') return fileSource(path, field, typed);
  if (kind === 'folder') return folderSource(await findInFolder(path), field, typed);
  if (isPattern(expanded)) return folderSource(await findByPattern(expanded, cwd), field, typed);
  throw invalid(`${field.name}: there is no file or folder ${typed}${await advice(path)}`);
}

async function advice(path: string): Promise<string> {
  const names = await readdir(dirname(path)).catch((): string[] => []);
  const nearest = nearestName(basename(path), names);
  const meant = nearest === undefined ? '' : `; did you mean ${nearest}?`;
  return `${meant} (it was looked for at ${path}; a value that begins with @ is written with @@)`;
}
