import { createHash } from 'node:crypto';
import { realpath } from 'node:fs/promises';
import { isDeepStrictEqual } from 'node:util';
import type { ConfigInput } from '../config/schema.ts';
import { isRecord } from '../domain/is-record.ts';
import { DEFAULT_CONFIG, type RunConfig } from '../domain/config.ts';
import { TypedError } from '../domain/failures.ts';
import { runIdProblem } from '../domain/ids.ts';
import { canonicalJson } from '../domain/records.ts';
import type { RepositoryName } from '../sandbox/repository/repository-name.ts';

/** What a person asks for, as typed. */
export interface RunArguments {
  /** Default: made up from repository and time. */
  readonly id?: string;
  /** URL, or a folder of this machine. */
  readonly repo: string;
  readonly prompt: string;
  /** Branch or tag; default: the repository's own. */
  readonly branch?: string;
  /** At least 7 digits; stronger than `branch`. */
  readonly commit?: string;
}

/** What a command had beside the configuration files that every command reads. */
export interface RunOrigin {
  /** Absolute path of the file that `-c` named. */
  readonly config_file?: string;
  /** Settings that were options. */
  readonly settings?: ConfigInput;
}

/** @throws TypedError `Input.Invalid`, saying what to do. */
export function checkArguments({ id, prompt }: RunArguments): void {
  const problem = id === undefined ? undefined : runIdProblem(id);
  if (problem !== undefined) throw new TypedError('Input.Invalid', problem);
  if (prompt.trim() === '') throw new TypedError('Input.Invalid', 'The prompt is empty: say what is to be done.');
}

/** What says whether two runs are the same: equal digests, and by the parts what differs where they are not. */
export interface RunIdentity {
  readonly digest: string;
  /** `prompt`, `model.name`, ...: as JSON, or a hash of what is long. */
  readonly parts: Readonly<Record<string, string>>;
}

/** @param typed - the arguments; its `config` by section and name */
export function identityOf(typed: { readonly config: Record<string, unknown> } & Record<string, unknown>): RunIdentity {
  const { config, ...others } = typed;
  const settings = Object.entries(config).flatMap(([section, fields]) =>
    isRecord(fields) ? Object.entries(fields).map(([name, value]) => [`${section}.${name}`, value] as const) : [],
  );
  const parts = [...Object.entries(others), ...settings].filter(([, value]) => value !== undefined);
  return {
    digest: sha256(canonicalJson(typed)),
    parts: Object.fromEntries(parts.map(([name, value]) => [name, partOf(value)])),
  };
}

/** Longer values are told apart by their hash. */
const MAX_PART_CHARACTERS = 100;

function partOf(value: unknown): string {
  const text = canonicalJson(value);
  return text.length <= MAX_PART_CHARACTERS ? text : `sha256:${sha256(text)}`;
}

/** In words, one phrase for each argument that differs. */
export function differences(before: RunIdentity['parts'], now: RunIdentity['parts']): string[] {
  const names = [...new Set([...Object.keys(before), ...Object.keys(now)])].filter(
    (name) => before[name] !== now[name],
  );
  return names.map((name) => {
    const [then, here] = [before[name], now[name]];
    if (then === undefined) return `${name} (${shown(here)} now, not given then)`;
    if (here === undefined) return `${name} (${shown(then)} then, not given now)`;
    const isLong = [then, here].some((value) => value.startsWith('sha256:'));
    return isLong ? name : `${name} (${then} then, ${here} now)`;
  });
}

function shown(part: string | undefined): string {
  return part === undefined || part.startsWith('sha256:') ? 'a long one' : part;
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

/**
 * Equal for arguments that mean the same run: what was typed counts, not what it was resolved to, so that a command
 * can be repeated after its branch has moved on, or after an upgrade that changed a default. Where blobs and Temporal
 * are does not count.
 */
export async function runIdentity(
  { prompt, branch, commit }: RunArguments,
  repository: RepositoryName,
  config: RunConfig,
): Promise<RunIdentity> {
  const repo =
    repository.kind === 'url' ? repository.url : await realpath(repository.path).catch(() => repository.path);
  return identityOf({ repo, prompt, branch, commit, config: typedConfig(config) });
}

/** What of a configuration counts for whether arguments mean the same run. */
export function typedConfig(config: RunConfig): Record<string, unknown> {
  return difference(portableConfig(config), portableConfig(DEFAULT_CONFIG));
}

/**
 * What of a configuration belongs to a run, not to the machine it is typed on, and is not the default anyway: so that
 * a worker of another version, with other settings, understands as much as it can.
 */
export function portableConfig({ model, rlm, sandbox, repository }: RunConfig): Record<string, unknown> {
  return difference({ model, rlm, sandbox, repository }, DEFAULT_CONFIG);
}

/** What of `value` is not the same in `base`. */
function difference(value: object, base: object): Record<string, unknown> {
  const before = new Map<string, unknown>(Object.entries(base));
  const changed: Record<string, unknown> = {};
  for (const [key, field] of Object.entries(value) as [string, unknown][]) {
    const other = before.get(key);
    if (isDeepStrictEqual(field, other)) continue;
    const sections = isRecord(field) && isRecord(other);
    changed[key] = sections ? difference(field, other) : field;
  }
  return changed;
}

/** What a run on the repository is called: the last part of its path. */
export function repositoryTitle(repository: RepositoryName): string {
  const place = repository.kind === 'url' ? repository.url : repository.path;
  return (
    place
      .replace(/\/+$/, '')
      .replace(/\.git$/, '')
      .split(/[/:\\]/)
      .at(-1) ?? ''
  );
}

/** `scikit-learn-1207-153012-x7k2`: says what and when, and is not met twice. */
export function newRunId(title: string, now: Date, random: () => number = Math.random): string {
  const name = title
    .replaceAll(/[^A-Za-z0-9._-]+/g, '-')
    .replace(/^[^A-Za-z0-9]+/, '')
    .slice(0, 40);
  const digits = now.toISOString().replaceAll(/\D/g, '');
  const suffix = Math.floor(random() * 36 ** 4)
    .toString(36)
    .padStart(4, '0');
  return `${name === '' ? 'run' : name}-${digits.slice(4, 8)}-${digits.slice(8, 14)}-${suffix}`;
}
