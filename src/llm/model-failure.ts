import { isRecord } from '../domain/is-record.ts';
import { TypedError, type FailureType } from '../domain/failures.ts';
import { redact } from './redact.ts';
import type { ResolvedModel } from './resolve-model.ts';
import { retryAfterMs } from './retry-after.ts';

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

const CONTEXT_LENGTH =
  /context[_ -]?(length|window|size|limit)|maximum (context|prompt) length|(prompt|input|request|conversation)( is| has)? too (long|many tokens)|token count.*exceeds|exceeds.*(token limit|number of tokens)|too many (input )?tokens|reduce the length of (the )?(messages|prompt)|exceed_context_size/i;
const QUOTA = /^(insufficient_quota|billing_hard_limit_reached|billing_not_active|insufficient_balance)$/;
const CREDIT = /credit balance is too low|insufficient (credit|balance|funds)/i;
const BAD_KEY =
  /(invalid|incorrect|wrong|expired|missing).{0,20}api[ _-]?key|api[ _-]?key.{0,30}(not valid|invalid|incorrect|expired)/i;

/** What an error answer means for the run, in the types of `domain/failures.ts`. */
export function failureOfAnswer(asked: Asked, answer: ErrorAnswer, now = Date.now()): TypedError {
  const { status } = answer;
  const detail = detailOf(answer.body);
  const type = typeOf(status, detail);
  const quoted = excerpt(detail.message, asked);
  const text = `${asked.name}: HTTP ${status}${quoted === '' ? '' : `, ${quoted}`}. ${advice(type, status, asked)}`;
  const wait = type === 'Model.RateLimited' || type === 'Model.Unavailable';
  return new TypedError(type, text, {
    retryAfterMs: wait ? retryAfterMs(answer.headers, answer.body, now) : undefined,
  });
}

/**
 * Anything that kept an answer from arriving, or what arrived from being one.
 *
 * @param error what the connection failed with, of which the innermost reason is told
 */
export function failureOfTransport(asked: Asked, what: string, error?: unknown): TypedError {
  const reason = error === undefined ? what : `${what} (${innermostReason(error)})`;
  return new TypedError(
    'Model.Unavailable',
    `${asked.name}: ${excerpt(reason, asked)}. ${advice('Model.Unavailable', 0, asked)}`,
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

function typeOf(status: number, detail: Detail): FailureType {
  const text = `${detail.code} ${detail.message}`;
  if (status === 429 || status === 529) return QUOTA.test(detail.code) ? 'Model.Refused' : 'Model.RateLimited';
  if (status === 401 || status === 402 || status === 403) return 'Model.Refused';
  if (status === 413) return 'Model.ContextLength';
  // Conflict, too early and request time-out pass by themselves.
  if (status >= 500 || status === 408 || status === 409 || status === 425) return 'Model.Unavailable';
  if (CONTEXT_LENGTH.test(text)) return 'Model.ContextLength';
  // Some providers say 400 for what others say 401 and 402.
  if (QUOTA.test(detail.code) || CREDIT.test(text) || BAD_KEY.test(text)) return 'Model.Refused';
  return 'Model.BadRequest';
}

function advice(type: FailureType, status: number, { resolved }: Asked): string {
  const host = new URL(resolved.baseUrl).host;
  switch (type) {
    case 'Model.RateLimited':
      return 'A lower rlm.max_parallel asks less at once.';
    case 'Model.Refused':
      if (resolved.apiKey === undefined) {
        return `No key was sent: set ${resolved.keyVariables.join(' or ')} where the worker runs, then resume the run.`;
      }
      return status === 401
        ? `Put a valid key for ${host} into ${resolved.keyVariables.join(' or ')} where the worker runs, then resume the run.`
        : `Check credit and rights of the key with ${host}, then resume the run.`;
    case 'Model.ContextLength':
      return 'Choose a model with a longer context, or lower rlm.output_limit.';
    case 'Model.BadRequest':
      return status === 404 || status === 405
        ? `Check model.name and model.base_url (${host}).`
        : 'Check model.name and the options under model.';
    default:
      return `Check ${host} and model.base_url if this goes on.`;
  }
}

interface Detail {
  readonly message: string;
  readonly code: string;
}

/** Code and message out of the many forms of error bodies: OpenAI's, a bare string, Google's list, vLLM's flat one. */
function detailOf(body: unknown): Detail {
  if (typeof body === 'string') return { message: isMarkup(body) ? 'a web page instead of JSON' : body, code: '' };
  if (Array.isArray(body)) return detailOf(body[0]);
  if (!isRecord(body)) return { message: '', code: '' };
  if (isRecord(body['error']) || typeof body['error'] === 'string') return detailOf(body['error']);
  const codes = [body['code'], body['type'], body['status']].filter((value) => typeof value === 'string');
  const code = codes.find((value) => QUOTA.test(value)) ?? codes[0] ?? '';
  const message = body['message'] ?? body['detail'];
  const text = typeof message === 'string' ? message : message === undefined ? '' : JSON.stringify(message);
  return { message: [text, upstreamMessage(body['metadata'])].filter((part) => part !== '').join(': '), code };
}

/** OpenRouter's own message is often only "Provider returned error"; the provider's words are in `metadata.raw`. */
function upstreamMessage(metadata: unknown): string {
  if (!isRecord(metadata)) return '';
  return typeof metadata['raw'] === 'string' ? metadata['raw'] : '';
}

function isMarkup(text: string): boolean {
  return /^\s*<(!doctype|html|head|body|\?xml)/i.test(text);
}

/** One short line that quotes the other side, without the key. */
function excerpt(text: string, { resolved }: Asked): string {
  const line = redact(text, resolved.apiKey)
    .replaceAll(/[\s\p{Cc}]+/gu, ' ')
    .trim()
    .replace(/[.\s]+$/, '');
  return line.length <= 300 ? line : `${line.slice(0, 297)}...`;
}
