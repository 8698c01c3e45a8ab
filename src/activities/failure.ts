import { ApplicationFailure, CancelledFailure } from '@temporalio/activity';
import { FAILURES, TypedError } from '../domain/failures.ts';

type Activity = (input: never) => Promise<unknown>;

/** Turns typed errors into ApplicationFailures of the same type, where every activity ends. */
export function withTypedFailures<T extends Record<string, Activity>>(activities: T): T {
  const wrapped = Object.entries(activities).map(([name, activity]) => [
    name,
    async (input: never) => {
      try {
        return await activity(input);
      } catch (error) {
        throw toFailure(error);
      }
    },
  ]);
  return Object.fromEntries(wrapped) as T;
}

function toFailure(error: unknown): unknown {
  if (!(error instanceof TypedError)) {
    return error instanceof Error && error.name === 'AbortError' ? new CancelledFailure('cancelled') : error;
  }
  return ApplicationFailure.create({
    type: error.type,
    message: error.message,
    nonRetryable: !FAILURES[error.type].retryable,
    ...(error.retryAfterMs === undefined ? {} : { nextRetryDelay: error.retryAfterMs }),
    ...(error.cause instanceof Error ? { cause: error.cause } : {}),
  });
}
