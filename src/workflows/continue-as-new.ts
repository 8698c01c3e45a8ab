import { allHandlersFinished, condition, continueAsNew, workflowInfo } from '@temporalio/workflow';
import type { AgentWorkflow } from '../domain/contract.ts';
import type { CallAnswer } from '../domain/records.ts';
import type { Agent } from './agent-parts.ts';

/** Whether the agent's history has become so long that Temporal suggests to begin a new one. */
export function isContinueAsNewSuggested({ state }: Pick<Agent, 'state'>): boolean {
  return state.head !== undefined && workflowInfo().continueAsNewSuggested;
}

/**
 * The same agent with an empty history. Only where no child works, no call is open and no request is outstanding.
 *
 * @param undelivered - in the middle of a block: answers that it has not been given
 */
export async function continueAgentAsNew(self: Agent, undelivered?: readonly CallAnswer[]): Promise<never> {
  const { input, state, budget, gate, sandbox, steering, subAgents } = self;
  await budget.idle();
  await condition(allHandlersFinished);
  const { head, iteration, usage } = state;
  return continueAsNew<AgentWorkflow>({
    ...input,
    paused: gate.closed,
    state: {
      ...(head === undefined ? {} : { head }),
      iteration,
      usage,
      ...(sandbox.current === undefined ? {} : { sandbox: sandbox.current }),
      sandboxes: sandbox.created,
      started: subAgents.started,
      totals: subAgents.totals,
      ...(steering.pending.length === 0 ? {} : { steer: steering.pending }),
      ...(undelivered === undefined ? {} : { undelivered }),
    },
  });
}
