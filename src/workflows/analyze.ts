import { setWorkflowOptions } from '@temporalio/workflow';
import type { AnalyzeInput } from '../domain/contract.ts';
import type { RunOutcome } from '../domain/records.ts';
import { runActivities } from './activities.ts';
import { checkStart } from './check-start.ts';
import { superviseRun } from './supervise-run.ts';

setWorkflowOptions({ failureExceptionTypes: [Error] }, analyze);
/** A run on a typed signature; its result is the signature's output fields. */
export async function analyze(input: AnalyzeInput): Promise<RunOutcome> {
  const given = checkStart('analyze', input);
  return superviseRun({
    type: 'analyze',
    input: given,
    prepare: (of) => runActivities({ summary: 'read signature and inputs' }).prepareAnalysis({ ...of, input: given }),
  });
}
