import {
  CancellationScope,
  ChildWorkflowCancellationType,
  ParentClosePolicy,
  startChild,
  type ChildWorkflowHandle,
} from '@temporalio/workflow';
import { budgetLimits } from '../domain/budget.ts';
import type { PreparedRun } from '../domain/contract.ts';
import { agentWorkflowId, budgetWorkflowId, ROOT_AGENT } from '../domain/ids.ts';
import type { budget, BudgetReport } from './budget.ts';
import { cancelledByName, startChildReplacing } from './start-child.ts';

/** The budget of a run, for the run. */
export interface RunBudget {
  /** Also when somebody ended it by hand. */
  readonly ended: boolean;
  /** Ends it, and waits for that. Undefined where it could not say what was used. */
  end(): Promise<BudgetReport | undefined>;
}

/** To be started before the agents, which may ask it at once. It lives until they have ended, also while they are cancelled. */
export async function startBudget(run: string, { limits, ceilings }: PreparedRun): Promise<RunBudget> {
  const workflowId = budgetWorkflowId(run);
  const scope = new CancellationScope({ cancellable: false });
  const start = (): Promise<ChildWorkflowHandle<typeof budget>> =>
    startChild<typeof budget>('budget', {
      workflowId,
      args: [{ limits: budgetLimits(limits), ceilings: budgetLimits(ceilings) }],
      parentClosePolicy: ParentClosePolicy.REQUEST_CANCEL,
      cancellationType: ChildWorkflowCancellationType.WAIT_CANCELLATION_COMPLETED,
      staticSummary: 'what the run may still spend',
    });
  const handle = await scope.run(() =>
    startChildReplacing(workflowId, start, { cancel: [agentWorkflowId(run, ROOT_AGENT)] }),
  );
  let ended = false;
  const result = scope
    .run(() => cancelledByName(workflowId, handle.result()))
    .catch(() => undefined)
    .finally(() => (ended = true));
  return {
    get ended() {
      return ended;
    },
    async end() {
      scope.cancel();
      return CancellationScope.nonCancellable(() => result);
    },
  };
}
