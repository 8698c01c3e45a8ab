import { setWorkflowOptions, workflowInfo } from '@temporalio/workflow';
import type { InvestigateInput } from '../domain/contract.ts';
import { hostTaskQueue } from '../domain/ids.ts';
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
    input: given,
    from: input.from,
    prepare: (of) =>
      runActivities({ summary: 'resolve the repository', ...onHost(input) }).prepareInvestigation({
        ...of,
        input: given,
      }),
  });
}

/** A folder can be read on its host only. */
function onHost({ host }: Partial<InvestigateInput> = {}): { readonly taskQueue?: string } {
  return typeof host === 'string' && host !== '' ? { taskQueue: hostTaskQueue(workflowInfo().taskQueue, host) } : {};
}
