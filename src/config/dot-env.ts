import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseEnv } from 'node:util';

/** It decides where a key is sent, which a file that came with somebody's folder must not. */
const NOT_FROM_FILE = 'DAYTONA_API_URL';

/**
 * The environment with what a `.env` file in the folder adds to it. What is set already wins, even when empty; the
 * given environment is left as it is. No file, or one that cannot be read, adds nothing; nor does any the address of
 * Daytona.
 */
export async function loadDotEnv(cwd: string, env: NodeJS.ProcessEnv): Promise<NodeJS.ProcessEnv> {
  const text = await readFile(join(cwd, '.env'), 'utf8').catch(() => '');
  const { [NOT_FROM_FILE]: _, ...added } = parseEnv(text);
  return { ...added, ...env };
}
