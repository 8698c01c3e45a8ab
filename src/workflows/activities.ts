import {
  ActivityCancellationType,
  ActivityFailure,
  ApplicationFailure,
  proxyActivities,
  TimeoutFailure,
  workflowInfo,
  type ActivityOptions,
} from '@temporalio/workflow';
import type { Activities, WorkflowLimits } from '../domain/contract.ts';
import { hostTaskQueue, modelsTaskQueue, sandboxesTaskQueue } from '../domain/ids.ts';
import { parseHandle, type SandboxName } from '../domain/sandbox.ts';

/** Two seconds of grace beyond the worker's throttled heartbeat; a dead worker is noticed after five. */
const HEARTBEAT = '5s';
/** Activities are bounded by heartbeats and by limits of their own; this only ends what nobody could. */
const LONGEST = '24h';

const RETRY = { initialInterval: '500ms', backoffCoefficient: 2, maximumInterval: '30s' } as const;

type Queues = Pick<WorkflowLimits, 'separate_queues'>;

/** Where work on sandboxes goes that is not bound to a host. */
export function sandboxQueue({ separate_queues }: Queues): Pick<ActivityOptions, 'taskQueue'> {
  return separate_queues === true ? { taskQueue: sandboxesTaskQueue(workflowInfo().taskQueue) } : {};
}

/** Asks models; a cancellation does not wait for the provider. */
export function modelActivities(
  summary: string,
  { separate_queues }: Queues,
): Pick<Activities, 'think' | 'answerPrompts'> {
  return proxyActivities<Activities>({
    ...(separate_queues === true ? { taskQueue: modelsTaskQueue(workflowInfo().taskQueue) } : {}),
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

type RunActivity =
  | 'prepareInvestigation'
  | 'prepareAnalysis'
  | 'recordOutcome'
  | 'createSandbox'
  | 'rebuildSandbox'
  | 'locateSandbox'
  | 'callTool';

/** Work of the run itself, on any worker. */
export function runActivities(options: ActivityOptions = {}): Pick<Activities, RunActivity> {
  return proxyActivities<Activities>({
    startToCloseTimeout: LONGEST,
    heartbeatTimeout: HEARTBEAT,
    retry: RETRY,
    ...options,
  });
}

/** How long a host's queue may leave work lying before somebody asks whether the host is still there. */
const UNTAKEN = '30s';

export interface InSandbox {
  readonly execution: string;
  readonly taskQueue: string;
  readonly sandbox: SandboxName | undefined;
  /** A host that is gone is noticed where sandboxes are made again; else its work waits for it. */
  readonly limits: Queues & Pick<WorkflowLimits, 'rebuild'>;
}

/**
 * Work in a sandbox: on its host's own queue when it lives on one.
 *
 * @throws ApplicationFailure `Sandbox.Lost` when the host is gone
 */
export async function inSandbox<T>(
  { execution, taskQueue, sandbox, limits }: InSandbox,
  options: ActivityOptions,
  work: (activities: Pick<Activities, 'turn' | 'act' | 'closeAgent'>) => Promise<T>,
): Promise<T> {
  const host = sandbox === undefined ? undefined : parseHandle(sandbox).host;
  const activities = proxyActivities<Activities>({
    ...(host === undefined ? sandboxQueue(limits) : { taskQueue: hostTaskQueue(taskQueue, host) }),
    ...(host === undefined || limits.rebuild !== true ? {} : { scheduleToStartTimeout: UNTAKEN }),
    startToCloseTimeout: LONGEST,
    heartbeatTimeout: HEARTBEAT,
    cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
    retry: RETRY,
    ...options,
  });
  for (;;) {
    try {
      return await work(activities);
    } catch (error) {
      if (sandbox === undefined || !isUntaken(error)) throw error;
      const { locateSandbox } = runActivities({ summary: `look for the host ${host}` });
      if ((await locateSandbox({ execution, sandbox, taskQueue })) === 'there') continue;
      throw ApplicationFailure.nonRetryable(`The host ${host} is gone, and the sandbox with it.`, 'Sandbox.Lost');
    }
  }
}

function isUntaken(error: unknown): boolean {
  const cause = error instanceof ActivityFailure ? error.cause : undefined;
  return cause instanceof TimeoutFailure && cause.timeoutType === 'SCHEDULE_TO_START';
}
