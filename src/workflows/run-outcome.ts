import { ApplicationFailure, CancelledFailure } from '@temporalio/workflow';
import { promptsUsedUp, sandboxesUsedUp, type BudgetLimits } from '../domain/budget.ts';
import type { AgentResult, Totals } from '../domain/contract.ts';
import type { FailureType } from '../domain/failures.ts';
import type { RunOutcome } from '../domain/records.ts';
import { NO_USAGE } from '../domain/usage.ts';

/** How a run's root agent ended. */
export type RootEnd =
  | { readonly kind: 'completed'; readonly result: AgentResult }
  /** `result`: what it had all the same. */
  | { readonly kind: 'failed'; readonly failure: RunFailure; readonly result?: AgentResult | undefined };

/** Why a run has no result, or only a part of one. */
export interface RunFailure {
  /** Dotted, as in `domain/failures.ts`. */
  readonly type: string;
  readonly message: string;
}

/** What ended a run before its root agent had ended by itself. */
export type Stopped =
  | { readonly status: 'cancelled' }
  | { readonly status: 'timed_out' | 'failed'; readonly failure: RunFailure };

export function ownFailure(type: FailureType, message: string): RunFailure {
  return { type, message };
}

/** A root that has completed all the same when it was stopped has completed. */
export function outcomeOf(input: {
  readonly run: string;
  readonly startedAt: number;
  readonly limits: BudgetLimits | undefined;
  readonly root: RootEnd;
  readonly stopped: Stopped | undefined;
  /** As the budget has it. */
  readonly used: { readonly sandboxes?: number } | undefined;
}): { readonly outcome: RunOutcome; readonly failure: RunFailure | undefined } {
  const { root, stopped } = input;
  const failure = failureOf(root, stopped);
  const result = root.result;
  const totals = result?.totals;
  const notes = totals === undefined ? [] : refusals(totals.refused, input.limits);
  return {
    failure,
    outcome: {
      run_id: input.run,
      execution_time: Math.round(Date.now() - input.startedAt) / 1000,
      status: root.kind === 'completed' ? 'completed' : (stopped?.status ?? 'failed'),
      answer: result?.answer ?? null,
      answer_truncated: result?.answer_truncated ?? false,
      answer_ref: result?.answer_ref ?? null,
      answer_source: result?.answer_source ?? 'none',
      patch_ref: result?.patch_ref ?? null,
      error: failure === undefined ? null : describeFailure(failure),
      notes: [...(result?.notes ?? []), ...notes],
      agents: totals?.agents ?? 1,
      max_depth: totals?.depth ?? 0,
      iterations: totals?.iterations ?? 0,
      sandboxes: totals?.sandboxes ?? input.used?.sandboxes ?? 0,
      usage: totals?.usage ?? NO_USAGE,
    },
  };
}

/** Of a run that had nothing to do. */
export function skippedOutcome(run: string, startedAt: number, why: string): RunOutcome {
  const root: RootEnd = { kind: 'failed', failure: ownFailure('Agent.Failed', why) };
  const { outcome } = outcomeOf({ run, startedAt, limits: undefined, root, stopped: undefined, used: undefined });
  return { ...outcome, status: 'completed', error: null, notes: [why], agents: 0 };
}

function failureOf(root: RootEnd, stopped: Stopped | undefined): RunFailure | undefined {
  if (root.kind === 'completed' || stopped?.status === 'cancelled') return undefined;
  return stopped?.failure ?? root.failure;
}

export function describeFailure({ type, message }: RunFailure): string {
  return type.startsWith('Run.') ? message : `${type}: ${message}`;
}

/**
 * What the run's workflow returns or throws: its close status tells how the run ended. A failure carries the outcome;
 * of a cancelled run only the blob store has it.
 */
export function closeRun(outcome: RunOutcome, failure: RunFailure | undefined): RunOutcome {
  if (outcome.status === 'completed') return outcome;
  if (outcome.status === 'cancelled') throw new CancelledFailure('The run was cancelled');
  throw ApplicationFailure.create({
    message: failure?.message ?? outcome.error ?? 'The run failed',
    type: failure?.type ?? 'Agent.Failed',
    nonRetryable: true,
    details: [outcome],
  });
}

/** An answer may be less than it could have been. */
function refusals({ prompts, tasks }: Totals['refused'], limits: BudgetLimits | undefined): string[] {
  if (limits === undefined) return [];
  const of = (count: number, what: string, why: string): string[] =>
    count === 0 ? [] : [`${count} ${what} got an error instead of an answer: ${why}.`];
  return [
    ...of(prompts, prompts === 1 ? 'prompt of llm_query' : 'prompts of llm_query', promptsUsedUp(limits)),
    ...of(tasks, tasks === 1 ? 'task for a sub-agent' : 'tasks for sub-agents', sandboxesUsedUp(limits)),
  ];
}
