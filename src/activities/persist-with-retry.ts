import { setTimeout as delay } from 'node:timers/promises';
import { ApplicationFailure } from '@temporalio/activity';
import { TypedError } from '../domain/failures.ts';

/** Milliseconds for which a store that is away is waited for, and between two attempts. */
const MAX_WAIT_MS = 20_000;
const INTERVAL_MS = 500;

/**
 * Stores what was paid for. A store that is away is waited for with the answer in hand: asking again would be paid
 * again. After that the run pauses.
 */
export async function persistWithRetry<T>(store: () => Promise<T>, signal: AbortSignal): Promise<T> {
  const until = Date.now() + MAX_WAIT_MS;
  for (;;) {
    try {
      return await store();
    } catch (error) {
      if (!(error instanceof TypedError) || error.type !== 'Storage.Unavailable') throw error;
      if (Date.now() >= until) throw ApplicationFailure.nonRetryable(error.message, error.type);
      await delay(INTERVAL_MS, undefined, { signal });
    }
  }
}
