import { getExternalWorkflowHandle, isCancellation } from '@temporalio/workflow';
import { blockedSignal, type BlockedMessage } from '../domain/messages.ts';
import { failureMessage, failureType } from './failure-type.ts';
import type { PauseGate } from './pause-gate.ts';

/** Does work again after a person has mended what stood in its way. */
export interface PauseOnError {
  /**
   * Runs `work`; a refusal for good pauses the run, and the work is begun again when it is resumed. With
   * `on_error: fail` the refusal is thrown.
   */
  run<T>(work: () => Promise<T>): Promise<T>;
}

/** What a person can mend while the run waits: a key, a quota, a provider, a disk. */
const RECOVERABLE = new Set([
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
          if (isCancellation(error) || input.onError === 'fail' || !RECOVERABLE.has(failureType(error) ?? ''))
            throw error;
          const message: BlockedMessage = { agent: input.agent, reason: failureMessage(error) };
          input.gate.close();
          await getExternalWorkflowHandle(input.run).signal(blockedSignal, message);
        }
      }
    },
  };
}
