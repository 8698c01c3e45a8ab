import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { ConfigError } from './config-error.ts';

const DEFAULT_FILE = 'config.yaml';

export interface ConfigFile {
  /** As it is named in messages. */
  readonly path: string;
  readonly text: string;
}

/**
 * The configuration file: the one named, else `config.yaml` in the folder when there is one.
 *
 * @throws ConfigError when a named file is not there, or one cannot be read
 */
export async function readConfigFile(path: string | undefined, cwd: string): Promise<ConfigFile | undefined> {
  const name = path ?? DEFAULT_FILE;
  try {
    return { path: name, text: await readFile(resolve(cwd, name), 'utf8') };
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : '';
    if (code === 'ENOENT' && path === undefined) return undefined;
    const reason = code === 'ENOENT' ? 'there is no such file' : `it cannot be read (${code || String(error)})`;
    throw new ConfigError([
      { source: name, message: `${reason}; name a readable file, or leave the option out for the defaults.` },
    ]);
  }
}
