import { CancellationScope, getExternalWorkflowHandle, sleep, TemporalFailure } from '@temporalio/workflow';

/** Milliseconds between attempts while the id is taken: doubled up to the longest. All together about 80 seconds. */
const FIRST_PAUSE_MS = 250;
const MAX_PAUSE_MS = 5000;
const MAX_ATTEMPTS = 20;

/**
 * Starts a child whose id may still be taken: by one of an earlier execution of the same run that was ended a moment
 * ago. That one is cancelled and its end waited for.
 *
 * @param cancel workflows of the earlier execution that are cancelled with it
 */
export async function startChildReplacing<Handle>(
  workflowId: string,
  start: () => Promise<Handle>,
  { cancel = [] }: { readonly cancel?: readonly string[] } = {},
): Promise<Handle> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await start();
    } catch (error) {
      if (!isTaken(error) || attempt === MAX_ATTEMPTS) throw error;
      if (attempt === 1) {
        const taken = [workflowId, ...cancel].map((id) => getExternalWorkflowHandle(id).cancel());
        await Promise.allSettled(taken); // One may just have ended.
      }
      await sleep(Math.min(MAX_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (attempt - 1)));
    }
  }
}

/**
 * A cancellation of the scope is sent to the execution that was started; one that has continued as new since does not
 * hear of it, so it is sent by the child's name as well.
 */
export async function cancelledByName<T>(workflowId: string, result: Promise<T>): Promise<T> {
  const scope = CancellationScope.current();
  let ended = false;
  scope.cancelRequested.catch(() => {
    if (ended) return;
    CancellationScope.nonCancellable(() => getExternalWorkflowHandle(workflowId).cancel()).catch(() => undefined);
  });
  try {
    return await result;
  } finally {
    ended = true;
  }
}

function isTaken(error: unknown): boolean {
  return error instanceof TemporalFailure && error.name === 'WorkflowExecutionAlreadyStartedError';
}
