import type { PreparedRun, PrepareInvestigationInput } from '../domain/contract.ts';
import type { RunSpecification } from '../domain/records.ts';
import { beginRun } from './begin-run.ts';
import type { ActivityDependencies } from './dependencies.ts';
import { prepareRetry } from './prepare-retry.ts';
import { withHeartbeat } from './with-heartbeat.ts';

/**
 * Validates a run's input, fills in defaults, resolves its commit, and stores its specification and root task. Then the
 * commands of `sandbox.setup` run: where they fail, no model has been asked yet.
 */
export async function prepareInvestigation(
  deps: ActivityDependencies,
  { run, execution, input }: PrepareInvestigationInput,
): Promise<PreparedRun> {
  if (input.from !== undefined) return prepareRetry(deps, { type: 'investigate', run, execution, input });
  const { config, ceilings } = await deps.admission.admit({ type: 'investigate', run, input });
  const { repo, branch, commit, bundle, folder } = input;
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
  const specification: RunSpecification = {
    v: 1,
    kind: 'run',
    type: 'investigate',
    run,
    execution,
    prompt: input.prompt,
    repository,
    config,
  };
  const summary = `${repository.name} at ${repository.commit.slice(0, 12)}: ${input.prompt}`;
  return beginRun(deps, specification, { task: input.prompt, summary, ceilings });
}
