import {
  CancellationScope,
  condition,
  defineSignal,
  proxyActivities,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow';
import type { RunOutcome } from '../../src/domain/records.ts';

export { batch } from '../../src/workflows/batch.ts';

export interface ShortRunActivities {
  /** Does the run of an item, and records how it ended. */
  doItem(of: { readonly run: string; readonly execution: string; readonly input: unknown }): Promise<RunOutcome>;
}

/** In the place of the workflow `analyze`: a run that is one activity, so that there can be thousands. */
export async function analyze(input: unknown): Promise<RunOutcome> {
  const { workflowId: run, runId: execution } = workflowInfo();
  const { doItem } = proxyActivities<ShortRunActivities>({
    startToCloseTimeout: '1 minute',
    retry: { maximumAttempts: 1 },
  });
  return doItem({ run, execution, input });
}

/** Keeps its id until it gets the signal `leave`; a cancellation does not end it. */
export async function stay(): Promise<void> {
  let isLeaving = false;
  setHandler(defineSignal('leave'), () => void (isLeaving = true));
  await CancellationScope.nonCancellable(() => condition(() => isLeaving));
}
