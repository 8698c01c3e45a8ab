/** No provider asks for more in earnest; beyond it, asking again is the better test. */
const LONGEST = 3_600_000;

/**
 * Milliseconds a provider asks to wait, from `retry-after-ms`, `Retry-After` (seconds or an HTTP date), or the
 * `retryDelay` in Google's error bodies; undefined when it does not say. At most an hour.
 */
export function retryAfterMs(headers: Headers | undefined, body: unknown, now: number): number | undefined {
  const wait =
    positiveNumber(headers?.get('retry-after-ms')) ??
    fromRetryAfter(headers?.get('retry-after'), now) ??
    fromGoogle(body);
  return wait === undefined ? undefined : Math.min(Math.ceil(wait), LONGEST);
}

function fromRetryAfter(value: string | null | undefined, now: number): number | undefined {
  const seconds = positiveNumber(value);
  if (seconds !== undefined) return seconds * 1000;
  const date = Date.parse(value ?? '');
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}

function fromGoogle(body: unknown): number | undefined {
  const seconds = /"retryDelay"\s*:\s*"([\d.]+)s"/.exec(JSON.stringify(body ?? null))?.[1];
  return seconds === undefined ? undefined : Number(seconds) * 1000;
}

function positiveNumber(value: string | null | undefined): number | undefined {
  if (value === null || value === undefined || !/^\s*\d+(\.\d+)?\s*$/.test(value)) return undefined;
  return Number(value);
}
