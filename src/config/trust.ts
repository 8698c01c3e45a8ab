import { createHash } from 'node:crypto';
import { CEILINGS } from '../domain/authorize.ts';
import type { RunConfig } from '../domain/config.ts';
import { canonicalJson } from '../domain/records.ts';
import type { NamedFile } from './named-files.ts';

/** A setting that counts only where the user vouches for the file it stands in. */
export interface RestrictedSetting {
  readonly path: readonly string[];
  /** What it does, for a person: `starts programs`. */
  readonly effect: string;
}

/** Settings that an untrusted file may have: limits, how a model is asked, names of models; some of them not with every value. */
const FREE: Readonly<Record<string, readonly string[] | 'all'>> = {
  model: ['name', 'sub_name', 'by_depth', 'temperature', 'max_tokens', 'timeout', 'max_attempts'],
  rlm: 'all',
  sandbox: [
    'pool',
    'setup_timeout',
    'block_timeout',
    'create_timeout',
    'memory_mb',
    'disk_mb',
    'idle_timeout',
    'max_rebuilds',
    'max_live',
    'rebuild_timeout',
  ],
};

/** What the others do; a setting that is new and not here yet is restricted all the same. */
const EFFECTS: Readonly<Record<string, string>> = {
  'model.prices': 'says what counts against a limit of the cost',
  'model.base_url': 'sends prompts and a key to this address',
  'model.api_key_env': 'sends this variable to the endpoint',
  'sandbox.provider': 'says where code runs',
  'sandbox.isolation': 'says whether code is shut in',
  'sandbox.python': 'runs this program',
  'sandbox.setup': 'runs these commands, with network',
  'sandbox.network': 'lets code reach these hosts',
  'sandbox.setup_env': 'hands these variables to commands',
  'sandbox.daytona': 'says what sandboxes at Daytona are made of',
  'repository.token_env': "sends this variable to the repository's host",
  'tools.files': 'runs these modules',
  'notify.command': 'runs this program',
  'notify.webhook': 'tells this address of runs',
  'tools.mcp': 'starts these programs, asks these addresses',
};

const SECTION_EFFECTS: Readonly<Record<string, string>> = {
  storage: 'says where runs are kept',
  temporal: 'says which server and queue is worked for',
  worker: 'says what a worker allows to others',
};

/**
 * What of a file that was only found counts for nothing until its user vouches for it.
 *
 * @param found value of the file
 * @param config what holds without the file; a setting that repeats it is none of these
 * @param limits what the user's own configuration names: the file may lower its limits, and ask a person more often
 */
export function restrictedSettings(found: unknown, config: RunConfig, limits: unknown): readonly RestrictedSetting[] {
  if (!isSection(found)) return [];
  const current: unknown = config;
  return Object.entries(found).flatMap(([section, settings]) => {
    if (!isSection(settings)) return [];
    return Object.entries(settings).flatMap(([key, value]): RestrictedSetting[] => {
      const path = [section, key];
      if (value === null || value === undefined || isSame(value, at(current, path))) return [];
      const free = FREE[section];
      const name = path.join('.');
      if (free === 'all' || free?.includes(key) === true) {
        const effect = weakens(name, value, limits);
        return effect === undefined ? [] : [{ path, effect }];
      }
      // Stricter than anything.
      if (name === 'sandbox.isolation' && value === 'bubblewrap') return [];
      return [{ path, effect: EFFECTS[name] ?? SECTION_EFFECTS[section] ?? 'decides what runs or is reached' }];
    });
  });
}

/**
 * Names a file with what is in it, where it is, and what is in the files that it names: the same text elsewhere means other
 * files, and another text, there or here, is another decision.
 *
 * @param path real path of the file
 */
export function trustHash(path: string, text: string, files: readonly NamedFile[]): string {
  return createHash('sha256')
    .update(JSON.stringify([path, text, files.map((file) => [file.path, file.hash])]))
    .digest('hex');
}

/** What a setting does that is free with other values. */
function weakens(name: string, value: unknown, limits: unknown): string | undefined {
  const path = name.split('.');
  if (isRaised(path, value, limits)) return 'is more than your own configuration allows';
  const approve = at(limits, ['rlm', 'approve']);
  if (name === 'rlm.approve' && Array.isArray(approve)) {
    const kept = Array.isArray(value) && approve.every((step) => value.includes(step));
    return kept ? undefined : 'asks you less often than your own configuration';
  }
  const joins = name === 'rlm.findings' && isSection(value) && Object.hasOwn(value, 'series');
  return joins ? 'reads and replaces what runs of this series have found' : undefined;
}

function isRaised([section = '', key = '']: readonly string[], value: unknown, limits: unknown): boolean {
  const keys: readonly string[] = section in CEILINGS ? CEILINGS[section as keyof typeof CEILINGS] : [];
  const limit = at(limits, [section, key]);
  return keys.includes(key) && typeof limit === 'number' && typeof value === 'number' && value > limit;
}

function at(value: unknown, path: readonly string[]): unknown {
  return path.reduce<unknown>(
    (inner, key) => (isSection(inner) && Object.hasOwn(inner, key) ? inner[key] : undefined),
    value,
  );
}

function isSame(one: unknown, other: unknown): boolean {
  return canonicalJson(one) === canonicalJson(other);
}

function isSection(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
