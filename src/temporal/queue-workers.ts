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

/**
 * The workers of a process, one a queue: the shared one for workflows, this host's for its sandboxes, and the two that
 * runs with queues of their own for models and sandboxes use.
 */
export async function createQueueWorkers(input: QueueWorkersInput): Promise<Worker[]> {
  const { taskQueue, host, concurrency, create } = input;
  const { models = ALL, sandboxes = ALL, workflowTasks } = concurrency;
  const byQueue: Readonly<Record<Queue, () => Promise<Partial<WorkerOptions> & { taskQueue: string }>[]>> = {
    workflows: () => [workflows()],
    models: () => [activities(modelsTaskQueue(taskQueue), models)],
    // On this host's own queue agents also think: there sandboxes are limited one by one, not by the activity.
    sandboxes: () => [
      activities(sandboxesTaskQueue(taskQueue), sandboxes),
      activities(hostTaskQueue(taskQueue, host), ALL),
    ],
  };

  async function workflows(): Promise<Partial<WorkerOptions> & { taskQueue: string }> {
    return {
      taskQueue,
      workflowBundle: await input.workflowBundle(),
      ...(workflowTasks === undefined ? {} : { maxConcurrentWorkflowTaskExecutions: workflowTasks }),
      ...(input.autoscaling
        ? { workflowTaskPollerBehavior: autoscaling(100), activityTaskPollerBehavior: autoscaling(100) }
        : {}),
    };
  }

  async function activities(queue: string, limit: number): Promise<Partial<WorkerOptions> & { taskQueue: string }> {
    return {
      taskQueue: queue,
      maxConcurrentActivityTaskExecutions: limit,
      ...(input.autoscaling ? { activityTaskPollerBehavior: autoscaling(Math.min(100, limit)) } : {}),
    };
  }

  const options = await Promise.all(input.queues.flatMap((queue) => byQueue[queue]()));
  return Promise.all(options.map((own) => create({ ...input.shared, ...own })));
}

const ALL = WORKER_OPTIONS.maxConcurrentActivityTaskExecutions;

function autoscaling(maximum: number): NonNullable<WorkerOptions['activityTaskPollerBehavior']> {
  return { type: 'autoscaling', minimum: 1, initial: Math.min(5, maximum), maximum };
}
