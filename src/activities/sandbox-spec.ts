import type { SandboxConfig } from '../domain/config.ts';
import type { RunSpecification } from '../domain/records.ts';
import type { SandboxSpec, SandboxSetup } from '../sandbox/provider.ts';
import type { ActivityDependencies } from './dependencies.ts';
import { EMPTY_REPOSITORY } from './empty-repository.ts';

type Deps = Pick<ActivityDependencies, 'blobs' | 'environment'>;

/** What all sandboxes of a run have in common. */
export function sandboxSpec(deps: Deps, run: Pick<RunSpecification, 'config' | 'repository'>): SandboxSpec {
  const { sandbox } = run.config;
  const setup = sandboxSetup(sandbox, deps.environment);
  return {
    ...repositoryOf(deps, run),
    isolation: sandbox.isolation,
    ...(sandbox.python === undefined ? {} : { python: sandbox.python }),
    ...(setup === undefined ? {} : { setup }),
    // The root has one of its own, and no more than the rest can ever be claimed.
    pool: Math.min(sandbox.pool ?? 0, run.config.rlm.max_sandboxes - 1),
    memory_mb: sandbox.memory_mb,
    disk_mb: sandbox.disk_mb,
    network: sandbox.network ?? [],
    idle_timeout: sandbox.idle_timeout,
    create_timeout: createTimeout(sandbox),
    ...(sandbox.daytona === undefined ? {} : { daytona: sandbox.daytona }),
  };
}

/** Seconds for one sandbox: the setup runs in it, or on a host that makes its first one, unless it was prepared there. */
export function createTimeout({ setup = [], setup_timeout, create_timeout }: SandboxConfig): number {
  return create_timeout + (setup.length > 0 ? setup_timeout : 0);
}

/** Undefined where nothing is to be installed. Variables that this worker does not have are left out. */
function sandboxSetup(config: SandboxConfig, environment: NodeJS.ProcessEnv): SandboxSetup | undefined {
  const { setup: commands, setup_timeout: timeout, setup_env: names = [] } = config;
  if (commands === undefined || commands.length === 0) return undefined;
  const variables = names.flatMap((name): [string, string][] => {
    const value = environment[name];
    return value === undefined ? [] : [[name, value]];
  });
  return { commands, timeout, environment: Object.fromEntries(variables) };
}

/** An analysis has none: its agents work in an empty folder, but for what a setup has made there. */
function repositoryOf(
  deps: Deps,
  { config, repository }: Pick<RunSpecification, 'config' | 'repository'>,
): Pick<SandboxSpec, 'repository'> {
  if (repository === undefined)
    return (config.sandbox.setup ?? []).length === 0 ? {} : { repository: EMPTY_REPOSITORY };
  const { bundle, url, commit } = repository;
  if (bundle !== undefined)
    return { repository: { source: { kind: 'bundle', id: commit, open: () => deps.blobs.open(bundle) }, commit } };
  const { token_env, anonymous } = config.repository;
  const token = token_env === undefined ? undefined : deps.environment[token_env];
  const access = { ...(token === undefined ? {} : { token }), ...(anonymous === undefined ? {} : { anonymous }) };
  return { repository: { source: { kind: 'url', url: url ?? '', ...access }, commit } };
}
