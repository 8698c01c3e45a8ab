import type { ConfigureInput, PreparedRun } from '../domain/contract.ts';
import { TypedError } from '../domain/failures.ts';
import { ROOT_AGENT } from '../domain/ids.ts';
import { runReferenceName } from '../domain/records.ts';
import { admitSettings, recordedRun } from './configure-run.ts';
import type { ActivityDependencies } from './dependencies.ts';
import { readyToBegin } from './begin-run.ts';
import { readAgentReference } from './agent-reference.ts';
import { taskRecord } from './agent-task.ts';

/**
 * Opens a run that has ended again, with the data of its execution: its agents find everything they have recorded, ask no
 * model for it, and go on where they ended.
 *
 * @throws TypedError `Input.Invalid` for one that has completed; as `Admission.admit`
 */
export async function prepareRetry(deps: ActivityDependencies, request: ConfigureInput): Promise<PreparedRun> {
  const { run, execution } = request;
  const { outcome, ended_at: _, ...before } = await recordedRun(deps, request);
  if (outcome?.status === 'completed')
    throw new TypedError('Input.Invalid', `Run ${run} has completed: there is nothing to retry.`);
  const { specification, settings, ceilings } = await admitSettings(deps, request, before);
  const scope = { run, execution, spec: before.spec, settings, agent: ROOT_AGENT };
  const root = await readAgentReference(deps, scope);
  const task =
    root === undefined
      ? await deps.chains.append(taskRecord(scope, { text: specification.prompt }))
      : await firstRecord(deps, root.head);
  await deps.blobs.setReference(runReferenceName(run, execution), { ...before, settings });
  return readyToBegin(deps, { scope, specification, task, summary: `again: ${specification.prompt}`, ceilings });
}

async function firstRecord({ chains }: Pick<ActivityDependencies, 'chains'>, head: string): Promise<string> {
  const second = (await chains.walk(head))[1];
  return second?.parent ?? head;
}
