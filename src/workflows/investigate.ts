import { setWorkflowOptions } from '@temporalio/workflow';
import type { InvestigateInput } from '../domain/contract.ts';
import type { RunOutcome } from '../domain/records.ts';
import { runActivities } from './activities.ts';
import { checkStart } from './check-start.ts';
import { superviseRun } from './supervise-run.ts';

setWorkflowOptions({ failureExceptionTypes: [Error] }, investigate);
/** A run on a git repository; its result is an answer and a patch. */
export async function investigate(input: InvestigateInput): Promise<RunOutcome> {
  const given = checkStart('investigate', input);
  return superviseRun({
    type: 'investigate',
    from: input.from,
    prepare: ({ run, execution }) =>
      runActivities({ summary: 'resolve the repository' }).prepareInvestigation({ run, execution, input: given }),
  });
}
