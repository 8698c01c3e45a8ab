import type { Client } from '@temporalio/client';

/** How many activities each worker process has done in a run, by its pid, from the histories of all its workflows. */
export async function activitiesByWorker(client: Client, run: string): Promise<ReadonlyMap<number, number>> {
  const counts = new Map<number, number>();
  const ids = [run];
  for await (const { workflowId } of client.workflow.list({ query: `WorkflowId STARTS_WITH '${run}/'` }))
    ids.push(workflowId);
  for (const id of new Set(ids)) {
    const { events } = await client.workflow.getHandle(id).fetchHistory();
    for (const { activityTaskStartedEventAttributes: started } of events ?? []) {
      // As the SDK names its workers: pid@host.
      const pid = Number.parseInt(started?.identity ?? '', 10);
      if (!Number.isNaN(pid)) counts.set(pid, (counts.get(pid) ?? 0) + 1);
    }
  }
  return counts;
}
