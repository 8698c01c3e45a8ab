import { TypedError, type FailureType, type TokenCounts } from '../domain/failures.ts';
import { readErrorBody } from './error-body.ts';
import { redact } from '../redact.ts';
import type { ResolvedModel } from './resolve-model.ts';
import { retryAfterMs } from './retry-after.ts';
import { BAD_KEY, findWording, MODERATED, NO_CREDIT, OVER_MINUTE_LIMIT, THROTTLED, TOO_LONG } from './wordings.ts';

/** Who was asked, for messages. */
export interface Asked {
  /** The model's name as configured. */
  readonly name: string;
  readonly resolved: ResolvedModel;
}

/** An error the endpoint answered with. */
export interface ErrorAnswer {
  readonly status: number;
  readonly headers?: Headers | undefined;
  /** The parsed body or the `error` in it; a string when it was not JSON. */
  readonly body: unknown;
}

/** Characters of a provider's words that reach the person. */
const MAX_QUOTED = 2000;
/** Characters of them in which wordings are looked for. */
const MAX_READ = 4000;

/** What an error answer means for the run, in the types of `domain/failures.ts`. */
export function failureOfAnswer(asked: Asked, answer: ErrorAnswer, now = Date.now()): TypedError {
  const { status, headers, body } = answer;
  const { message, codes } = readErrorBody(body);
  const words = `${codes.join(' ')} ${message}`.slice(0, MAX_READ);
  const meaning = meaningOf(status, words, headers);
  const { type } = meaning;
  const quoted = excerpt(message, asked);
  const text = `${asked.name}: HTTP ${status}${quoted === '' ? '' : `, ${quoted}`}. ${advice(meaning, status, asked)}`;
  const wait = type === 'Model.RateLimited' || type === 'Model.Unavailable';
  return new TypedError(type, text.trimEnd(), {
    retryAfterMs: wait ? retryAfterMs(headers, body, message, now) : undefined,
    ...(meaning.tokens === undefined ? {} : { tokens: meaning.tokens }),
  });
}

/**
 * Anything that kept an answer from arriving, or what arrived from being one.
 *
 * @param error what the connection failed with; the innermost reason is reported
 */
export function failureOfTransport(asked: Asked, what: string, error?: unknown): TypedError {
  const reason = error === undefined ? what : `${what} (${innermostReason(error)})`;
  return new TypedError(
    'Model.Unavailable',
    `${asked.name}: ${excerpt(reason, asked)}. ${advice({ type: 'Model.Unavailable' }, 0, asked)}`,
  );
}

/** Of `fetch failed`, caused by a socket's error, caused by ...: the last one says something. */
function innermostReason(error: unknown): string {
  let innermost = error;
  while (innermost instanceof Error && innermost.cause instanceof Error) innermost = innermost.cause;
  if (!(innermost instanceof Error)) return 'no reason given';
  const code = 'code' in innermost && typeof innermost.code === 'string' ? innermost.code : '';
  return [code, innermost.message].filter((part) => part !== '').join(': ');
}

/** What an error is, beyond its status. */
interface Meaning {
  readonly type: FailureType;
  /** Of a conversation that is too long. */
  readonly tokens?: TokenCounts;
  /** The request is larger than a minute's tokens: a longer context would not help. */
  readonly overMinuteLimit?: true;
}

function meaningOf(status: number, words: string, headers: Headers | undefined): Meaning {
  const overLimit = readOverMinuteLimit(words);
  if (overLimit !== undefined) return { type: 'Model.ContextLength', tokens: overLimit, overMinuteLimit: true };
  const isThrottled = findWording(THROTTLED, words) !== undefined;
  const hasNoCredit = !isThrottled && findWording(NO_CREDIT, words) !== undefined;
  if (status === 429 || status === 529) return { type: hasNoCredit ? 'Model.Refused' : 'Model.RateLimited' };
  if (status === 402)
    return { type: isThrottled || headers?.has('retry-after') === true ? 'Model.RateLimited' : 'Model.Refused' };
  if (status === 401) return { type: 'Model.Refused' };
  // Conflict, too early and request time-out pass by themselves; so does what a server says when it fails.
  const mayPass = status >= 500 || status === 408 || status === 409 || status === 425;
  const tooLong = isAboutOutput(words) ? undefined : findWording(TOO_LONG, words);
  if (tooLong !== undefined && (!mayPass || status === 500))
    return { type: 'Model.ContextLength', tokens: tokensIn(tooLong) };
  if (status === 413) return { type: 'Model.ContextLength' };
  if (mayPass) return { type: 'Model.Unavailable' };
  if (isThrottled) return { type: 'Model.RateLimited' };
  if (hasNoCredit || findWording(BAD_KEY, words) !== undefined) return { type: 'Model.Refused' };
  if (findWording(MODERATED, words) !== undefined) return { type: 'Model.Moderated' };
  return { type: status === 403 || status === 412 ? 'Model.Refused' : 'Model.BadRequest' };
}

/** That fewer tokens must be allowed for the reply is a setting to be changed, whatever is sent. */
function isAboutOutput(words: string): boolean {
  return /max_(?:completion_|output_|new_)?tokens/i.test(words) && !/context|prompt|input|messages/i.test(words);
}

/** Undefined where what was sent would pass in another minute. */
function readOverMinuteLimit(words: string): TokenCounts | undefined {
  const found = OVER_MINUTE_LIMIT.exec(words);
  if (found === null) return undefined;
  const { sent = 0, limit = 0 } = tokensIn(found);
  return sent > limit ? { sent, limit } : undefined;
}

function tokensIn({ groups = {} }: RegExpExecArray): TokenCounts {
  const sent = Number(groups['sent']);
  const limit = Number(groups['limit']);
  return { ...(sent > 0 ? { sent } : {}), ...(limit > 0 ? { limit } : {}) };
}

function advice({ type, overMinuteLimit }: Meaning, status: number, { resolved }: Asked): string {
  const { host } = new URL(resolved.baseUrl);
  switch (type) {
    case 'Model.RateLimited':
      return 'A lower model.max_concurrency asks less at once.';
    case 'Model.Refused':
      if (resolved.apiKey === undefined) {
        return `No key was sent: set ${resolved.keyVariables.join(' or ')} where the worker runs.`;
      }
      return status === 401
        ? `Put a valid key for ${host} into ${resolved.keyVariables.join(' or ')} where the worker runs.`
        : `Check credit and rights of the key with ${host}.`;
    case 'Model.ContextLength':
      return overMinuteLimit === true
        ? `One request is larger than the limit of ${host} for a minute: ask there for a higher one, or choose another model.`
        : 'Choose a model with a longer context, or lower rlm.output_limit.';
    case 'Model.Moderated':
      return `${host} does not answer this prompt; another wording or another model may.`;
    case 'Model.BadRequest':
      return status === 404 || status === 405
        ? `Check model.name and model.base_url (${host}).`
        : 'Check model.name and the options under model.';
    default:
      return `If this continues, check ${host} and model.base_url.`;
  }
}

/** One line that quotes the other side: bounded, without control characters and without the key. */
function excerpt(text: string, { resolved }: Asked): string {
  const line = redact(text, resolved.apiKey)
    // Control characters, and those that change the direction of what follows.
    .replaceAll(/[\s\p{Cc}\u200e\u200f\u202a-\u202e\u2066-\u2069]+/gu, ' ')
    .trim()
    .replace(/[.\s]+$/, '');
  return line.length <= MAX_QUOTED ? line : `${line.slice(0, MAX_QUOTED - 3)}...`;
}
