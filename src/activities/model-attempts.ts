import { activityInfo, ApplicationFailure, Context } from '@temporalio/activity';
import type { ModelConfig } from '../domain/config.ts';
import { FAILURES, TypedError } from '../domain/failures.ts';

/** Milliseconds until a worker that has the key may take a call from one that has none, and for how long it may. */
const KEYLESS_RETRY_MS = 100;
const KEYLESS_MS = 10_000;
/** Milliseconds before the second attempt of a call, doubled for each after it. */
const FIRST_RETRY_MS = 500;
const MAX_RETRY_MS = 30_000;
/** Added to a pause, at random: calls that were refused together do not return together. */
const JITTER = 0.25;
/** A longer wait is no rate limit that passes by itself: the run pauses and names it. */
const MAX_HINT_MS = 5 * 60_000;
/** Milliseconds in which another answer from the same provider shows that its limit passes. */
const PASSING_MS = 120_000;

/** Whether a fault of a model that may pass was met at the last of `model.max_attempts`. */
export function isExhausted(error: unknown, { max_attempts }: ModelConfig): error is TypedError {
  if (!(error instanceof TypedError) || !error.type.startsWith('Model.') || !FAILURES[error.type].retryable)
    return false;
  if (error.type === 'Model.KeyMissing') return timeTried() >= KEYLESS_MS;
  if (error.type === 'Model.RateLimited') {
    if ((error.retryAfterMs ?? 0) > MAX_HINT_MS) return true;
    if (isPassing(error)) return false;
  }
  return attemptsMade() >= max_attempts;
}

/** Whether others were answered while this call was refused: then its turn comes too. */
function isPassing({ answeredAt = 0 }: TypedError): boolean {
  return answeredAt > activityInfo().scheduledTimestampMs && Date.now() - answeredAt < PASSING_MS;
}

/** What is thrown instead of such a fault: of the same type, and not tried again by itself. */
export function exhausted(
  { type, message, retryAfterMs }: TypedError,
  { max_attempts }: ModelConfig,
): ApplicationFailure {
  if (type === 'Model.KeyMissing') {
    const { hosts } = keylessAttempts();
    return ApplicationFailure.nonRetryable(`${message} Workers without it that were asked: ${hosts.join(', ')}.`, type);
  }
  if ((retryAfterMs ?? 0) > MAX_HINT_MS) {
    const minutes = Math.ceil((retryAfterMs ?? 0) / 60_000);
    return ApplicationFailure.nonRetryable(`${message} The provider asks to wait ${minutes} minutes.`, type);
  }
  const times = max_attempts === 1 ? 'once' : `${max_attempts} times`;
  return ApplicationFailure.nonRetryable(`${message} It was asked ${times} (model.max_attempts).`, type);
}

/** Milliseconds until the next attempt; undefined where Temporal decides. What a provider asks for is the least. */
export function retryDelay({ type, retryAfterMs }: TypedError): number | undefined {
  if (type === 'Model.KeyMissing') return KEYLESS_RETRY_MS;
  if (type !== 'Model.RateLimited' && type !== 'Model.Unavailable') return retryAfterMs;
  const backOff = Math.min(FIRST_RETRY_MS * 2 ** (attemptsMade() - 1), MAX_RETRY_MS);
  return Math.round(Math.max(retryAfterMs ?? 0, backOff) * (1 + Math.random() * JITTER));
}

/** Attempts that were no attempts: made by workers that have no key. They travel as heartbeat details. */
interface KeylessAttempts {
  readonly hosts: readonly string[];
  readonly attempts: number;
}

/** To be called before the failure of an attempt without a key is thrown. */
export function noteKeyMissing(error: unknown, host: string): void {
  if (!(error instanceof TypedError) || error.type !== 'Model.KeyMissing') return;
  const { hosts, attempts } = keylessAttempts();
  const details: KeylessAttempts = { hosts: [...new Set([...hosts, host])], attempts: attempts + 1 };
  Context.current().heartbeat(details);
}

function keylessAttempts(): KeylessAttempts {
  const details = activityInfo().heartbeatDetails as Partial<KeylessAttempts> | undefined;
  return { hosts: details?.hosts ?? [], attempts: details?.attempts ?? 0 };
}

function attemptsMade(): number {
  return Math.max(1, activityInfo().attempt - keylessAttempts().attempts);
}

/** Milliseconds from the first attempt's schedule to this one's, by the server's clock. */
function timeTried(): number {
  const { scheduledTimestampMs, currentAttemptScheduledTimestampMs } = activityInfo();
  return currentAttemptScheduledTimestampMs - scheduledTimestampMs;
}
