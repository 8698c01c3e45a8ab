import { activityInfo, ApplicationFailure } from '@temporalio/activity';
import type { ModelConfig } from '../domain/config.ts';
import { FAILURES, TypedError } from '../domain/failures.ts';

/** Whether a fault of a model that may pass was met at the last of `model.max_attempts`. */
export function isExhausted(error: unknown, { max_attempts }: ModelConfig): error is TypedError {
  if (!(error instanceof TypedError) || !error.type.startsWith('Model.') || !FAILURES[error.type].retryable)
    return false;
  return activityInfo().attempt >= max_attempts;
}

/** What is thrown instead of such a fault: of the same type, and not tried again by itself. */
export function exhausted({ type, message }: TypedError, { max_attempts }: ModelConfig): ApplicationFailure {
  const times = max_attempts === 1 ? 'once' : `${max_attempts} times`;
  return ApplicationFailure.nonRetryable(`${message} It was asked ${times} (model.max_attempts).`, type);
}
