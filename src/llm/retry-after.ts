import { isRecord } from './json.ts';

/** What a header asks for beyond it is taken as this: asking again is then the better test. */
const MAX_MS = 24 * 3_600_000;
/** Seconds since the epoch are larger; milliseconds since the epoch are larger still. */
const MIN_EPOCH_S = 1e9;
const MIN_EPOCH_MS = 1e12;

/**
 * Milliseconds a provider asks to wait; undefined when it does not say. In this order: `retry-after-ms`; `Retry-After`
 * (seconds or an HTTP date; negative ones and dates that have passed are 0); Google's `retryDelay` in the body; "try again
 * in 2.5s" in the message; `x-ratelimit-reset*` of the limit that is used up, in headers or, behind a router, in the body.
 */
export function retryAfterMs(
  headers: Headers | undefined,
  body: unknown,
  message: string,
  now: number,
): number | undefined {
  const wait =
    numberIn(headers?.get('retry-after-ms')) ??
    fromRetryAfter(headers?.get('retry-after'), now) ??
    fromGoogle(body) ??
    fromMessage(message) ??
    fromReset(Object.fromEntries(headers ?? []), now) ??
    fromReset(quotedHeaders(body), now);
  return wait === undefined ? undefined : Math.min(Math.max(0, Math.ceil(wait)), MAX_MS);
}

function fromRetryAfter(value: string | null | undefined, now: number): number | undefined {
  const seconds = numberIn(value);
  if (seconds !== undefined) return seconds * 1000;
  return durationIn(value) ?? untilDate(value, now);
}

function fromGoogle(body: unknown): number | undefined {
  const text = JSON.stringify(body ?? null).replaceAll('\\"', '"');
  return durationIn(/"retryDelay"\s*:\s*"([\d.]+s)"/.exec(text)?.[1]);
}

/** Groq, OpenAI, Azure, Moonshot and Gemini say it in a sentence. */
function fromMessage(message: string): number | undefined {
  const said =
    /\b(?:try again|retry|wait)(?: your request)?(?: in| after| for)? (?:about )?(\d[\d.]*) ?(milliseconds?|ms|seconds?|secs?|s|minutes?|mins?|m|hours?|h)\b/i;
  const joined = /\b(?:try again|retry|wait) (?:in|after|for) ((?:\d[\d.]*(?:ms|h|m|s))+)/i.exec(message)?.[1];
  const whole = durationIn(joined);
  if (whole !== undefined) return whole;
  const [, amount = '', unit = ''] = said.exec(message) ?? [];
  const factor = unitMs(unit);
  return factor === undefined ? undefined : Number.parseFloat(amount) * factor;
}

/** Of several limits (requests, tokens, a minute, a day) the one that is used up; where nothing says what is left, the nearest. */
function fromReset(headers: Readonly<Record<string, unknown>>, now: number): number | undefined {
  const values = Object.entries(headers).map(([name, value]): readonly [string, string] => [
    name.toLowerCase(),
    String(value),
  ]);
  const known = new Map(values);
  const resets = values.flatMap(([name, value]) => {
    if (!/ratelimit.*reset/.test(name)) return [];
    const wait = durationIn(value) ?? untilNumber(numberIn(value), now) ?? untilDate(value, now);
    const left = numberIn(known.get(name.replace('reset', 'remaining')));
    return wait === undefined || (left !== undefined && left > 0) ? [] : [{ wait, isUsedUp: left === 0 }];
  });
  const usedUp = resets.filter(({ isUsedUp }) => isUsedUp).map(({ wait }) => wait);
  if (usedUp.length > 0) return Math.max(...usedUp);
  return resets.length === 0 ? undefined : Math.min(...resets.map(({ wait }) => wait));
}

/** OpenRouter quotes the headers in `error.metadata.headers`. */
function quotedHeaders(body: unknown): Readonly<Record<string, unknown>> {
  const error = isRecord(body) && isRecord(body['error']) ? body['error'] : body;
  const metadata = isRecord(error) ? error['metadata'] : undefined;
  const headers = isRecord(metadata) ? metadata['headers'] : undefined;
  return isRecord(headers) ? headers : {};
}

/** A number of seconds, or a time in seconds or milliseconds since the epoch. */
function untilNumber(value: number | undefined, now: number): number | undefined {
  if (value === undefined) return undefined;
  if (value >= MIN_EPOCH_MS) return value - now;
  return value >= MIN_EPOCH_S ? value * 1000 - now : value * 1000;
}

function untilDate(value: string | null | undefined, now: number): number | undefined {
  // Date.parse takes any text with a number in it for a date.
  if (!/\d{4}-\d{2}-\d{2}T|\b\d{2}:\d{2}:\d{2}\b/.test(value ?? '')) return undefined;
  const date = Date.parse(value ?? '');
  return Number.isNaN(date) ? undefined : date - now;
}

/** `6m0s`, `7.66s`, `120ms`, `1h34m52.896s`. */
function durationIn(value: string | null | undefined): number | undefined {
  if (!/^\s*(?:\d[\d.]*(?:ms|h|m|s))+\s*$/.test(value ?? '')) return undefined;
  const parts = [...(value ?? '').matchAll(/(\d[\d.]*)(ms|h|m|s)/g)];
  return parts.reduce((sum, [, amount = '', unit = '']) => sum + Number.parseFloat(amount) * (unitMs(unit) ?? 0), 0);
}

function unitMs(unit: string): number | undefined {
  if (/^(?:ms|milli)/i.test(unit)) return 1;
  if (/^s/i.test(unit)) return 1000;
  if (/^m/i.test(unit)) return 60_000;
  return /^h/i.test(unit) ? 3_600_000 : undefined;
}

function numberIn(value: string | null | undefined): number | undefined {
  return /^\s*-?\d+(?:\.\d+)?\s*$/.test(value ?? '') ? Number(value) : undefined;
}
