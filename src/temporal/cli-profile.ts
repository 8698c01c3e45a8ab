import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, realpathSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, isAbsolute, join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { parse, type TomlTable } from 'smol-toml';
import { unixSocketPath } from './unix-relay.ts';

/** What a profile of Temporal's configuration file is to name. */
export interface CliProfile {
  readonly address: string;
  readonly namespace: string;
}

export type WrittenProfile =
  | { readonly kind: 'ready'; readonly name: string; readonly file: string }
  /** The file is left as it is. */
  | { readonly kind: 'failed'; readonly file: string; readonly why: string };

const NAME = 'durable-rlm';

/**
 * Names a server in Temporal's configuration file, for Temporal's own command line. The profile is `durable-rlm`, or where
 * that one already leads to another server that exists, `durable-rlm-<hash>`: no profile is ever turned to another server.
 * All other lines of the file stay as they are.
 */
export function writeCliProfile(profile: CliProfile, env: NodeJS.ProcessEnv): WrittenProfile {
  const file = configFile(env);
  try {
    const text = existsSync(file) ? readFileSync(file, 'utf8') : '';
    const before = parse(text);
    const profiles = tableOf(before['profile']);
    const name = profileName(profiles, profile);
    const wanted = { ...tableOf(profiles[name]), ...profile };
    if (isDeepStrictEqual(tableOf(profiles[name]), wanted)) return { kind: 'ready', name, file };
    const changed = withProfile(text, name, profile);
    const expected = { ...before, profile: { ...profiles, [name]: wanted } };
    if (!isDeepStrictEqual(structuredClone(parse(changed)), structuredClone(expected))) {
      throw new Error(`the profile ${name} is written there in a way that is not understood`);
    }
    writeWhole(file, changed);
    return { kind: 'ready', name, file };
  } catch (error) {
    return { kind: 'failed', file, why: error instanceof Error ? error.message : String(error) };
  }
}

/** Where Temporal's command line looks on Linux. */
function configFile(env: NodeJS.ProcessEnv): string {
  const named = env['TEMPORAL_CONFIG_FILE'];
  if (named !== undefined && named !== '') return named;
  const base = env['XDG_CONFIG_HOME'];
  const folder = base !== undefined && isAbsolute(base) ? base : join(env['HOME'] || homedir(), '.config');
  return join(folder, 'temporalio', 'temporal.toml');
}

function tableOf(value: unknown): TomlTable {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what a TOML parser makes of a table
  return typeof value === 'object' && value !== null ? { ...(value as TomlTable) } : {};
}

function profileName(profiles: TomlTable, wanted: CliProfile): string {
  const { address, namespace } = tableOf(profiles[NAME]);
  const isFree = profiles[NAME] === undefined || leadsNowhere(address);
  if (isFree || (address === wanted.address && namespace === wanted.namespace)) return NAME;
  const hash = createHash('sha256').update(`${wanted.address} ${wanted.namespace}`).digest('hex').slice(0, 8);
  return `${NAME}-${hash}`;
}

/** Its server's state folder was deleted. */
function leadsNowhere(address: unknown): boolean {
  const path = typeof address === 'string' ? unixSocketPath(address) : undefined;
  return path !== undefined && !existsSync(path);
}

/** Changes the profile's lines, or adds them at the end. */
function withProfile(text: string, name: string, profile: CliProfile): string {
  const lines = text.split('\n');
  const header = lines.findIndex((line) => new RegExp(`^\\s*\\[\\s*profile\\s*\\.\\s*"?${name}"?\\s*\\]`).test(line));
  if (header === -1) {
    const table = [`[profile.${name}]`, ...Object.entries(profile).map(([key, value]) => keyLine(key, value)), ''];
    return [...(text.trim() === '' ? [] : [text.trimEnd(), '']), ...table].join('\n');
  }
  const next = lines.findIndex((line, index) => index > header && /^\s*\[/.test(line));
  const end = next === -1 ? lines.length : next;
  const own = lines.slice(header + 1, end);
  const kept = own.filter((line) => !/^\s*(address|namespace)\s*=/.test(line));
  const set = Object.entries(profile).map(([key, value]) => keyLine(key, value));
  return [...lines.slice(0, header + 1), ...set, ...kept, ...lines.slice(end)].join('\n');
}

/** JSON's strings are strings of TOML too. */
function keyLine(key: string, value: string): string {
  return `${key} = ${JSON.stringify(value)}`;
}

/** It may hold keys: a new one is closed to other users. A link stays a link. */
function writeWhole(file: string, text: string): void {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  const target = existsSync(file) ? realpathSync(file) : file;
  const temporary = `${target}.${process.pid}.tmp`;
  try {
    writeFileSync(temporary, text, { mode: 0o600 });
    renameSync(temporary, target);
  } finally {
    rmSync(temporary, { force: true });
  }
}
