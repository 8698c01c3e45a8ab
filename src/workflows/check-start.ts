import { workflowInfo } from '@temporalio/workflow';
import { inputProblem } from '../domain/check-input.ts';
import { typedFailure } from './failure.ts';

/**
 * Refuses a run whose start cannot be right, before anything is done.
 *
 * @returns the input without the fields that are null, which are left out
 * @throws ApplicationFailure `Input.Invalid`
 */
export function checkStart<Input extends object>(type: 'investigate' | 'analyze', input: Input): Input {
  const { cronSchedule } = workflowInfo();
  const problem =
    cronSchedule === undefined || cronSchedule === ''
      ? inputProblem(type, input)
      : 'A run cannot have a cron schedule: its occurrences would share one id and its data. Use a schedule instead: ' +
        'rlm schedule create, or temporal schedule create.';
  if (problem !== undefined) throw typedFailure('Input.Invalid', problem);
  return Object.fromEntries(Object.entries(input).filter(([, value]) => value !== null)) as Input;
}
