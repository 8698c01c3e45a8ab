import type { Worker, WorkerOptions, WorkflowBundleOption } from '@temporalio/worker';
import { hostTaskQueue, modelsTaskQueue, sandboxesTaskQueue } from '../domain/ids.ts';
import { WORKER_OPTIONS, type Concurrency, type Queue } from './worker-options.ts';

export interface QueueWorkersInput {
  /** What all of them have in common. */
  readonly shared: Omit<WorkerOptions, 'taskQueue'>;
  readonly taskQueue: string;
  readonly host: string;
  readonly queues: readonly Queue[];
  readonly concurrency: Concurrency;
  /** Pollers come and go with the load, instead of being a fixed number. */
  readonly autoscaling: boolean;
  readonly workflowBundle: () => Promise<WorkflowBundleOption>;
  readonly create: (options: WorkerOptions) => Promise<Worker>;
}

type OwnOptions = Partial<WorkerOptions> & Pick<WorkerOptions, 'taskQueue'>;

/**
 * The workers of a process, one a queue: the shared one for workflows, this host's for its sandboxes, and the two that
 * runs with queues of their own for models and sandboxes use.
 */
export async function createQueueWorkers(input: QueueWorkersInput): Promise<Worker[]> {
  const { taskQueue, host, concurrency, create } = input;
  const { models = ALL, sandboxes = ALL, workflowTasks, modelsPerSecond: rate } = concurrency;
  const byQueue: Readonly<Record<Queue, () => Promise<OwnOptions>[]>> = {
    workflows: () => [workflows()],
    models: () => [idleWorker(modelsTaskQueue(taskQueue), models, rate)],
    sandboxes: () => [idleWorker(sandboxesTaskQueue(taskQueue), sandboxes), hostWorker()],
  };

  async function workflows(): Promise<OwnOptions> {
    return {
      taskQueue,
      workflowBundle: await input.workflowBundle(),
      ...(workflowTasks === undefined ? {} : { maxConcurrentWorkflowTaskExecutions: workflowTasks }),
      ...(input.autoscaling
        ? { workflowTaskPollerBehavior: autoscaling(100), activityTaskPollerBehavior: autoscaling(100) }
        : {}),
    };
  }

  /** Most runs leave these alone: a single poller stands there until there is more to do. */
  async function idleWorker(queue: string, limit: number, perSecond?: number): Promise<OwnOptions> {
    return {
      taskQueue: queue,
      maxConcurrentActivityTaskExecutions: limit,
      ...(perSecond === undefined ? {} : { maxTaskQueueActivitiesPerSecond: perSecond }),
      activityTaskPollerBehavior: autoscaling(Math.min(100, limit), 1),
    };
  }

  /** Work in this host's sandboxes, which are limited one by one, not by the activity. */
  async function hostWorker(): Promise<OwnOptions> {
    return {
      taskQueue: hostTaskQueue(taskQueue, host),
      ...(input.autoscaling ? { activityTaskPollerBehavior: autoscaling(100) } : {}),
    };
  }

  const options = await Promise.all(input.queues.flatMap((queue) => byQueue[queue]()));
  return Promise.all(options.map((own) => create({ ...input.shared, ...own })));
}

const ALL = WORKER_OPTIONS.maxConcurrentActivityTaskExecutions;

function autoscaling(maximum: number, initial = 5): NonNullable<WorkerOptions['activityTaskPollerBehavior']> {
  return { type: 'autoscaling', minimum: 1, initial, maximum };
}
