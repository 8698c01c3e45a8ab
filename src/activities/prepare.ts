import type { InvestigateInput, PreparedRun, PrepareInvestigationInput, SkippedRun } from '../domain/contract.ts';
import type { ChainRecord, RepositoryReference, RunSpecification } from '../domain/records.ts';
import { beginRun, rootTask } from './begin-run.ts';
import type { ActivityDependencies } from './dependencies.ts';
import { asBefore, findingsBefore } from './findings.ts';
import { prepareFork } from './prepare-fork.ts';
import { prepareRetry } from './prepare-retry.ts';
import { withHeartbeat } from './with-heartbeat.ts';

/**
 * Validates a run's input, fills in defaults, resolves its commit, and stores its specification and root task. Then the
 * commands of `sandbox.setup` run: where they fail, no model has been asked yet.
 */
export async function prepareInvestigation(
  deps: ActivityDependencies,
  { run, execution, input, schedule }: PrepareInvestigationInput,
): Promise<PreparedRun | SkippedRun> {
  if (input.from !== undefined) return prepareRetry(deps, { type: 'investigate', run, execution, input });
  if (input.fork !== undefined) return prepareFork(deps, { type: 'investigate', run, execution, input }, input.fork);
  const { config, ceilings, granted } = await deps.admission.admit({ type: 'investigate', run, input });
  // Checked by now.
  const { repo = '', prompt = '', branch, commit, bundle, folder } = input;
  const repository = await withHeartbeat((signal) =>
    deps.resolveRepository({
      repo,
      config,
      signal,
      ...(branch === undefined ? {} : { branch }),
      ...(commit === undefined ? {} : { commit }),
      ...(bundle === undefined ? {} : { bundle }),
      ...(folder === undefined ? {} : { folder }),
    }),
  );
  const unchanged = await unchangedSince(deps, run, input, repository);
  if (unchanged !== undefined) return { skipped: unchanged };
  const specification: RunSpecification = {
    v: 1,
    kind: 'run',
    type: 'investigate',
    run,
    execution,
    prompt,
    repository,
    config,
  };
  const summary = `${repository.name} at ${repository.commit.slice(0, 12)}: ${prompt}`;
  const first = (spec: string): ChainRecord => rootTask(specification, spec, prompt);
  const before = await findingsBefore(deps, config.rlm.findings?.series, !granted);
  return beginRun(deps, specification, { first, summary, ceilings, granted, schedule, ...asBefore(before) });
}

/** Why there is nothing to do: the occurrence before of its schedule worked on the same commit. */
async function unchangedSince(
  deps: ActivityDependencies,
  run: string,
  { only_if_changed: schedule }: InvestigateInput,
  { commit }: RepositoryReference,
): Promise<string | undefined> {
  if (typeof schedule !== 'string') return undefined;
  const before = await deps.findOccurrenceBefore(schedule, run);
  if (before?.outcome?.status !== 'completed') return undefined;
  const { repository } = await deps.chains.specification(before.spec);
  if (repository?.commit !== commit) return undefined;
  return `Skipped: the repository is at commit ${commit.slice(0, 12)}, as when ${before.run} worked on it.`;
}
