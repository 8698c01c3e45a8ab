import { activityInfo } from '@temporalio/activity';
import type { Activities } from '../domain/contract.ts';
import { TypedError } from '../domain/failures.ts';
import { ROOT_AGENT } from '../domain/ids.ts';
import { lastKnownAnswer } from '../domain/prompts/conversation.ts';
import { runReferenceName, type AgentReference, type RunOutcome, type RunReference } from '../domain/records.ts';
import { addUsage } from '../domain/usage.ts';
import { finishResult, previewOf } from './finish-agent.ts';
import type { ActivityDependencies } from './dependencies.ts';
import { describeFailedPrompts } from './failed-prompts.ts';
import { readAgentReference } from './trajectory.ts';

/**
 * Writes a run's outcome where it is found without Temporal. An outcome whose root could not be asked (it was
 * terminated, or did not end in time) is completed with what the agents had recorded.
 */
export async function recordOutcome(
  deps: ActivityDependencies,
  { execution, outcome }: Parameters<Activities['recordOutcome']>[0],
): Promise<RunOutcome> {
  if (outcome.run_id !== activityInfo().workflowExecution?.workflowId)
    throw new TypedError('Input.NotAllowed', 'A run records its own outcome only.');
  const name = runReferenceName(outcome.run_id, execution);
  const before = (await deps.blobs.getReference(name)) as RunReference | undefined;
  if (before === undefined) throw new TypedError('Storage.Missing', `run ${outcome.run_id} is not in the blob store`);
  const known = outcome.sandboxes === 0 ? await recorded(deps, outcome, before) : outcome;
  const failed = await describeFailedPrompts(deps.blobs, before);
  const completed = failed === undefined ? known : { ...known, notes: [...known.notes, failed] };
  const reference: RunReference = { ...before, outcome: completed, ended_at: Date.now() };
  await deps.blobs.setReference(name, reference);
  return completed;
}

async function recorded(deps: ActivityDependencies, outcome: RunOutcome, run: RunReference): Promise<RunOutcome> {
  const names = await deps.blobs.listReferences(`runs/${run.run}@${run.execution}/`);
  const others = names.filter((name) => name !== runReferenceName(run.run, run.execution));
  const agents = (await Promise.all(others.map((name) => deps.blobs.getReference(name)))) as AgentReference[];
  if (agents.length === 0) return outcome;
  return {
    ...outcome,
    ...(await rootsWork(deps, outcome, run)),
    agents: agents.length,
    max_depth: Math.max(...agents.map(({ depth }) => depth)),
    iterations: agents.reduce((sum, { iteration }) => sum + iteration, 0),
    sandboxes: agents.filter(({ sandbox }) => sandbox !== null).length,
    usage: addUsage(...agents.map(({ usage }) => usage)),
  };
}

async function rootsWork(
  deps: ActivityDependencies,
  outcome: RunOutcome,
  { run, execution, spec }: RunReference,
): Promise<Partial<RunOutcome>> {
  const root = await readAgentReference(deps, { run, execution, spec, agent: ROOT_AGENT });
  if (root === undefined || outcome.answer_ref !== null || outcome.patch_ref !== null) return {};
  const records = await deps.chains.walk(root.head);
  const end = records.at(-1);
  if (end?.kind === 'end') {
    const result = await finishResult(deps, end, true);
    const { answer, answer_truncated = false, answer_ref, answer_source = 'none', patch_ref, notes } = result;
    return {
      answer: answer ?? null,
      answer_truncated,
      answer_ref: answer_ref ?? null,
      answer_source,
      patch_ref: patch_ref ?? null,
      notes: notes ?? [],
    };
  }
  const known = lastKnownAnswer(records);
  if (known === undefined) return {};
  const answer_ref = await deps.chains.putJson(known);
  return { ...previewOf(known), answer_ref, answer_source: 'partial' };
}
