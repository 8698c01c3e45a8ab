import { isRecord } from '../domain/is-record.ts';
import type { RunConfig } from '../domain/config.ts';
import { ConfigError, type ConfigProblem } from './config-error.ts';
import { describeIssue, type DescribedIssue } from './describe-issue.ts';
import { configSchema, type ConfigInput } from './schema.ts';
import { readYaml, type YamlSource } from './yaml-source.ts';

export interface LoadConfigOptions {
  /** Named in messages. Default `config.yaml`. */
  readonly path?: string | undefined;
  /** What the file holds. Default: nothing, so that every setting has its default. */
  readonly text?: string | undefined;
  /** Settings of the command line: they win over the file's. */
  readonly overrides?: ConfigInput | undefined;
  /** Settings for where the file says nothing, in place of the defaults that it has otherwise. */
  readonly defaults?: ConfigInput | undefined;
}

/**
 * A run's configuration from YAML. A section or setting left empty has its default.
 *
 * @throws ConfigError that names every problem with its line and column
 */
export function loadConfig(options: LoadConfigOptions): RunConfig {
  const { path = 'config.yaml', text = '', overrides = {}, defaults = {} } = options;
  const yaml = readYaml(text, path);
  const value = mergeSections(withDefaults(yaml.value, defaults), overrides);
  return check(value, (issue) => place(issue, yaml, path, overrides));
}

/**
 * A run's configuration from a value, such as a workflow's input, in the form of the file.
 *
 * @throws ConfigError that names every problem
 */
export function parseConfig(value: unknown, defaults: ConfigInput = {}): RunConfig {
  return check(withDefaults(value, defaults), ({ message }) => ({ message }));
}

function check(given: unknown, locate: (issue: DescribedIssue) => ConfigProblem): RunConfig {
  const value = withoutEmpty(given) ?? {};
  const result = configSchema.safeParse(value);
  if (result.success) return withoutUndefined(result.data);
  const problems = result.error.issues.flatMap((issue) => describeIssue(issue, value)).map(locate);
  throw new ConfigError(problems.toSorted((left, right) => (left.line ?? 0) - (right.line ?? 0)));
}

function place(issue: DescribedIssue, yaml: YamlSource, source: string, overrides: ConfigInput): ConfigProblem {
  const { message } = issue;
  if (isOverridden(issue.path, overrides)) return { source: 'command line', message };
  return { source, ...yaml.locate(issue.path, issue.about), message };
}

function isOverridden([section, setting]: readonly string[], overrides: ConfigInput): boolean {
  if (section === undefined || setting === undefined) return false;
  const entries: Readonly<Record<string, object | undefined>> = overrides;
  const given: Readonly<Record<string, unknown>> = { ...entries[section] };
  return given[setting] !== undefined;
}

/** The file's sections with the settings of the command line in them; whatever is no section is left to be refused. */
function mergeSections(file: unknown, overrides: ConfigInput): unknown {
  if (file !== null && file !== undefined && !isRecord(file)) return file;
  const merged: Record<string, unknown> = { ...file };
  for (const [name, section] of Object.entries(overrides)) {
    const settings = Object.fromEntries(Object.entries(section ?? {}).filter(([, value]) => value !== undefined));
    const inFile = merged[name] ?? {};
    if (Object.keys(settings).length > 0 && isRecord(inFile)) merged[name] = { ...inFile, ...settings };
  }
  return merged;
}

function withDefaults(given: unknown, defaults: ConfigInput): unknown {
  if (given !== null && given !== undefined && !isRecord(given)) return given;
  const merged: Record<string, unknown> = { ...given };
  for (const [name, section] of Object.entries(defaults)) {
    const inFile = merged[name] ?? {};
    if (!isRecord(inFile)) continue;
    const said = Object.fromEntries(
      Object.entries(inFile).filter(([, value]) => value !== null && value !== undefined),
    );
    merged[name] = { ...section, ...said };
  }
  return merged;
}

/** YAML's `max_cost:` with nothing behind it means the default, as if the line were not there. */
function withoutEmpty(value: unknown): unknown {
  if (value === null) return undefined;
  if (!isRecord(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, withoutEmpty(inner)]));
}

type Defined<T> = T extends object ? { [K in keyof T]: Defined<Exclude<T[K], undefined>> } : T;

function withoutUndefined<T>(value: T): Defined<T> {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what JSON drops is what the type drops
  return JSON.parse(JSON.stringify(value)) as Defined<T>;
}
