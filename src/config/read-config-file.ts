import { readFile } from 'node:fs/promises';
import { readTextFile } from '../files/read-text-file.ts';
import { homedir } from 'node:os';
import { dirname, isAbsolute, join, resolve } from 'node:path';
import { ConfigError } from './config-error.ts';

const DEFAULT_FILE = 'config.yaml';

export interface ConfigFile {
  /** As it is named in messages. */
  readonly path: string;
  readonly text: string;
  /** What paths in it are relative to. */
  readonly folder: string;
  /** Of the user's configuration folder, named by the user, or only found in the current folder. */
  readonly origin: 'user' | 'named' | 'found';
}

/**
 * The files that make up the configuration, each winning over those before it: the user's own, then the one that is
 * named, else `config.yaml` of the current folder when there is one.
 *
 * @throws ConfigError when a named file is not there, or one cannot be read
 */
export async function readConfigFiles(
  named: string | undefined,
  { cwd, env }: { readonly cwd: string; readonly env: NodeJS.ProcessEnv },
): Promise<readonly ConfigFile[]> {
  const user = userConfigFile(env);
  const files = [
    await readConfigFile(user, { folder: dirname(user), origin: 'user' }),
    named === undefined
      ? await readConfigFile(DEFAULT_FILE, { folder: cwd, origin: 'found' })
      : await readConfigFile(named, { folder: dirname(resolve(cwd, named)), origin: 'named' }, cwd),
  ].filter((file) => file !== undefined);
  const [first, second] = files;
  // In the user's configuration folder its file is not met a second time, as one of unknown origin.
  const isOne = second?.origin === 'found' && resolve(cwd, DEFAULT_FILE) === user;
  return isOne && first !== undefined ? [first] : files;
}

/** The user's own configuration, by the rules of XDG. */
export function userConfigFile(env: NodeJS.ProcessEnv): string {
  const base = env['XDG_CONFIG_HOME'];
  // The XDG specification: a relative path there is invalid and to be ignored.
  const folder = base !== undefined && isAbsolute(base) ? base : join(env['HOME'] || homedir(), '.config');
  return join(folder, 'durable-rlm', DEFAULT_FILE);
}

/** @returns undefined where there is no such file, unless it was named */
export async function readConfigFile(
  path: string,
  about: Pick<ConfigFile, 'folder' | 'origin'>,
  cwd: string = about.folder,
): Promise<ConfigFile | undefined> {
  try {
    const file = resolve(cwd, path);
    // One that a person names may be a pipe of theirs.
    const text = await (about.origin === 'named' ? readFile(file, 'utf8') : readTextFile(file));
    return { path, text, ...about };
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : '';
    if ((code === 'ENOENT' || code === 'ENOTDIR') && about.origin !== 'named') return undefined;
    const reason = code === 'ENOENT' ? 'there is no such file' : `it cannot be read (${code || String(error)})`;
    throw new ConfigError([{ source: path, message: `${reason}.` }]);
  }
}
