import { activityInfo } from '@temporalio/activity';
import type { RecordOutcomeInput } from '../domain/contract.ts';
import { TypedError } from '../domain/failures.ts';
import { ROOT_AGENT } from '../domain/ids.ts';
import type { Notice } from '../domain/notice.ts';
import { runReferenceName, type RunOutcome, type RunReference } from '../domain/records.ts';
import type { ActivityDependencies } from './dependencies.ts';
import { describeFailedPrompts } from './failed-prompts.ts';
import { withFindings } from './findings.ts';
import { recordedAnswer, recordedTotals } from './read-agent.ts';
import { withHeartbeat } from './with-heartbeat.ts';

/**
 * Writes a run's outcome where it is found without Temporal. An outcome whose root could not say what it has (it was
 * cancelled or terminated, or did not end in time) is completed with what the agents had recorded.
 */
export async function recordOutcome(
  deps: ActivityDependencies,
  { execution, outcome, incomplete, limits }: RecordOutcomeInput,
): Promise<RunOutcome> {
  if (outcome.run_id !== activityInfo().workflowExecution?.workflowId)
    throw new TypedError('Input.NotAllowed', 'A run records its own outcome only.');
  const name = runReferenceName(outcome.run_id, execution);
  const before = (await deps.blobs.getReference(name)) as RunReference | undefined;
  if (before === undefined) throw new TypedError('Storage.Missing', `run ${outcome.run_id} is not in the blob store`);
  const { runId } = activityInfo().workflowExecution ?? {};
  const known =
    incomplete === true
      ? await withRecords(deps, outcome, before)
      : runId === execution
        ? outcome
        : await withEarlierWork(deps, outcome, before);
  const failed = await describeFailedPrompts(deps.blobs, before);
  const noted = failed === undefined ? known : { ...known, notes: [...known.notes, failed] };
  const completed = await withFindings(deps, noted, before);
  const reference: RunReference = {
    ...before,
    ...(limits === undefined ? {} : { limits }),
    outcome: completed,
    ended_at: Date.now(),
  };
  await deps.blobs.setReference(name, reference);
  await withHeartbeat(() => deps.notify(noticeOf(completed)));
  return completed;
}

function noticeOf({ run_id: run, status, error, answer, usage }: RunOutcome): Notice {
  const event = status === 'completed' ? 'completed' : 'failed';
  return { event, run, status, reason: error, answer, cost: usage.cost, next: `rlm result ${run}` };
}

/** After a reset or a retry: what is recorded was not done again, so the agents have not told of it. */
async function withEarlierWork(
  deps: ActivityDependencies,
  outcome: RunOutcome,
  { run, execution }: RunReference,
): Promise<RunOutcome> {
  const recorded = await recordedTotals(deps, { run, execution }, ROOT_AGENT);
  return {
    ...outcome,
    agents: Math.max(outcome.agents, recorded.agents),
    max_depth: Math.max(outcome.max_depth, recorded.depth),
    iterations: Math.max(outcome.iterations, recorded.iterations),
    sandboxes: Math.max(outcome.sandboxes, recorded.sandboxes),
    usage: recorded.usage.llm_calls > outcome.usage.llm_calls ? recorded.usage : outcome.usage,
  };
}

async function withRecords(
  deps: ActivityDependencies,
  outcome: RunOutcome,
  { run, execution, spec }: RunReference,
): Promise<RunOutcome> {
  const { agents, depth, iterations, usage } = await recordedTotals(deps, { run, execution }, ROOT_AGENT);
  if (agents === 0) return outcome;
  const known = await recordedAnswer(deps, { run, execution, spec, settings: spec, agent: ROOT_AGENT });
  return {
    ...outcome,
    answer: known.answer ?? null,
    answer_truncated: known.answer_truncated ?? false,
    answer_ref: known.answer_ref ?? null,
    answer_source: known.answer_source ?? 'none',
    patch_ref: known.patch_ref ?? null,
    notes: [...outcome.notes, ...(known.notes ?? [])],
    agents,
    max_depth: depth,
    iterations,
    usage,
  };
}
