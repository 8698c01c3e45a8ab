import { ActivityCancellationType, proxyActivities, type ActivityOptions } from '@temporalio/workflow';
import type { Activities } from '../domain/contract.ts';
import { hostTaskQueue } from '../domain/ids.ts';

/** Two seconds of grace beyond the worker's throttled heartbeat; a dead worker is noticed after five. */
const HEARTBEAT = '5s';
/** Activities are bounded by heartbeats and by limits of their own; this only ends what nobody could. */
const LONGEST = '24h';

const RETRY = { initialInterval: '500ms', backoffCoefficient: 2, maximumInterval: '30s' } as const;

/** Asks models; a cancellation does not wait for the provider. */
export function modelActivities(summary: string): Pick<Activities, 'think' | 'answerPrompts'> {
  return proxyActivities<Activities>({
    startToCloseTimeout: LONGEST,
    heartbeatTimeout: HEARTBEAT,
    cancellationType: ActivityCancellationType.TRY_CANCEL,
    retry: RETRY,
    summary,
  });
}

/** The whole first turn, on any worker: the sandbox is made where it runs. */
export function firstTurn(summary: string): Pick<Activities, 'begin'> {
  return proxyActivities<Activities>({
    startToCloseTimeout: LONGEST,
    heartbeatTimeout: HEARTBEAT,
    // A cancelled one still tells of the sandbox it made.
    cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
    retry: RETRY,
    summary,
  });
}

/** Work of the run itself, on any worker. */
export function runActivities(
  options: ActivityOptions = {},
): Pick<Activities, 'prepareInvestigation' | 'recordOutcome' | 'createSandbox'> {
  return proxyActivities<Activities>({
    startToCloseTimeout: LONGEST,
    heartbeatTimeout: HEARTBEAT,
    retry: RETRY,
    ...options,
  });
}

/** Work in a sandbox: on its host's own queue when it lives on one. */
export function sandboxActivities(
  where: { taskQueue: string; host: string | undefined },
  options: ActivityOptions,
): Pick<Activities, 'turn' | 'act' | 'closeAgent'> {
  return proxyActivities<Activities>({
    ...(where.host === undefined ? {} : { taskQueue: hostTaskQueue(where.taskQueue, where.host) }),
    startToCloseTimeout: LONGEST,
    heartbeatTimeout: HEARTBEAT,
    cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
    retry: RETRY,
    ...options,
  });
}
