import {
  ApplicationFailure,
  CancelledFailure,
  ChildWorkflowFailure,
  isCancellation,
  TerminatedFailure,
} from '@temporalio/workflow';
import type { AgentResult } from '../domain/contract.ts';
import type { AgentStatus, AnswerSource } from '../domain/records.ts';
import { failureMessage, failureType } from './failure.ts';

/** Milliseconds that a run waits for its agents after the deadline or a cancellation: with what follows, less than ten seconds. */
export const AGENTS_END_MS = 8000;
/** The same of an agent that has ended, for its sub-agents: it has to record its own end before its run's patience is over. */
export const SUB_AGENTS_END_MS = AGENTS_END_MS - 2000;

/** How an agent's loop ended. */
export interface Ending {
  readonly status: AgentStatus;
  readonly source: AnswerSource;
  readonly failure?: { readonly type: string; readonly message: string };
}

export function failedEnding(error: unknown): Ending {
  if (isCancellation(error)) return { status: 'cancelled', source: 'partial' };
  const failure = { type: failureType(error) ?? 'Agent.Failed', message: failureMessage(error) };
  return { status: 'failed', source: 'partial', failure };
}

/**
 * What an agent's workflow returns or throws: its close status tells how it ended. A failure carries what the agent has
 * all the same; of one that is cancelled only the blob store has it.
 */
export function closeAgent({ status, failure }: Ending, result: AgentResult): AgentResult {
  if (status === 'completed') return result;
  if (status === 'cancelled') throw new CancelledFailure('The agent was cancelled');
  throw ApplicationFailure.create({ ...failure, nonRetryable: true, details: [result] });
}

/** How an agent ended that did not complete, for the workflow that started it. */
export type AgentFailure =
  | { readonly kind: 'failed'; readonly type: string; readonly message: string; readonly result: AgentResult }
  /** It could say nothing: what it has is in the blob store. */
  | { readonly kind: 'cancelled' | 'terminated' }
  /** Whatever else Temporal may say. */
  | { readonly kind: 'unknown'; readonly message: string };

export function agentFailure(error: unknown): AgentFailure {
  const cause = error instanceof ChildWorkflowFailure ? error.cause : error;
  if (isCancellation(error)) return { kind: 'cancelled' };
  if (cause instanceof TerminatedFailure) return { kind: 'terminated' };
  if (cause instanceof ApplicationFailure) {
    const [result] = (cause.details ?? []) as (AgentResult | undefined)[];
    if (result?.totals !== undefined)
      return { kind: 'failed', type: cause.type ?? 'Agent.Failed', message: cause.message, result };
  }
  return { kind: 'unknown', message: failureMessage(error) };
}
