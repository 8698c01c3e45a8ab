import { activityInfo } from '@temporalio/activity';
import type { BudgetMessage } from '../domain/messages.ts';
import type { ActivityDependencies } from './dependencies.ts';

/** For the workflow of a run, and for that of its budget. @throws TypedError `Worker.NotAllowed` */
export async function admitBudget(deps: ActivityDependencies, message: BudgetMessage): Promise<void> {
  const [run = ''] = (activityInfo().workflowExecution?.workflowId ?? '').split('/');
  await deps.admission.admitBudget(run, message);
}
