import { InvalidArgumentError, Option, type Command } from 'commander';
import { parse } from 'yaml';
import { errorMessage } from '../domain/error-message.ts';
import type { ConfigInput } from '../config/schema.ts';
import { repeated } from './options.ts';

/** Settings of `config.yaml` as options. */
export interface SettingOptions {
  readonly model?: string;
  readonly subModel?: string;
  readonly maxCost?: number;
  readonly maxSandboxes?: number;
  readonly maxLlmCalls?: number;
  readonly maxIterations?: number;
  readonly maxDepth?: number;
  /** Seconds. */
  readonly timeout?: number;
  /** `section.name=value`. */
  readonly set?: readonly string[];
}

/** Of commands that give a run its settings. */
export function withSettings(command: Command): Command {
  return withLimits(
    command
      .option('--model <name>', 'model of the agents, such as openrouter/google/gemini-3-flash-preview (model.name)')
      .option('--sub-model <name>', 'model that answers llm_query (model.sub_name)'),
  )
    .addOption(new Option('--max-iterations <n>', 'iterations of one agent (rlm.max_iterations)').argParser(whole))
    .addOption(new Option('--max-depth <n>', 'depth of sub-agents; 0 allows none (rlm.max_depth)').argParser(natural))
    .addOption(
      new Option('--set <setting=value>', 'any other setting, such as rlm.compaction=50000; repeatable').argParser(
        (value: string, before?: readonly string[]) => {
          readSetting(value);
          return repeated(value, before);
        },
      ),
    );
}

/** What can also be changed while a run is open. */
export function withLimits(command: Command): Command {
  return command
    .addOption(new Option('--max-cost <usd>', 'USD over the whole tree (rlm.max_cost)').argParser(dollars))
    .addOption(new Option('--max-sandboxes <n>', 'sandboxes over its lifetime (rlm.max_sandboxes)').argParser(whole))
    .addOption(
      new Option('--max-llm-calls <n>', 'llm_query calls over the whole tree (rlm.max_llm_calls)').argParser(whole),
    )
    .addOption(new Option('--timeout <seconds>', 'seconds for the whole run (rlm.global_timeout)').argParser(seconds));
}

/** As in the file: they win over it. */
export function settingsOf(options: SettingOptions): ConfigInput {
  const { model, subModel, maxCost, maxSandboxes, maxLlmCalls, maxIterations, maxDepth, timeout, set = [] } = options;
  const sections: Record<string, Record<string, unknown>> = {
    model: { name: model, sub_name: subModel },
    rlm: {
      max_cost: maxCost,
      max_sandboxes: maxSandboxes,
      max_llm_calls: maxLlmCalls,
      max_iterations: maxIterations,
      max_depth: maxDepth,
      global_timeout: timeout,
    },
  };
  for (const { section, name, value } of set.map(readSetting))
    sections[section] = { ...sections[section], [name]: value };
  const given = Object.entries(sections).map(([section, fields]) => [section, withoutUndefined(fields)] as const);
  return Object.fromEntries(given.filter(([, fields]) => Object.keys(fields).length > 0));
}

/** The options, with settings that a command has of its own under them. */
export function withOptions(options: SettingOptions, own: ConfigInput): ConfigInput {
  return mergeSettings(own, settingsOf(options));
}

/** Setting by setting. */
export function mergeSettings(below: ConfigInput, above: ConfigInput): ConfigInput {
  const names = new Set([...Object.keys(below), ...Object.keys(above)]) as Set<keyof ConfigInput>;
  return Object.fromEntries([...names].map((name) => [name, { ...below[name], ...above[name] }]));
}

function readSetting(given: string): { section: string; name: string; value: unknown } {
  const [, section, name, text] = /^([a-z_]+)\.([a-z_]+)=(.*)$/s.exec(given) ?? [];
  if (section === undefined || name === undefined || text === undefined) {
    throw new InvalidArgumentError(
      `--set takes a setting and its value, such as --set rlm.compaction=50000, not "${given}".`,
    );
  }
  try {
    return { section, name, value: parse(text) as unknown };
  } catch (error) {
    throw new InvalidArgumentError(`The value of ${section}.${name} is no YAML: ${errorMessage(error)}`);
  }
}

function withoutUndefined(fields: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}

function dollars(value: string): number {
  const usd = Number(value);
  if (value.trim() === '' || !Number.isFinite(usd) || usd <= 0)
    throw new InvalidArgumentError('It must be a number above 0, in USD.');
  return usd;
}

export function seconds(value: string): number {
  const time = Number(value);
  if (value.trim() === '' || !Number.isFinite(time) || time <= 0)
    throw new InvalidArgumentError('It must be a number of seconds above 0.');
  return time;
}

function whole(value: string): number {
  const count = natural(value);
  if (count < 1) throw new InvalidArgumentError('It must be a whole number, at least 1.');
  return count;
}

function natural(value: string): number {
  if (!/^\d+$/.test(value)) throw new InvalidArgumentError('It must be a whole number.');
  return Number(value);
}
