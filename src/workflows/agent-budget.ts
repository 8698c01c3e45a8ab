import { CancellationScope, condition, uuid4, workflowInfo } from '@temporalio/workflow';
import { NOTHING, type BudgetGrant } from '../domain/budget.ts';
import { budgetWorkflowId } from '../domain/ids.ts';
import { grantedSignal } from '../domain/messages.ts';
import { createBudgetClient, type BudgetClient } from './budget-client.ts';
import { reserveMessage, settleMessage } from './budget.ts';
import { deliver } from './deliver.ts';
import { onSignal, type IgnoredMessages } from './messages.ts';
import { createPaidCalls, type PaidCalls } from './paid-calls.ts';

/** All that an agent does with its run's budget. */
export type AgentBudget = Omit<BudgetClient, 'receive'> & PaidCalls;

/**
 * The budget of the run that this workflow is an agent of. Sets the handler of the signal `granted`.
 *
 * @param limited whether the run has a `max_cost`
 */
export function connectToBudget(run: string, limited: boolean, ignored: IgnoredMessages): AgentBudget {
  const budgetId = budgetWorkflowId(run);
  const client = createBudgetClient(workflowInfo().workflowId, {
    reserve: (request) => deliver(budgetId, reserveMessage, [request]),
    settle: (settlement) => deliver(budgetId, settleMessage, [settlement]),
    async until(done, milliseconds) {
      if (milliseconds !== undefined) return condition(done, milliseconds);
      await condition(done);
      return true;
    },
    detached: (work) => CancellationScope.nonCancellable(work),
    // The seed of random numbers is another after a reset.
    nonce: () => uuid4().slice(0, 8),
  });
  onSignal<BudgetGrant>(grantedSignal, ignored, {
    description: 'From the budget: what a request has been granted',
    apply: (grant) => client.receive({ ...NOTHING, ...grant }),
  });
  return { ...client, ...createPaidCalls(client, limited) };
}
