import { WorkflowFailedError, WorkflowNotFoundError, type Client } from '@temporalio/client';
import { ApplicationFailure, CancelledFailure, TerminatedFailure } from '@temporalio/common';
import type { BatchInput, BatchOutcome, BatchState } from '../domain/batch.ts';
import { statusQuery } from '../domain/messages.ts';

export type BatchEnd =
  | { readonly kind: 'ended'; readonly outcome: BatchOutcome }
  | { readonly kind: 'failed' | 'cancelled' | 'terminated'; readonly error: string };

/** Batches as Temporal workflows. */
export interface TemporalBatches {
  /** Starts a batch, or attaches to the one of this id that runs. @returns whether it was started */
  start(batch: string, input: BatchInput, summary: string): Promise<boolean>;
  isRunning(batch: string): Promise<boolean>;
  /** Answered by a worker: undefined when none answers in time. */
  state(batch: string, timeoutMs?: number): Promise<BatchState | undefined>;
  end(batch: string): Promise<BatchEnd>;
}

const ANSWER_MS = 2000;

export function createTemporalBatches({ client, taskQueue }: { client: Client; taskQueue: string }): TemporalBatches {
  const { workflow } = client;

  async function isRunning(batch: string): Promise<boolean> {
    try {
      return (await workflow.getHandle(batch).describe()).status.name === 'RUNNING';
    } catch (error) {
      if (error instanceof WorkflowNotFoundError) return false;
      throw error;
    }
  }

  return {
    isRunning,
    async start(batch, input, summary) {
      if (await isRunning(batch)) return false;
      await workflow.start('batch', {
        workflowId: batch,
        taskQueue,
        args: [input],
        workflowIdReusePolicy: 'ALLOW_DUPLICATE',
        workflowIdConflictPolicy: 'USE_EXISTING',
        staticSummary: summary,
      });
      return true;
    },
    async state(batch, timeoutMs = ANSWER_MS) {
      try {
        return await client.withDeadline(Date.now() + timeoutMs, () =>
          workflow.getHandle(batch).query<BatchState>(statusQuery),
        );
      } catch {
        return undefined;
      }
    },
    async end(batch) {
      try {
        return { kind: 'ended', outcome: await workflow.getHandle<() => Promise<BatchOutcome>>(batch).result() };
      } catch (error) {
        if (!(error instanceof WorkflowFailedError)) throw error;
        const { cause } = error;
        if (cause instanceof CancelledFailure) return { kind: 'cancelled', error: 'cancelled' };
        if (cause instanceof TerminatedFailure) return { kind: 'terminated', error: 'terminated in Temporal' };
        if (cause instanceof ApplicationFailure && cause.type === 'Batch.Failed')
          return { kind: 'ended', outcome: (cause.details ?? [])[0] as BatchOutcome };
        return { kind: 'failed', error: cause?.message ?? error.message };
      }
    },
  };
}
