import {
  ChildWorkflowCancellationType,
  ParentClosePolicy,
  startChild,
  type ChildWorkflowHandle,
} from '@temporalio/workflow';
import type { AgentInput, AgentWorkflow } from '../domain/contract.ts';
import { pauseMessage, resumeMessage } from '../domain/messages.ts';
import { startChildReplacing } from './start-child.ts';

export type AgentHandle = ChildWorkflowHandle<AgentWorkflow>;

/**
 * Starts the workflow of an agent, the root or a sub-agent: paused where its run is.
 *
 * @param options.onStarted is called before anything else can happen: from then on the agent is told what the run is told
 */
export async function startAgent(
  workflowId: string,
  input: AgentInput,
  options: {
    readonly summary: string | undefined;
    readonly isPaused: () => boolean;
    readonly onStarted: (handle: AgentHandle) => void;
  },
): Promise<AgentHandle> {
  const { summary, isPaused, onStarted } = options;
  const paused = isPaused();
  const handle = await startChildReplacing(workflowId, () =>
    startChild<AgentWorkflow>('agent', {
      workflowId,
      args: [{ ...input, ...(paused ? { paused } : {}) }],
      parentClosePolicy: ParentClosePolicy.REQUEST_CANCEL,
      cancellationType: ChildWorkflowCancellationType.WAIT_CANCELLATION_COMPLETED,
      ...(summary === undefined ? {} : { staticSummary: summary }),
    }),
  );
  onStarted(handle);
  // What was said while it was being started has not reached it.
  if (isPaused() !== paused) tellPaused(handle, !paused);
  return handle;
}

export function tellPaused(handle: AgentHandle, paused: boolean): void {
  handle.signal(paused ? pauseMessage : resumeMessage).catch(() => undefined); // It may just have ended.
}
