import { isRecord } from './json.ts';
import { failureOfTransport, type Asked } from './model-failure.ts';

/** Server-sent events: lines of fields, and comments that keep the connection open. */
export function isEventStream(text: string): boolean {
  return /^\uFEFF?\s*(?:(?:data|event|id|retry):|:)/.test(text);
}

/**
 * A stream of chunks as the completion that they make up. Some endpoints stream although they are asked not to.
 *
 * @throws TypedError `Model.Unavailable` for one that breaks off
 */
export function readEventStream(text: string, asked: Asked): Record<string, unknown> {
  const events = text.split(/\r?\n/).flatMap((line) => (line.startsWith('data:') ? [line.slice(5).trim()] : []));
  const isEnded = events.includes('[DONE]');
  const merged: Merged = { content: '', refusal: '', finish: null, usage: undefined, model: undefined, seen: false };
  for (const event of events) {
    if (event === '' || event === '[DONE]') continue;
    const chunk = parse(event, asked);
    if (!isRecord(chunk)) continue;
    if (chunk['error'] !== undefined && chunk['error'] !== null) return chunk;
    add(merged, chunk);
  }
  if (!isEnded && merged.finish === null) throw failureOfTransport(asked, 'it answered with a stream that breaks off');
  const { content, refusal, finish, usage, model, seen } = merged;
  const message = { role: 'assistant', content: content === '' && refusal !== '' ? null : content, refusal };
  return { model, usage, choices: seen ? [{ index: 0, finish_reason: finish, message }] : [] };
}

interface Merged {
  content: string;
  refusal: string;
  finish: unknown;
  usage: unknown;
  model: unknown;
  /** Whether there was any choice. */
  seen: boolean;
}

function add(merged: Merged, chunk: Record<string, unknown>): void {
  merged.model ??= chunk['model'];
  if (isRecord(chunk['usage'])) merged.usage = chunk['usage'];
  const choices = chunk['choices'];
  const choice: unknown = Array.isArray(choices) ? choices[0] : undefined;
  if (!isRecord(choice)) return;
  merged.seen = true;
  merged.finish = choice['finish_reason'] ?? merged.finish;
  const part = choice['delta'] ?? choice['message'];
  if (!isRecord(part)) return;
  if (typeof part['content'] === 'string') merged.content += part['content'];
  if (typeof part['refusal'] === 'string') merged.refusal += part['refusal'];
}

function parse(event: string, asked: Asked): unknown {
  try {
    return JSON.parse(event);
  } catch {
    throw failureOfTransport(asked, 'it answered with a stream of what is not JSON');
  }
}
