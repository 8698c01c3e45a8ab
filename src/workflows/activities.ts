import {
  ActivityCancellationType,
  ActivityFailure,
  proxyActivities,
  TimeoutFailure,
  workflowInfo,
  type ActivityOptions,
} from '@temporalio/workflow';
import type { Activities, AgentInput, Queues } from '../domain/contract.ts';
import type { BatchActivities } from '../domain/contract-batch.ts';
import { hostTaskQueue, modelsTaskQueue, sandboxesTaskQueue } from '../domain/ids.ts';
import { parseHandle, type SandboxName } from '../domain/sandbox.ts';
import { typedFailure } from './failure.ts';

/** Two seconds of grace beyond the worker's throttled heartbeat; a dead worker is noticed after five. */
const HEARTBEAT_TIMEOUT = '5s';
/** Activities are bounded by heartbeats and by limits of their own; this only ends what nobody could. */
const MAX_ACTIVITY_TIME = '24h';

export const RETRY = { initialInterval: '500ms', backoffCoefficient: 2, maximumInterval: '30s' } as const;

/** Where work on sandboxes goes that is not bound to a host. */
export function sandboxQueue(queues: Queues): Pick<ActivityOptions, 'taskQueue'> {
  return queues === 'separate' ? { taskQueue: sandboxesTaskQueue(workflowInfo().taskQueue) } : {};
}

/** Asks models; a cancellation does not wait for the provider. */
export function modelActivities(summary: string, queues: Queues): Pick<Activities, 'callModel' | 'answerPrompts'> {
  return proxyActivities<Activities>({
    ...(queues === 'separate' ? { taskQueue: modelsTaskQueue(workflowInfo().taskQueue) } : {}),
    startToCloseTimeout: MAX_ACTIVITY_TIME,
    heartbeatTimeout: HEARTBEAT_TIMEOUT,
    cancellationType: ActivityCancellationType.TRY_CANCEL,
    retry: RETRY,
    summary,
  });
}

type OtherActivity =
  | 'prepareInvestigation'
  | 'prepareAnalysis'
  | 'admitBudget'
  | 'configureRun'
  | 'workerAbsence'
  | 'sendNotice'
  | 'recordOutcome'
  | 'createSandbox'
  | 'rebuildSandbox'
  | 'locateSandbox'
  | keyof BatchActivities
  | 'readAgent'
  | 'readProgress'
  | 'callTool'
  | 'storeAnswers';

/** All else: on any worker, unless the options name a queue. */
export function runActivities(options: ActivityOptions = {}): Pick<Activities & BatchActivities, OtherActivity> {
  return proxyActivities<Activities & BatchActivities>({
    startToCloseTimeout: MAX_ACTIVITY_TIME,
    heartbeatTimeout: HEARTBEAT_TIMEOUT,
    retry: RETRY,
    ...options,
  });
}

/** Milliseconds for which work may lie on a host's queue before its workflow looks whether the host is there, or says that it waits. */
const HOST_QUEUE_MS = 10_000;

/**
 * Work in a sandbox: on its host's own queue when it lives on one.
 *
 * @throws ApplicationFailure `Sandbox.Lost` when the host is gone
 */
export async function inSandbox<T>(
  { execution, task, queues }: Pick<AgentInput, 'execution' | 'task' | 'queues'>,
  sandbox: SandboxName | undefined,
  options: ActivityOptions,
  work: (activities: Pick<Activities, 'runCode' | 'finishAgent'>) => Promise<T>,
): Promise<T> {
  const { taskQueue } = workflowInfo();
  const host = sandbox === undefined ? undefined : parseHandle(sandbox).host;
  const activities = proxyActivities<Activities>({
    ...(host === undefined
      ? sandboxQueue(queues)
      : { taskQueue: hostTaskQueue(taskQueue, host), scheduleToStartTimeout: HOST_QUEUE_MS }),
    startToCloseTimeout: MAX_ACTIVITY_TIME,
    heartbeatTimeout: HEARTBEAT_TIMEOUT,
    cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
    retry: RETRY,
    ...options,
  });
  for (;;) {
    try {
      return await work(activities);
    } catch (error) {
      if (sandbox === undefined || !isScheduleToStartTimeout(error)) throw error;
      const { locateSandbox } = runActivities({ summary: `look for the host ${host}` });
      if ((await locateSandbox({ execution, task, sandbox, taskQueue })) === 'there') continue;
      throw typedFailure('Sandbox.Lost', `The host ${host} is gone, and the sandbox with it.`);
    }
  }
}

/**
 * Work of the run itself that only one host can do. It waits for that host however long.
 *
 * @param onWaiting - called when no worker there has taken it in time
 */
export async function onHost<T>(
  host: string,
  options: ActivityOptions,
  work: (activities: ReturnType<typeof runActivities>) => Promise<T>,
  onWaiting: () => void,
): Promise<T> {
  const there = { ...options, taskQueue: hostTaskQueue(workflowInfo().taskQueue, host) };
  try {
    return await work(runActivities({ ...there, scheduleToStartTimeout: HOST_QUEUE_MS }));
  } catch (error) {
    if (!isScheduleToStartTimeout(error)) throw error;
    onWaiting();
    return work(runActivities(there));
  }
}

function isScheduleToStartTimeout(error: unknown): boolean {
  const cause = error instanceof ActivityFailure ? error.cause : undefined;
  return cause instanceof TimeoutFailure && cause.timeoutType === 'SCHEDULE_TO_START';
}
