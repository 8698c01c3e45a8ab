import { setWorkflowOptions } from '@temporalio/workflow';
import type { InvestigateInput } from '../domain/contract.ts';
import type { RunOutcome } from '../domain/records.ts';
import { runActivities } from './activities.ts';
import { superviseRun } from './supervise-run.ts';

setWorkflowOptions({ failureExceptionTypes: [Error] }, investigate);
/** A run on a git repository; its result is an answer and a patch. */
export async function investigate(input: InvestigateInput): Promise<RunOutcome> {
  return superviseRun({
    prepare: ({ run, execution }) =>
      runActivities({ summary: 'resolve the repository' }).prepareInvestigation({ run, execution, input }),
    cancelled: 'the run was cancelled while its repository was being looked up',
  });
}
