import { getExternalWorkflowHandle, isCancellation } from '@temporalio/workflow';
import type { FailureType } from '../domain/failures.ts';
import { blockedSignal, type BlockedMessage } from '../domain/messages.ts';
import { failureMessage, failureType } from './failure.ts';
import type { PauseGate } from './pause-gate.ts';

/** Retries work after a person has fixed what made it fail. */
export interface PauseOnError {
  /**
   * Runs `work`. A failure that only a person can fix pauses the run, and the work is run again when the run is
   * resumed. With `on_error: fail` the failure is thrown.
   */
  run<T>(work: () => Promise<T>): Promise<T>;
}

/** What a person can fix while the run waits: a key, a quota, a provider, a disk. */
const RECOVERABLE: ReadonlySet<string> = new Set<FailureType>([
  'Model.Refused',
  'Model.KeyMissing',
  'Model.RateLimited',
  'Model.Unavailable',
  'Storage.Unavailable',
  'Budget.Exhausted',
]);

export function createPauseOnError(input: {
  readonly run: string;
  readonly agent: string;
  readonly onError: 'pause' | 'fail';
  readonly gate: PauseGate;
}): PauseOnError {
  return {
    async run(work) {
      for (;;) {
        await input.gate.wait();
        try {
          return await work();
        } catch (error) {
          const failure = failureType(error);
          const isRecoverable = failure !== undefined && RECOVERABLE.has(failure);
          if (isCancellation(error) || input.onError === 'fail' || !isRecoverable) throw error;
          const message: BlockedMessage = { agent: input.agent, failure, reason: failureMessage(error) };
          input.gate.close(message);
          await getExternalWorkflowHandle(input.run).signal(blockedSignal, message);
        }
      }
    },
  };
}
