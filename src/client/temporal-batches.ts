import { WorkflowFailedError, WorkflowNotFoundError, type Client } from '@temporalio/client';
import { ApplicationFailure, CancelledFailure, TerminatedFailure } from '@temporalio/common';
import type { BatchInput, BatchOutcome, BatchState } from '../domain/batch.ts';
import { TypedError, type FailureType } from '../domain/failures.ts';
import { statusQuery } from '../domain/messages.ts';

export type BatchEnd =
  | { readonly kind: 'ended'; readonly outcome: BatchOutcome }
  | { readonly kind: 'failed' | 'cancelled' | 'terminated'; readonly error: string };

/** Batches as Temporal workflows. */
export interface TemporalBatches {
  /**
   * Starts a batch, or attaches to the one of this id that runs.
   *
   * @returns whether it was started
   * @throws TypedError `Input.Invalid` where the id is that of a run that has not ended
   */
  start(batch: string, input: BatchInput, summary: string): Promise<boolean>;
  isRunning(batch: string): Promise<boolean>;
  /** How Temporal says that a batch ended, such as `terminated`; undefined for one that runs, and for what is none. */
  endedAs(batch: string): Promise<string | undefined>;
  /** Answered by a worker: undefined when none answers in time. */
  state(batch: string, timeoutMs?: number): Promise<BatchState | undefined>;
  end(batch: string): Promise<BatchEnd>;
}

const TYPE = 'batch';
const BATCH_FAILED: FailureType = 'Batch.Failed';
const ANSWER_MS = 2000;

export function createTemporalBatches({ client, taskQueue }: { client: Client; taskQueue: string }): TemporalBatches {
  const { workflow } = client;

  async function known(batch: string): Promise<{ readonly status: string; readonly type: string } | undefined> {
    try {
      const { status, type } = await workflow.getHandle(batch).describe();
      return { status: status.name, type };
    } catch (error) {
      if (error instanceof WorkflowNotFoundError) return undefined;
      throw error;
    }
  }

  /** Type of the workflow of this id that runs. */
  async function runningType(batch: string): Promise<string | undefined> {
    const found = await known(batch);
    return found?.status === 'RUNNING' ? found.type : undefined;
  }

  return {
    async endedAs(batch) {
      const found = await known(batch);
      return found?.type === TYPE && found.status !== 'RUNNING' ? found.status.toLowerCase() : undefined;
    },
    isRunning: async (batch) => (await runningType(batch)) === TYPE,
    async start(batch, input, summary) {
      const running = await runningType(batch);
      if (running === TYPE) return false;
      if (running !== undefined)
        throw new TypedError('Input.Invalid', `${batch} is a run that has not ended: give the batch another --id.`);
      await workflow.start(TYPE, {
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
        if (cause instanceof ApplicationFailure && cause.type === BATCH_FAILED)
          return { kind: 'ended', outcome: (cause.details ?? [])[0] as BatchOutcome };
        return { kind: 'failed', error: cause?.message ?? error.message };
      }
    },
  };
}
