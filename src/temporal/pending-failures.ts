import type { Client } from '@temporalio/client';

/** An activity that has failed and is being retried. */
interface RetriedActivity {
  readonly workflowId: string;
  readonly attempt: number;
  readonly message: string;
}

/** Activities of workflows that have failed and are being retried, such as calls of a model that cannot be reached. */
export function pendingFailuresOf(client: Client): (workflowIds: readonly string[]) => Promise<RetriedActivity[]> {
  return async (workflowIds) => {
    const found = await Promise.all(workflowIds.map((workflowId) => ofWorkflow(client, workflowId)));
    return found.flat();
  };
}

async function ofWorkflow(client: Client, workflowId: string): Promise<RetriedActivity[]> {
  const description = await client.workflow
    .getHandle(workflowId)
    .describe()
    .catch(() => undefined);
  return (description?.raw.pendingActivities ?? []).flatMap(({ attempt, lastFailure }) => {
    const message = lastFailure?.message ?? '';
    return message === '' ? [] : [{ workflowId, attempt: attempt ?? 1, message }];
  });
}
