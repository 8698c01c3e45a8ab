import { homedir } from 'node:os';
import { isAbsolute, join, resolve } from 'node:path';

/** Folder of what must survive a restart: blobs, Temporal's database. `DURABLE_RLM_STATE` names another. */
export function stateDirectory(env: NodeJS.ProcessEnv): string {
  return directory(env['DURABLE_RLM_STATE'], env['XDG_STATE_HOME'], ['.local', 'state'], env);
}

/** Folder of what can be fetched again: downloads, repositories. `DURABLE_RLM_CACHE` names another. */
export function cacheDirectory(env: NodeJS.ProcessEnv): string {
  return directory(env['DURABLE_RLM_CACHE'], env['XDG_CACHE_HOME'], ['.cache'], env);
}

function directory(
  own: string | undefined,
  base: string | undefined,
  belowHome: readonly string[],
  env: NodeJS.ProcessEnv,
): string {
  if (own !== undefined && own !== '') return resolve(own);
  // The XDG specification: a relative path there is invalid and to be ignored.
  if (base !== undefined && isAbsolute(base)) return join(base, 'durable-rlm');
  return join(env['HOME'] || homedir(), ...belowHome, 'durable-rlm');
}
