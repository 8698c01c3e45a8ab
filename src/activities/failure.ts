import { activityInfo, ApplicationFailure, CancelledFailure } from '@temporalio/activity';
import { FAILURES, TypedError } from '../domain/failures.ts';
import { truncate } from '../domain/truncate.ts';
import { retryDelay } from './model-attempts.ts';

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

/** Attempts in which a blob store may come back: about a quarter of a minute. */
const STORAGE_ATTEMPTS = 6;

/** A blob store that stays away is a person's to mend: its failure is then no longer retried, and pauses the run. */
export function limitStorageRetries<Input, Result>(
  activity: (input: Input) => Promise<Result>,
): (input: Input) => Promise<Result> {
  return async (input) => {
    try {
      return await activity(input);
    } catch (error) {
      const isAway = error instanceof TypedError && error.type === 'Storage.Unavailable';
      if (!isAway || activityInfo().attempt < STORAGE_ATTEMPTS) throw error;
      throw ApplicationFailure.nonRetryable(error.message, error.type);
    }
  };
}

/** Attempts in which the worker that holds a run's grant may take it up: about eight seconds. */
const GRANT_ATTEMPTS = 5;

/** A run that this worker does not allow is given to others for a moment, where one of them may have its grant. */
export function withChanceElsewhere<Input, Result>(
  activity: (input: Input) => Promise<Result>,
): (input: Input) => Promise<Result> {
  return async (input) => {
    try {
      return await activity(input);
    } catch (error) {
      const isElsewhere = error instanceof TypedError && error.type === 'Worker.NotAllowed';
      if (!isElsewhere || activityInfo().attempt < GRANT_ATTEMPTS) throw error;
      throw new TypedError('Input.NotAllowed', error.message, { cause: error });
    }
  };
}

/** Of what went wrong: providers may answer with whole pages, and histories keep each. */
const MAX_MESSAGE_CHARACTERS = 4000;

function toFailure(error: unknown): unknown {
  if (!(error instanceof TypedError)) {
    return error instanceof Error && error.name === 'AbortError' ? new CancelledFailure('cancelled') : error;
  }
  const delay = retryDelay(error);
  return ApplicationFailure.create({
    type: error.type,
    message: truncate(error.message, MAX_MESSAGE_CHARACTERS),
    nonRetryable: !FAILURES[error.type].retryable,
    ...(delay === undefined ? {} : { nextRetryDelay: delay }),
    ...(error.cause instanceof Error ? { cause: error.cause } : {}),
  });
}
