import { getExternalWorkflowHandle, isCancellation, type SignalDefinition } from '@temporalio/workflow';

/**
 * Sends a signal to a workflow.
 *
 * @returns false where it has ended, or does not exist
 * @throws CancelledFailure where the sender is cancelled meanwhile
 */
export async function deliver<Args extends unknown[]>(
  workflowId: string,
  signal: SignalDefinition<Args>,
  args: Args,
): Promise<boolean> {
  try {
    await getExternalWorkflowHandle(workflowId).signal(signal, ...args);
    return true;
  } catch (error) {
    if (isCancellation(error)) throw error;
    return false;
  }
}
