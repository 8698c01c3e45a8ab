import type { RunConfig } from '../domain/config.ts';
import type { RunLimits } from '../domain/budget.ts';
import { canonicalJson, type RunReference, type RunSpecification } from '../domain/records.ts';
import { renderSignature } from '../domain/signature/render.ts';
import type { BlobStore } from '../storage/blob-store.ts';
import { createChains } from '../storage/chain.ts';
import { identityOf, portableConfig, typedConfig, type RunIdentity } from './run-arguments.ts';
import type { WorkflowStart } from './temporal-runs.ts';

/** A run's specification with the configuration that is in force. */
export async function runSettings(
  blobs: BlobStore,
  { spec, settings = spec }: RunReference,
): Promise<RunSpecification> {
  return createChains(blobs).specification(settings);
}

/** A setting that the configuration says otherwise now than when the run was started. */
export interface SettingChange {
  /** `model.name`. */
  readonly setting: string;
  /** As JSON; undefined where there was none. */
  readonly before: string | undefined;
  readonly now: string;
}

/** What another configuration means for a run. */
export interface SettingsPlan {
  /** The run's configuration with the changes that count. */
  readonly config: RunConfig;
  readonly taken: readonly SettingChange[];
  /** Of those, what a run that is open counts in its budget and deadline. */
  readonly limits: Partial<RunLimits>;
  /** What a run cannot change any more once it has begun. */
  readonly kept: readonly SettingChange[];
}

const LIMITS = ['max_sandboxes', 'max_llm_calls', 'max_cost', 'global_timeout'] as const;

/**
 * What of the current configuration a run takes. Only what is said otherwise than at the start counts: a setting that
 * has been left as it was, or is not named any more, stays what it is.
 *
 * @param started - the arguments that the run was started with; undefined where they are not known: then all that the
 *   configuration names counts
 * @param isOpen - whether agents are at work already; else the run is retried, and takes more
 */
export function planSettings(
  run: { readonly config: RunConfig; readonly started: RunIdentity['parts'] | undefined; readonly isOpen: boolean },
  current: RunConfig,
): SettingsPlan {
  const now = identityOf({ config: typedConfig(current) }).parts;
  const changed = Object.keys(now).filter((setting) => run.started?.[setting] !== now[setting]);
  let config = run.config;
  const taken: SettingChange[] = [];
  const kept: SettingChange[] = [];
  let limits: Partial<RunLimits> = {};
  for (const setting of changed) {
    const value = valueOf(current, setting);
    const before = valueOf(run.config, setting);
    if (canonicalJson(value) === canonicalJson(before)) continue;
    const change = { setting, before: before === undefined ? undefined : shown(before), now: shown(value) };
    if (run.isOpen && !changesWhileOpen(setting, run.config)) {
      kept.push(change);
      continue;
    }
    taken.push(change);
    config = withSetting(config, setting, value);
    const limit = LIMITS.find((name) => setting === `rlm.${name}`);
    if (limit !== undefined) limits = { ...limits, [limit]: value };
  }
  return { config, taken, limits, kept };
}

/** The input that retries a run, or gives an open one another configuration. */
export function continuedInput(specification: RunSpecification, config: RunConfig): WorkflowStart {
  const { execution: from, prompt } = specification;
  const settings = portableConfig(config);
  if (specification.type === 'analyze') {
    const rlm = { ...(settings['rlm'] as object | undefined), max_iterations: config.rlm.max_iterations };
    const { signature } = specification;
    return {
      type: 'analyze',
      input: { signature: renderSignature(signature), config: { ...settings, rlm }, from },
    };
  }
  const { name, url, commit, branch, bundle, folder } = specification.repository;
  return {
    type: 'investigate',
    input: {
      repo: url ?? name,
      prompt,
      commit,
      ...(branch === undefined ? {} : { branch }),
      ...(bundle === undefined ? {} : { bundle }),
      ...(folder === undefined ? {} : { folder }),
      config: settings,
      from,
    },
  };
}

/** Models are asked by the configuration in force; a budget counts a limit of cost only if it had one from the start. */
function changesWhileOpen(setting: string, { rlm }: RunConfig): boolean {
  if (setting === 'rlm.max_cost') return rlm.max_cost !== undefined;
  return setting.startsWith('model.') || LIMITS.some((name) => setting === `rlm.${name}`);
}

function valueOf(config: RunConfig, setting: string): unknown {
  const [section = '', name = ''] = setting.split('.');
  return new Map<string, unknown>(Object.entries({ ...sections(config)[section] })).get(name);
}

function withSetting(config: RunConfig, setting: string, value: unknown): RunConfig {
  const [section = '', name = ''] = setting.split('.');
  return { ...config, [section]: { ...sections(config)[section], [name]: value } };
}

function sections({ model, rlm, sandbox, repository }: RunConfig): Readonly<Record<string, object>> {
  return { model, rlm, sandbox, repository };
}

function shown(value: unknown): string {
  return typeof value === 'string' ? value : canonicalJson(value);
}
