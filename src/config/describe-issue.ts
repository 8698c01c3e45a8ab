import type { z } from 'zod';
import { nearestName } from '../domain/nearest-name.ts';
import { expectation, settingAt, settings } from './settings.ts';

/** A problem in words, and the path of what it is about. */
export interface DescribedIssue {
  readonly path: readonly string[];
  /** Whether the name at the path is wrong, rather than its value. */
  readonly about: 'key' | 'value';
  readonly message: string;
}

/** For names that many would try. */
const HINTS: Readonly<Record<string, string>> = {
  api_key: 'Keys are read from the environment: name the variable in `model.api_key_env`.',
  key: 'Keys are read from the environment: name the variable in `model.api_key_env`.',
  api_base: 'Write `model.base_url`.',
  access_key_id: 'Credentials are read from the environment: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.',
  secret_access_key: 'Credentials are read from the environment: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.',
  token: 'Tokens are read from the environment: name the variable in `repository.token_env`.',
};

/** @param value what was checked, to quote from */
export function describeIssue(issue: z.core.$ZodIssue, value: unknown): DescribedIssue[] {
  const path = issue.path.map(String);
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({ path: [...path, key], about: 'key', message: unknownSetting(path, key) }));
  }
  if (issue.code === 'invalid_key') {
    const reason = issue.issues[0]?.code === 'invalid_format' ? issue.issues[0].message : 'must not be empty';
    return [{ path, about: 'key', message: `${path.join('.')}: its name ${reason}.` }];
  }
  return [{ path, about: 'value', message: wrongValue(issue, path, valueAt(value, path)) }];
}

function wrongValue(issue: z.core.$ZodIssue, path: readonly string[], value: unknown): string {
  const name = path.length === 0 ? 'the configuration' : path.join('.');
  const node = settingAt(path);
  const expected = node === undefined ? 'something else' : expectation(node);
  if (value === undefined) return `${name} is missing: it must be ${expected}.`;
  const own = issue.code === 'custom' || issue.code === 'invalid_format' ? issue.message : undefined;
  const empty = typeof value === 'string' && value.trim() === '' ? 'must not be empty' : undefined;
  const demand = own ?? empty ?? `must be ${expected}`;
  const actual = node?.secret === true || empty !== undefined ? '' : `, but is ${quote(value)}`;
  const nearest = node?.enum === undefined || typeof value !== 'string' ? undefined : nearestName(value, node.enum);
  return `${name} ${demand}${actual}.${nearest === undefined ? '' : ` Did you mean ${nearest}?`}`;
}

function unknownSetting(section: readonly string[], key: string): string {
  const known = Object.keys(settingAt(section)?.properties ?? {});
  const name = [...section, key].join('.');
  const hint = Object.hasOwn(HINTS, key) ? HINTS[key] : undefined;
  if (hint !== undefined) return `${name} is not a setting. ${hint}`;
  const nearest = nearestName(key, known);
  if (nearest !== undefined) return `${name} is not a setting. Did you mean ${nearest}?`;
  const elsewhere = Object.entries(settings().properties ?? {}).find(
    ([, node]) => node.properties !== undefined && Object.hasOwn(node.properties, key),
  );
  if (elsewhere !== undefined) return `${name} is not a setting. It belongs under ${elsewhere[0]}:`;
  return `${name} is not a setting. Known here: ${known.join(', ')}.`;
}

function valueAt(value: unknown, path: readonly string[]): unknown {
  return path.reduce<unknown>((inner, segment) => Reflect.get(Object(inner) as object, segment) as unknown, value);
}

function quote(value: unknown): string {
  if (typeof value === 'string') return `the text "${value.length <= 60 ? value : `${value.slice(0, 57)}...`}"`;
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  return 'a section';
}
