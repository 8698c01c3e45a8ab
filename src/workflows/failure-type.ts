import { ActivityFailure, ApplicationFailure, ChildWorkflowFailure } from '@temporalio/workflow';

/** The dotted type of a failure (`Model.Refused`), however deep it is wrapped; undefined without one. */
export function failureType(error: unknown): string | undefined {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if (cause instanceof ApplicationFailure) return cause.type ?? undefined;
  }
  return undefined;
}

/** The message a person can act on: the innermost one. */
export function failureMessage(error: unknown): string {
  let message = String(error);
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if (cause.message !== '' && !(cause instanceof ActivityFailure) && !(cause instanceof ChildWorkflowFailure))
      return cause.message;
    message = cause.message;
  }
  return message;
}
