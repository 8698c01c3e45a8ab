import { setWorkflowOptions, workflowInfo } from '@temporalio/workflow';
import { nearestName } from '../domain/nearest-name.ts';
import { typedFailure } from './failure.ts';

const TYPES = ['investigate', 'analyze', 'batch'];

setWorkflowOptions({ failureExceptionTypes: [Error] }, unknownWorkflow);
/** Stands for every type that there is not: a run that somebody starts by hand, misspelt, would else wait for ever. */
export default async function unknownWorkflow(): Promise<never> {
  const { workflowType } = workflowInfo();
  const nearest = nearestName(workflowType, TYPES);
  const advice = nearest === undefined ? `The types of runs are ${TYPES.join(', ')}.` : `Did you mean ${nearest}?`;
  throw typedFailure('Input.Invalid', `There is no workflow type "${workflowType.slice(0, 80)}". ${advice}`);
}
