import { setWorkflowOptions } from '@temporalio/workflow';
import type { InvestigateInput, PreparedRun, SkippedRun } from '../domain/contract.ts';
import type { RunOutcome } from '../domain/records.ts';
import { onHost, runActivities } from './activities.ts';
import { checkStart } from './check-start.ts';
import { superviseRun } from './supervise-run.ts';

setWorkflowOptions({ failureExceptionTypes: [Error] }, investigate);
/** A run on a git repository; its result is an answer and a patch. */
export async function investigate(input: InvestigateInput): Promise<RunOutcome> {
  const given = checkStart('investigate', input);
  return superviseRun({
    type: 'investigate',
    input: given,
    prepare(of, onWaiting) {
      const { host } = given;
      const options = { summary: 'resolve the repository' };
      const prepareOn = ({
        prepareInvestigation,
      }: ReturnType<typeof runActivities>): Promise<PreparedRun | SkippedRun> =>
        prepareInvestigation({ ...of, input: given });
      if (host === undefined || host === '') return prepareOn(runActivities(options));
      // A folder can be read on its host only.
      return onHost(host, options, prepareOn, () => onWaiting(waitsForHost(host)));
    },
  });
}

function waitsForHost(host: string): string {
  return (
    `it waits for a worker on host ${host}, where its folder is: none has taken it. ` +
    'Type rlm up there, or rlm worker; each prints the name of its host'
  );
}
