import type { PreparedRun, PrepareInvestigationInput } from '../domain/contract.ts';
import { ROOT_AGENT } from '../domain/ids.ts';
import { runReferenceName, type RunReference, type RunSpecification } from '../domain/records.ts';
import { truncate } from '../domain/truncate.ts';
import { sandboxRequest } from './create-sandbox.ts';
import type { ActivityDependencies } from './dependencies.ts';
import { withHeartbeat } from './with-heartbeat.ts';
import { taskRecord } from './trajectory.ts';

const FIRST_GENERATION = 0;
const MAX_SUMMARY_CHARACTERS = 200;

/**
 * Validates a run's input, fills in defaults, resolves its commit, and stores its specification and root task. Then the
 * commands of `sandbox.setup` run: where they fail, no model has been asked yet.
 */
export async function prepareInvestigation(
  deps: ActivityDependencies,
  { run, execution, input }: PrepareInvestigationInput,
): Promise<PreparedRun> {
  const { config, ceilings } = await deps.admission.admit({ type: 'investigate', run, input });
  const { repo, branch, commit, bundle } = input;
  const repository = await withHeartbeat((signal) =>
    deps.resolveRepository({
      repo,
      config,
      signal,
      ...(branch === undefined ? {} : { branch }),
      ...(commit === undefined ? {} : { commit }),
      ...(bundle === undefined ? {} : { bundle }),
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

/** What every kind of run begins with, once it is specified. */
export async function beginRun(
  deps: ActivityDependencies,
  specification: RunSpecification,
  {
    task: text,
    summary,
    ceilings,
  }: { readonly task: string; readonly summary: string; readonly ceilings: PreparedRun['ceilings'] },
): Promise<PreparedRun> {
  const { run, execution, config } = specification;
  const spec = await deps.chains.putJson(specification);
  await deps.admission.admitted(spec, run);
  const scope = { run, execution, spec, agent: ROOT_AGENT };
  const task = await deps.chains.append(taskRecord(scope, { text }));
  const reference: RunReference = { run, execution, spec, started_at: Date.now() };
  await deps.blobs.setReference(runReferenceName(run, execution), reference);
  const provider = deps.sandboxes(config.sandbox.provider);
  const first = sandboxRequest(deps, { scope, generation: FIRST_GENERATION, run: specification });
  await withHeartbeat((signal) => provider.prepare(first, signal));
  return {
    spec,
    task,
    limits: config.rlm,
    ceilings,
    queues: config.temporal.queues,
    summary: truncate(summary.replaceAll(/\s+/g, ' '), MAX_SUMMARY_CHARACTERS),
    memo: {
      ...(specification.repository === undefined ? {} : { repository: specification.repository.name }),
      ...(specification.repository === undefined ? {} : { commit: specification.repository.commit }),
      prompt: truncate(specification.prompt.replaceAll(/\s+/g, ' '), MAX_SUMMARY_CHARACTERS),
    },
    searchable: await deps.hasSearchAttributes(),
  };
}
