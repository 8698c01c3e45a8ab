import { readdir, readlink } from 'node:fs/promises';
import { homedir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { nearestName } from '../domain/nearest-name.ts';
import type { Field } from '../domain/signature/field-type.ts';
import { fileSource, kindOf } from './file-source.ts';
import { findByPattern, findInFolder, isPattern } from './find-files.ts';
import { folderSource } from './folder-source.ts';
import { invalid } from './invalid.ts';
import { splitOptions, type ReadOptions } from './read-options.ts';
import type { Source } from './source.ts';

/**
 * A file, a folder or a pattern, with options behind it: `rows.csv;encoding=windows-1252`. `~/` is the user's folder, and
 * a file whose name looks like a pattern, or like options, is a file.
 */
export async function typedPathSource(typed: string, field: Field, cwd: string): Promise<Source> {
  if (typed === '') throw invalid(`${field.name}: name a file, a folder or a pattern after the @`);
  if (typed.includes(';') && (await kindOf(absolute(typed, cwd), typed)) === undefined) {
    const { path, options } = splitOptions(typed);
    return pathSource(path, field, cwd, options);
  }
  return pathSource(typed, field, cwd, {});
}

/** The same with options apart. */
export async function pathSource(typed: string, field: Field, cwd: string, options: ReadOptions): Promise<Source> {
  const path = absolute(typed, cwd);
  const kind = await kindOf(path, typed);
  if (kind === 'file') return fileSource(path, field, typed, options);
  if (kind === 'folder') return folderSource(await findInFolder(path), field, typed, options);
  if (isPattern(typed)) return folderSource(await findByPattern(inHome(typed), cwd), field, typed, options);
  throw invalid(`${field.name}: there is no file or folder ${typed}${await advice(typed, path)}`);
}

export function absolute(typed: string, cwd: string): string {
  return resolve(cwd, inHome(typed));
}

function inHome(typed: string): string {
  return typed.startsWith('~/') || typed === '~' ? join(homedir(), typed.slice(1)) : typed;
}

async function advice(typed: string, path: string): Promise<string> {
  const other = adviceOnForm(typed) ?? (await adviceOnLink(path));
  if (other !== undefined) return `; ${other}`;
  const names = await readdir(dirname(path)).catch((): string[] => []);
  const nearest = nearestName(basename(path), names);
  const meant = nearest === undefined ? '' : `; did you mean ${nearest}?`;
  return `${meant} (it was looked for at ${path}; a value that begins with @ is written with @@)`;
}

/** Of what is no path here, though elsewhere it names a file. */
function adviceOnForm(typed: string): string | undefined {
  const address = /^([a-z][a-z\d+.-]+):\/\/(.*)$/is.exec(typed);
  if (address !== null) {
    const [, scheme = '', rest = ''] = address;
    if (/^file$/i.test(scheme)) return `name it by its path: @${rest.replace(/^(?:localhost)?(?=\/)/, '')}`;
    const download = /^https?$/i.test(scheme) ? `such as with curl -o file '${typed}', ` : '';
    return `addresses are not fetched: download it first, ${download}and name the file`;
  }
  const windows = /^([a-z]):[\\/](.*)$/i.exec(typed);
  if (windows !== null) {
    const [, drive = '', rest = ''] = windows;
    return `in WSL, the path of Windows is /mnt/${drive.toLowerCase()}/${rest.replaceAll('\\', '/')}`;
  }
  return undefined;
}

async function adviceOnLink(path: string): Promise<string | undefined> {
  const target = await readlink(path).catch(() => undefined);
  return target === undefined ? undefined : `it is a link to ${target}, which does not exist`;
}
