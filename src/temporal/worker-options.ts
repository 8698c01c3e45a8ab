import type { WorkerOptions } from '@temporalio/worker';

/** Work that a process can take: workflows (and the activities beside them), model calls, sandboxes. */
export const QUEUES = ['workflows', 'models', 'sandboxes'] as const;
export type Queue = (typeof QUEUES)[number];

/** How much a process does at the same time. Absent: as much as comes. */
export interface Concurrency {
  /** Requests to models. */
  readonly models?: number | undefined;
  /**
   * Activities of the queue for models that begin in a second, over all of its workers: Temporal's own rate limit. For runs
   * whose `temporal.queues` is `separate`.
   */
  readonly modelsPerSecond?: number | undefined;
  /** Sandboxes that are being made or run code. */
  readonly sandboxes?: number | undefined;
  /** Workflow tasks; at least 2. */
  readonly workflowTasks?: number | undefined;
}

/**
 * Options of every worker. Pollers, cache and V8 contexts are left as the SDK has them: bench/temporal-floor.ts found
 * nothing better (contexts that are not reused cost twice the CPU, fewer or more pollers make no difference).
 */
export const WORKER_OPTIONS = {
  /** How long the workflow tasks of a worker that was killed wait for it. 10 s as it comes. */
  stickyQueueScheduleToStartTimeout: '1s',
  /** The answer to a heartbeat brings a cancellation: it reaches an activity within about this time. 60 s as it comes. */
  maxHeartbeatThrottleInterval: '1s',
  /** The same for activities without a heartbeat timeout. 30 s as it comes. */
  defaultHeartbeatThrottleInterval: '1s',
  /** Activities mostly wait, for a model or a sandbox: memory is their only cost. 100 as it comes. */
  maxConcurrentActivityTaskExecutions: 500,
} as const satisfies Partial<WorkerOptions>;
