import {
  ChildWorkflowCancellationType,
  ParentClosePolicy,
  startChild,
  type ChildWorkflowHandle,
} from '@temporalio/workflow';
import type { AgentInput, AgentWorkflow } from '../domain/contract.ts';
import { startChildReplacing } from './start-child.ts';
import { createTellPaused, type TellPaused } from './tell-paused.ts';

/** An agent that has been started, for its parent. */
export interface StartedAgent {
  readonly handle: ChildWorkflowHandle<AgentWorkflow>;
  readonly tellPaused: TellPaused;
}

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
    readonly onStarted: (agent: StartedAgent) => void;
  },
): Promise<StartedAgent> {
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
  const agent = { handle, tellPaused: createTellPaused(handle) };
  onStarted(agent);
  // What was said while it was being started has not reached it.
  if (isPaused() !== paused) agent.tellPaused(paused ? undefined : {});
  return agent;
}
