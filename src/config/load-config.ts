import { isRecord } from '../domain/is-record.ts';
import type { RunConfig } from '../domain/config.ts';
import { ConfigError, type ConfigProblem } from './config-error.ts';
import { describeIssue, type DescribedIssue } from './describe-issue.ts';
import { absolutePaths } from './absolute-paths.ts';
import type { ConfigFile } from './read-config-file.ts';
import { configSchema, type ConfigInput } from './schema.ts';
import { readYaml, type YamlSource } from './yaml-source.ts';

export interface LoadConfigOptions {
  /** Each wins over those before it, setting by setting. Default: none, so that every setting has its default. */
  readonly files?: readonly Pick<ConfigFile, 'path' | 'text' | 'folder'>[];
  /** Settings of the command line: they win over the files'. */
  readonly overrides?: ConfigInput | undefined;
  /** Settings for where the files say nothing, in place of the defaults that it has otherwise. */
  readonly defaults?: ConfigInput | undefined;
}

export interface LoadedConfig {
  readonly config: RunConfig;
  /** What files and command line say, without any default. */
  readonly given: ConfigInput;
}

/**
 * A run's configuration from YAML. A section or setting left empty has its default.
 *
 * @throws ConfigError that names every problem with its line and column
 */
export function loadConfig(options: LoadConfigOptions): LoadedConfig {
  const { files = [], overrides = {}, defaults = {} } = options;
  const layers = files.map(({ path, text, folder }): Layer => {
    const yaml = readYaml(text, path);
    return { path, yaml, value: absolutePaths(yaml.value, folder) };
  });
  const said = layers.reduce<unknown>((below, { value }) => mergeFiles(below, value), {});
  const given = mergeSections(said, overrides);
  const config = check(withDefaults(given, defaults), (issue) => place(issue, layers, overrides));
  return { config, given: withoutEmpty(given) ?? {} };
}

interface Layer {
  readonly path: string;
  readonly yaml: YamlSource;
  readonly value: unknown;
}

/**
 * A run's configuration from a value, such as a workflow's input, in the form of the file.
 *
 * @throws ConfigError that names every problem
 */
export function parseConfig(value: unknown, defaults: Defaults = {}): RunConfig {
  return check(withDefaults(value, defaults), ({ message }) => ({ message }));
}

/** Settings by section. */
type Defaults = Readonly<Record<string, object | undefined>>;

function check(given: unknown, locate: (issue: DescribedIssue) => ConfigProblem): RunConfig {
  const value = withoutEmpty(given) ?? {};
  const result = configSchema.safeParse(value);
  if (result.success) return withoutUndefined(result.data);
  const problems = result.error.issues.flatMap((issue) => describeIssue(issue, value)).map(locate);
  throw new ConfigError(problems.toSorted((left, right) => (left.line ?? 0) - (right.line ?? 0)));
}

function place(issue: DescribedIssue, layers: readonly Layer[], overrides: ConfigInput): ConfigProblem {
  const { message } = issue;
  const file = layers.findLast(({ value }) => says(value, issue.path)) ?? layers.at(-1);
  if (file === undefined || isOverridden(issue.path, overrides)) return { source: 'command line', message };
  return { source: file.path, ...file.yaml.locate(issue.path, issue.about), message };
}

/** Whether a file has the setting that a path leads to or into. */
function says(value: unknown, [section = '', setting]: readonly string[]): boolean {
  if (!isRecord(value)) return true;
  if (!Object.hasOwn(value, section)) return false;
  const settings = value[section];
  return setting === undefined || !isRecord(settings) || Object.hasOwn(settings, setting);
}

/** A file over those below it: a setting left empty is left to them. */
function mergeFiles(below: unknown, file: unknown): unknown {
  if (file === null || file === undefined) return below;
  if (!isRecord(file) || !isRecord(below)) return file;
  const sections = Object.entries(file).flatMap(([name, section]): [string, unknown][] => {
    if (section === null) return [];
    const other = below[name];
    return [[name, isRecord(section) && isRecord(other) ? mergeSettings(other, section) : section]];
  });
  return Object.fromEntries([...Object.entries(below), ...sections]);
}

function mergeSettings(
  below: Readonly<Record<string, unknown>>,
  section: Readonly<Record<string, unknown>>,
): Readonly<Record<string, unknown>> {
  // The settings of another store mean nothing to this one.
  const isOther = section['driver'] !== undefined && section['driver'] !== below['driver'];
  const said = Object.entries(section).filter(([, value]) => value !== null);
  return Object.fromEntries([...(isOther ? [] : Object.entries(below)), ...said]);
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

function withDefaults(given: unknown, defaults: Defaults): unknown {
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
