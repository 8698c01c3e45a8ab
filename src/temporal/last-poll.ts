import type { Client } from '@temporalio/client';

/** `TASK_QUEUE_TYPE_ACTIVITY` of the API. */
const ACTIVITIES = 2;

/**
 * Returns when a worker last polled a task queue for activities, in milliseconds since the epoch; undefined when none
 * did for the five minutes that the server remembers.
 */
export function lastPollOf(client: Client): (taskQueue: string) => Promise<number | undefined> {
  return async (taskQueue) => {
    const { pollers } = await client.workflowService.describeTaskQueue({
      namespace: client.options.namespace,
      taskQueue: { name: taskQueue },
      taskQueueType: ACTIVITIES,
    });
    const times = pollers.map(({ lastAccessTime }) =>
      lastAccessTime === null || lastAccessTime === undefined ? 0 : Number(lastAccessTime.seconds) * 1000,
    );
    return times.length === 0 ? undefined : Math.max(...times);
  };
}
