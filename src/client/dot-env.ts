import { join } from 'node:path';
import { parseEnv } from 'node:util';
import { readTextFile } from '../files/read-text-file.ts';
import { ANY_PROVIDER_KEY, PROVIDERS } from '../llm/providers.ts';

/** The environment with the keys of a `.env` file, and what became of each of its variables. */
export interface DotEnv {
  readonly env: NodeJS.ProcessEnv;
  readonly taken: readonly string[];
  /** No API keys, or keys for what the environment has a key for already. */
  readonly ignored: readonly string[];
}

const DAYTONA_KEY = 'DAYTONA_API_KEY';

/**
 * Of a `.env` file in the folder only API keys of known names are taken: it comes with the folder, and anything else
 * could direct where keys are sent and what runs. A key in the environment wins, also where it has another of the names
 * that a provider's key may have. No file, or one that cannot be read, adds nothing.
 */
export async function loadDotEnv(cwd: string, env: NodeJS.ProcessEnv): Promise<DotEnv> {
  const text = await readTextFile(join(cwd, '.env')).catch(() => '');
  const found = parseEnv(text);
  const names = Object.keys(found).toSorted();
  const taken = names.filter((name) => isKey(name) && !isCovered(name, env));
  const ignored = names.filter((name) => !taken.includes(name) && found[name] !== env[name]);
  return { env: { ...Object.fromEntries(taken.map((name) => [name, found[name]])), ...env }, taken, ignored };
}

/** Names shown of each kind. */
const MAX_NAMES = 8;

/** What to tell a person, in one line; undefined where there is nothing to tell. */
export function dotEnvNote({ taken, ignored }: Pick<DotEnv, 'taken' | 'ignored'>): string | undefined {
  const parts = [
    ...(taken.length === 0 ? [] : [`took ${list(taken)}`]),
    ...(ignored.length === 0
      ? []
      : [`ignored ${list(ignored)} (only API keys that the environment does not have are taken)`]),
  ];
  return parts.length === 0 ? undefined : `.env: ${parts.join('; ')}.`;
}

function list(names: readonly string[]): string {
  const shown = names.slice(0, MAX_NAMES).map((name) => name.slice(0, 60));
  return names.length > MAX_NAMES ? `${shown.join(', ')} and ${names.length - MAX_NAMES} more` : shown.join(', ');
}

/** For each provider all variables that may hold its key. */
const KEYS = Object.values(PROVIDERS).map(({ keyVariables }) => [...keyVariables, ANY_PROVIDER_KEY]);

function isKey(name: string): boolean {
  return name === DAYTONA_KEY || KEYS.some((names) => names.includes(name));
}

/** Whether the environment has this key, even an empty one, or one that would be used instead of it. */
function isCovered(name: string, env: NodeJS.ProcessEnv): boolean {
  if (env[name] !== undefined) return true;
  if (name === DAYTONA_KEY || name === ANY_PROVIDER_KEY) return false;
  return KEYS.some((names) => names.includes(name) && names.some((other) => (env[other] ?? '').trim() !== ''));
}
