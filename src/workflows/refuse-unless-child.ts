import { workflowInfo } from '@temporalio/workflow';
import { agentWorkflowId, parentAgent, splitAgentWorkflowId } from '../domain/ids.ts';
import { typedFailure } from './failure.ts';

/**
 * Agents and budgets are started by the workflow whose id theirs begins with: the run, or the agent above. Anybody who reaches
 * Temporal can start one under any id, also before its run does; it would have their limits, not the run's.
 *
 * @throws ApplicationFailure `Input.NotAllowed`
 */
export function refuseUnlessChild(): void {
  const { workflowId, workflowType, parent } = workflowInfo();
  const { run, agent } = splitAgentWorkflowId(workflowId);
  const above = parentAgent(agent);
  if (parent?.workflowId === (above === undefined ? run : agentWorkflowId(run, above))) return;
  throw typedFailure(
    'Input.NotAllowed',
    `A workflow of type ${workflowType} is started by its run only: start investigate or analyze.`,
  );
}
