import type { WorkerOptions } from '@temporalio/worker';

/**
 * Options of every worker; bench/temporal-floor measures them.
 */
export const WORKER_OPTIONS = {
  /** A worker that was killed still holds its sticky queue for this long; 10 s as it comes. */
  stickyQueueScheduleToStartTimeout: '1s',
  /** A cancellation reaches a running activity with the answer to a heartbeat, so within about this time. */
  maxHeartbeatThrottleInterval: '1s',
} as const satisfies Partial<WorkerOptions>;
