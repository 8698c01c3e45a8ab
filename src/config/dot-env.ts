import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseEnv } from 'node:util';

/**
 * The environment with what a `.env` file in the folder adds to it. What is set already wins, even when empty; the
 * given environment is left as it is. No file, or one that cannot be read, adds nothing.
 */
export async function loadDotEnv(cwd: string, env: NodeJS.ProcessEnv): Promise<NodeJS.ProcessEnv> {
  const text = await readFile(join(cwd, '.env'), 'utf8').catch(() => '');
  return { ...parseEnv(text), ...env };
}
