import { setTimeout as delay } from 'node:timers/promises';
import { errorMessage } from '../../domain/error-message.ts';
import { TypedError } from '../../domain/failures.ts';

/** How long a piece of work may take, and who may end it. */
export interface Deadline {
  /** Of `performance.now()`: nothing is begun after it. */
  readonly deadline: number;
  readonly signal?: AbortSignal | undefined;
}

export interface Call<T> {
  /** What it does, for messages: `create the sandbox`. */
  readonly what: string;
  readonly work: () => Promise<T>;
  /** Milliseconds of one attempt. */
  readonly limitMs: number;
}

const FIRST_PAUSE_MS = 250;
const MAX_PAUSE_MS = 10_000;
/** What another side asks us to wait is believed up to this. */
const MAX_RETRY_AFTER_MS = 60_000;

export function deadlineIn(milliseconds: number, signal?: AbortSignal): Deadline {
  return { deadline: performance.now() + milliseconds, signal };
}

/** The time was over; `cause` is the last failure. */
export class DaytonaTimeoutError extends Error {}

/**
 * Does a call that can be repeated, again and again while what fails may pass (429, 5xx, no answer, no connection).
 *
 * @throws what cannot pass, as it is; `DaytonaTimeoutError`; the signal's reason.
 */
export async function retryUntil<T>(call: Call<T>, until: Deadline): Promise<T> {
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await withinLimit(call, until);
    } catch (error) {
      until.signal?.throwIfAborted();
      if (!isTransient(error)) throw error;
      await pauseBeforeRetry(call.what, error, attempt, until);
    }
  }
}

/** Waits before the next attempt, as long as the other side asked for. @throws `DaytonaTimeoutError` where there is no time. */
export async function pauseBeforeRetry(what: string, error: unknown, attempt: number, until: Deadline): Promise<void> {
  const pause = retryAfterMs(error) ?? backoffMs(attempt);
  if (performance.now() + pause >= until.deadline) {
    throw new DaytonaTimeoutError(`Daytona did not ${what} in time: ${describeError(error)}`, { cause: error });
  }
  await sleep(pause, until.signal);
}

export function backoffMs(attempt: number, longest = MAX_PAUSE_MS): number {
  return Math.min(longest, FIRST_PAUSE_MS * 2 ** attempt) * (0.75 + Math.random() / 2);
}

export async function sleep(milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
  try {
    await delay(milliseconds, undefined, signal === undefined ? {} : { signal });
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  }
}

/** One attempt, ended by its limit, the deadline or the signal: the SDK's calls cannot be, they are left to themselves. */
export async function withinLimit<T>({ what, work, limitMs }: Call<T>, until: Deadline): Promise<T> {
  until.signal?.throwIfAborted();
  const left = Math.min(limitMs, until.deadline - performance.now());
  if (left <= 0) throw new DaytonaTimeoutError(`Daytona did not ${what} in time.`);
  const { promise: ended, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error(`no answer within ${Math.ceil(left / 1000)} s`)), left);
  const abort = (): void => reject(until.signal?.reason);
  until.signal?.addEventListener('abort', abort, { once: true });
  try {
    const working = work();
    working.catch(() => undefined);
    return await Promise.race([working, ended]);
  } finally {
    clearTimeout(timer);
    until.signal?.removeEventListener('abort', abort);
  }
}

/** The HTTP status an error of the SDK came with; undefined where there was no answer. */
export function statusOf(error: unknown): number | undefined {
  if (!(error instanceof Error) || !('statusCode' in error)) return undefined;
  return typeof error.statusCode === 'number' ? error.statusCode : undefined;
}

/** Whether the same call may go well later. No answer at all is such a case. */
export function isTransient(error: unknown): boolean {
  if (error instanceof TypedError || error instanceof DaytonaTimeoutError) return false;
  // What the SDK itself refuses has no status either.
  if (error instanceof Error && error.name.includes('InvalidArgument')) return false;
  const status = statusOf(error);
  return status === undefined || status === 408 || status === 429 || status >= 500;
}

/** What the other side asked us to wait: `Retry-After`, or Daytona's `Retry-After-Sandbox-Create` and the like. */
export function retryAfterMs(error: unknown): number | undefined {
  if (!(error instanceof Error) || !('headers' in error)) return undefined;
  return retryAfterOf(error.headers);
}

function retryAfterOf(headers: unknown): number | undefined {
  if (typeof headers !== 'object' || headers === null) return undefined;
  const waits = Object.entries(headers)
    .filter(([name]) => name.toLowerCase().startsWith('retry-after'))
    .map(([, value]) => waitMs(String(value)))
    .filter((wait) => wait !== undefined);
  return waits.length === 0 ? undefined : Math.min(MAX_RETRY_AFTER_MS, Math.max(...waits));
}

function waitMs(value: string): number | undefined {
  const seconds = Number(value);
  if (Number.isFinite(seconds)) return Math.max(0, seconds * 1000);
  const date = Date.parse(value);
  return Number.isNaN(date) ? undefined : Math.max(0, date - Date.now());
}

export function describeError(error: unknown): string {
  const status = statusOf(error);
  const message = errorMessage(error);
  return status === undefined ? message : `${message} (${status})`;
}
