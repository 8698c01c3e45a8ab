import { ActivityFailure, ApplicationFailure, ChildWorkflowFailure, isCancellation } from '@temporalio/workflow';
import type { FailureType } from '../domain/failures.ts';

/** The failure of a workflow, or of a message to it: another attempt would not help. */
export function typedFailure(type: FailureType, message: string): ApplicationFailure {
  return ApplicationFailure.nonRetryable(message, type);
}

/** The dotted type of a failure (`Model.Refused`), however deep it is wrapped; undefined without one. */
export function failureType(error: unknown): string | undefined {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if (cause instanceof ApplicationFailure) return cause.type ?? undefined;
  }
  return undefined;
}

export function isFailure(error: unknown, type: FailureType): boolean {
  return failureType(error) === type;
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

/** Throws what an activity failed with: who awaits the workflow, or its update, sees what to fix, not that an activity failed. */
export function failPlainly(error: unknown): never {
  const type = failureType(error);
  throw type === undefined || isCancellation(error)
    ? error
    : ApplicationFailure.nonRetryable(failureMessage(error), type);
}
