import type { DaytonaConfig, ModelConfig, RepositoryConfig, RunConfig, SandboxConfig } from './config.ts';
import { canonicalJson } from './records.ts';
import { isBelow, isSsh } from './repository-address.ts';

/** What the input of a run asks for. */
export interface Request {
  /** Its `config`, of the right form: what it names itself. */
  readonly given: GivenConfig;
  /** The same with the worker's own values for what it does not name. */
  readonly config: RunConfig;
  /** Absent for an analysis, and for a repository that comes as a bundle. */
  readonly repository?: RequestedRepository;
  /** The run whose work it takes up: whatever that has seen, the new run sees. */
  readonly source?: { readonly run: string; readonly granted: boolean };
}

/** As in `config.yaml`; null is what YAML has for a setting left empty. */
export type GivenConfig = Readonly<Record<string, Readonly<Record<string, unknown>> | null | undefined>>;

export type RequestedRepository =
  | { readonly kind: 'url'; readonly url: string }
  /** A folder of the worker's host, without symbolic links. */
  | { readonly kind: 'path'; readonly path: string };

/** What the worker says. */
export interface Authority {
  /** Its own configuration. */
  readonly own: RunConfig;
  /** `worker.allow.folders` without symbolic links. */
  readonly folders: readonly string[];
}

export type Verdict =
  | { readonly kind: 'allowed'; readonly config: RunConfig }
  | { readonly kind: 'refused'; readonly refusals: readonly Refusal[] };

/** A setting of the input that the worker does not allow. */
export interface Refusal {
  /** `sandbox.isolation`. */
  readonly setting: string;
  /** What is wrong with it: the setting and this are a sentence. */
  readonly reason: string;
  /** What to set in the worker's configuration; absent where no setting would allow it. */
  readonly remedy?: string;
}

/** Limits of which the worker's own value is the greatest that an input may name. */
export const CEILINGS = {
  model: ['timeout', 'max_attempts', 'max_tokens', 'max_concurrency'],
  rlm: ['max_sandboxes', 'max_iterations', 'global_timeout', 'max_llm_calls', 'max_cost', 'max_depth', 'max_parallel'],
  sandbox: [
    'memory_mb',
    'disk_mb',
    'pool',
    'max_rebuilds',
    'setup_timeout',
    'block_timeout',
    'create_timeout',
    'rebuild_timeout',
    'idle_timeout',
  ],
} as const;

/**
 * Whether a worker does what the input of a run asks for. The input chooses among what the worker's configuration
 * allows; the configuration that comes back is the one the run has.
 */
export function authorize(request: Request, authority: Authority): Verdict {
  const refusals = [...foreignSections(request), ...ceilings(request, authority), ...foreignSource(request, authority)];
  const verdict = authorizeReach(request, authority);
  if (verdict.kind === 'refused') return { kind: 'refused', refusals: [...refusals, ...verdict.refusals] };
  return refusals.length > 0 ? { kind: 'refused', refusals } : verdict;
}

/** The same for what a run can reach, without its limits: for a run that another worker has prepared. */
export function authorizeReach(request: Request, { own, folders }: Authority): Verdict {
  const refusals: Refusal[] = [];
  const refuse = (refusal: Refusal): void => void refusals.push(refusal);
  const model = modelOf(request, own, refuse);
  const sandbox = sandboxOf(request, own, refuse);
  const repository = repositoryOf(request, own, folders, refuse);
  if (refusals.length > 0) return { kind: 'refused', refusals };
  const rlm = withOwnApprovals(request.config.rlm, own.rlm);
  return { kind: 'allowed', config: { ...request.config, model, rlm, sandbox, repository } };
}

/** Before what the worker's own configuration names a person is asked whatever the input says. */
function withOwnApprovals(asked: RunConfig['rlm'], own: RunConfig['rlm']): RunConfig['rlm'] {
  const steps = new Set([...(own.approve ?? []), ...(asked.approve ?? [])]);
  return steps.size === 0 ? asked : { ...asked, approve: [...steps] };
}

/** @param host of the worker */
export function refusalMessage(refusals: readonly Refusal[], host: string): string {
  const sentences = refusals.map(({ setting, reason, remedy }) =>
    [
      `${setting} ${reason}.`,
      ...(remedy === undefined ? [] : [`To allow it, set ${remedy} in its configuration.`]),
    ].join(' '),
  );
  return `The worker on ${host} does not allow what the input of this run asks for: ${sentences.join(' ')}`;
}

type Refuse = (refusal: Refusal) => void;

/** Runs of the worker's own user may have seen what others may not. */
function foreignSource({ source }: Request, { own }: Authority): Refusal[] {
  if (source === undefined || !source.granted || own.worker.allow.own_runs) return [];
  return [
    {
      setting: 'fork',
      reason: `is run ${source.run}, which the user of the worker started`,
      remedy: 'worker.allow.own_runs: true',
    },
  ];
}

/** Sections that are the worker's alone. */
function foreignSections({ given }: Request): Refusal[] {
  const alone = ['storage', 'tools', 'worker', 'notify'].flatMap((section) =>
    named(given[section]).map((key) => `${section}.${key}`),
  );
  const temporal = named(given['temporal']).filter((key) => key !== 'queues');
  return [...alone, ...temporal.map((key) => `temporal.${key}`)].map((setting) => ({
    setting,
    reason: 'is set by the configuration of the worker only: leave it out of the input',
  }));
}

function ceilings({ config }: Request, { own }: Authority): Refusal[] {
  return [...foreignPrices(config, own), ...greaterLimits(config, own)];
}

/** What calls count as decides what `max_cost` is worth. */
function foreignPrices(config: RunConfig, own: RunConfig): Refusal[] {
  if (own.rlm.max_cost === undefined) return [];
  const names = Object.keys(pricesBeside(own.model.prices ?? {}, config.model.prices ?? {}));
  if (names.length === 0) return [];
  const remedy = `model.prices: {${names.map((name) => `${JSON.stringify(name)}: {input: ..., output: ...}`).join(', ')}}`;
  return [{ setting: 'model.prices', reason: "says what the worker's rlm.max_cost counts", remedy }];
}

function greaterLimits(config: RunConfig, own: RunConfig): Refusal[] {
  return Object.entries(CEILINGS).flatMap(([section, keys]) => {
    const asked = new Map<string, unknown>(Object.entries(config[section as keyof typeof CEILINGS]));
    const most = new Map<string, unknown>(Object.entries(own[section as keyof typeof CEILINGS]));
    return keys.flatMap((key): Refusal[] => {
      const [value, ceiling] = [asked.get(key), most.get(key)];
      if (typeof value !== 'number' || typeof ceiling !== 'number' || value <= ceiling) return [];
      const setting = `${section}.${key}`;
      return [{ setting, reason: `is ${value}, and the worker's own is ${ceiling}`, remedy: `${setting}: ${value}` }];
    });
  });
}

/** The endpoint and the key that goes there belong together: a key goes to no endpoint that it was not named for. */
function modelOf({ given, config }: Request, own: RunConfig, refuse: Refuse): ModelConfig {
  const { allow } = own.worker;
  const { api_key_env: _, ...rest } = config.model;
  const prices = { ...pricesBeside(own.model.prices ?? {}, config.model.prices ?? {}), ...own.model.prices };
  const model: ModelConfig = { ...rest, ...(Object.keys(prices).length === 0 ? {} : { prices }) };
  const withKey = (key: string | undefined): ModelConfig =>
    key === undefined ? model : { ...model, api_key_env: key };
  const url = textOf(given['model']?.['base_url']);
  const key = textOf(given['model']?.['api_key_env']);
  if (url === undefined) {
    if (key === undefined || key === own.model.api_key_env || allow.api_key_envs.includes(key))
      return withKey(key ?? own.model.api_key_env);
    refuse({
      setting: 'model.api_key_env',
      reason: 'names a variable that runs may not use',
      remedy: `worker.allow.api_key_envs: [${key}]`,
    });
    return model;
  }
  const { base_url, api_key_env } = own.model;
  const ownEndpoint =
    base_url === undefined ? [] : [{ base_url, ...(api_key_env === undefined ? {} : { api_key_env }) }];
  const endpoints = [...ownEndpoint, ...allow.endpoints].filter((each) => sameAddress(each.base_url, url));
  const [first] = endpoints;
  if (first === undefined) {
    const entry = key === undefined ? `{base_url: "${url}"}` : `{base_url: "${url}", api_key_env: ${key}}`;
    refuse({
      setting: 'model.base_url',
      reason: `is ${url}, which runs may not ask`,
      remedy: `worker.allow.endpoints: [${entry}]`,
    });
    return model;
  }
  if (key === undefined) return withKey(first.api_key_env);
  if (!endpoints.some((each) => each.api_key_env === key)) {
    refuse({
      setting: 'model.api_key_env',
      reason: `names a variable that may not be sent to ${url}`,
      remedy: `worker.allow.endpoints: [{base_url: "${url}", api_key_env: ${key}}]`,
    });
  }
  return withKey(key);
}

/** Prices of models that the worker has none for, also not by the name with or without its provider. */
function pricesBeside(
  own: NonNullable<ModelConfig['prices']>,
  asked: NonNullable<ModelConfig['prices']>,
): NonNullable<ModelConfig['prices']> {
  const names = (name: string): string[] => [name, name.slice(name.indexOf('/') + 1)].map((part) => part.toLowerCase());
  const known = new Set(Object.keys(own).flatMap(names));
  return Object.fromEntries(Object.entries(asked).filter(([name]) => !names(name).some((part) => known.has(part))));
}

function sandboxOf({ given, config }: Request, own: RunConfig, refuse: Refuse): SandboxConfig {
  const { sandbox } = config;
  const { allow } = own.worker;
  const { provider, isolation, python, setup = [], setup_env = [] } = sandbox;
  if (provider !== own.sandbox.provider && !allow.sandbox_providers.includes(provider)) {
    refuse({
      setting: 'sandbox.provider',
      reason: `is ${provider}, and the worker's own is ${own.sandbox.provider}`,
      remedy: `worker.allow.sandbox_providers: [${provider}]`,
    });
  }
  if (isolation === 'none' && own.sandbox.isolation !== 'none' && !allow.isolation_none) {
    refuse({
      setting: 'sandbox.isolation',
      reason: 'is none, so that its code would run as the user of the worker',
      remedy: 'worker.allow.isolation_none: true',
    });
  }
  if (python !== undefined && python !== own.sandbox.python && !allow.python.includes(python)) {
    refuse({
      setting: 'sandbox.python',
      reason: `is ${python}, which runs may not use`,
      remedy: `worker.allow.python: [${python}]`,
    });
  }
  if (setup.length > 0 && !isSame(setup, own.sandbox.setup) && !allow.setup) {
    refuse({ setting: 'sandbox.setup', reason: 'has commands of the input', remedy: 'worker.allow.setup: true' });
  }
  const variables = new Set([...(own.sandbox.setup_env ?? []), ...allow.setup_env]);
  const others = setup_env.filter((name) => !variables.has(name));
  if (others.length > 0) {
    refuse({
      setting: 'sandbox.setup_env',
      reason: 'names variables that runs may not have',
      remedy: `worker.allow.setup_env: [${others.join(', ')}]`,
    });
  }
  const hosts = new Set([...(own.sandbox.network ?? []), ...allow.network]);
  const unknown = (sandbox.network ?? []).filter((host) => !hosts.has(host) && !hosts.has('*'));
  if (unknown.length > 0) {
    refuse({
      setting: 'sandbox.network',
      reason: `names ${unknown.join(', ')}, which code may not reach`,
      remedy: `worker.allow.network: [${unknown.map((host) => JSON.stringify(host)).join(', ')}]`,
    });
  }
  const daytona = asObject(given['sandbox']?.['daytona']);
  const before = new Map<string, unknown>(Object.entries(own.sandbox.daytona ?? {}));
  const changed = named(daytona).filter((key) => !isSame(daytona?.[key], before.get(key)));
  if (changed.length > 0 && !allow.daytona) {
    refuse({
      setting: `sandbox.daytona.${changed[0]}`,
      reason: 'says what sandboxes at Daytona are made of',
      remedy: 'worker.allow.daytona: true',
    });
  }
  return own.sandbox.daytona === undefined || sandbox.daytona === undefined
    ? sandbox
    : { ...sandbox, daytona: daytonaOf(own.sandbox.daytona, sandbox.daytona) };
}

/** What the input does not name stays as the worker has it, such as the networks that can be reached. */
function daytonaOf(own: DaytonaConfig, asked: DaytonaConfig): DaytonaConfig {
  const { image, snapshot, cpu, disk_gb, ...kept } = own;
  const source = asked.image === undefined && asked.snapshot === undefined;
  const made = { image, snapshot, cpu, disk_gb };
  const defined = Object.fromEntries(Object.entries(made).filter(([, value]) => value !== undefined));
  return { ...(source ? defined : {}), ...kept, ...asked };
}

/** Credentials go to the repositories they were named for, and nowhere else: a token, and those that git has of the user. */
function repositoryOf(
  { given, repository }: Request,
  own: RunConfig,
  folders: readonly string[],
  refuse: Refuse,
): RepositoryConfig {
  const token = textOf(given['repository']?.['token_env']);
  const { repositories } = own.worker.allow;
  if (repository?.kind === 'path') {
    const { path } = repository;
    if (!folders.some((folder) => path === folder || path.startsWith(folder === '/' ? '/' : `${folder}/`))) {
      refuse({
        setting: 'repo',
        reason: `is the folder ${path} of the worker's host`,
        remedy: `worker.allow.folders: [${path}]`,
      });
    }
    return {};
  }
  if (repository === undefined) return {};
  const { url } = repository;
  const entries = repositories.filter((each) => isBelow(url, each.url));
  if (entries.length === 0 && isSsh(url)) {
    refuse({
      setting: 'repo',
      reason: "is fetched over ssh, with the worker's keys",
      remedy: 'worker.allow.repositories: [{url: ssh://...}]',
    });
  }
  if (token === undefined) {
    if (entries.length === 0) return { anonymous: true };
    const known = entries.find((each) => each.token_env !== undefined)?.token_env;
    return known === undefined ? {} : { token_env: known };
  }
  if (entries.some((each) => each.token_env === token)) return { token_env: token };
  refuse({
    setting: 'repository.token_env',
    reason: 'names a variable that may not be sent to this repository',
    remedy: `worker.allow.repositories: [{url: https://..., token_env: ${token}}]`,
  });
  return {};
}

/** Keys that have a value. */
function named(section: Readonly<Record<string, unknown>> | null | undefined): string[] {
  return Object.entries(section ?? {}).flatMap(([key, value]) => (value === null || value === undefined ? [] : [key]));
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

function asObject(value: unknown): Readonly<Record<string, unknown>> | undefined {
  return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : undefined;
}

function isSame(one: unknown, other: unknown): boolean {
  return canonicalJson(one ?? null) === canonicalJson(other ?? null);
}

function sameAddress(one: string, other: string): boolean {
  return one.replace(/\/+$/, '') === other.replace(/\/+$/, '');
}
