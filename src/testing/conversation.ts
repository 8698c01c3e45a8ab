import { createHash } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { isRecord } from '../domain/is-record.ts';

export interface ScriptedMessage {
  readonly role: string;
  readonly content: string;
}

/** What a script is asked: the messages so far, and how often these very messages were sent before. */
export interface Conversation {
  readonly messages: readonly ScriptedMessage[];
  /** The model's name as the client sent it. */
  readonly model: string;
  readonly headers: IncomingHttpHeaders;
  /** SHA-256 of model and messages. */
  readonly hash: string;
  /** The request's `Idempotency-Key`; '' when it has none. */
  readonly key: string;
  /** Everything said before the model's first reply: system prompt and task. */
  readonly opening: string;
  /** Text of the last message. */
  readonly last: string;
  /** Replies of the model in it so far: 0 when it is asked for its first. */
  readonly turn: number;
  /** Earlier requests with the same hash, however they ended. */
  readonly askedBefore: number;
  /** Earlier requests with the same hash that got their reply. */
  readonly answeredBefore: number;
}

/** What a request says, before it is known how often it came before. */
export type RequestedConversation = Omit<Conversation, 'askedBefore' | 'answeredBefore'>;

/** @throws Error when the body is not a chat completion request. */
export function readConversation(body: string, headers: IncomingHttpHeaders): RequestedConversation {
  const request: unknown = JSON.parse(body);
  if (!isRecord(request) || typeof request['model'] !== 'string' || !Array.isArray(request['messages'])) {
    throw new Error('a chat completion request needs "model" and "messages"');
  }
  if (request['stream'] === true) throw new Error('the scripted model does not stream; ask without "stream"');
  const messages = request['messages'].map(readMessage);
  const replies = messages.filter((message) => message.role === 'assistant');
  const firstReply = messages.findIndex((message) => message.role === 'assistant');
  const opening = firstReply < 0 ? messages : messages.slice(0, firstReply);
  const key = headers['idempotency-key'];
  return {
    messages,
    model: request['model'],
    headers,
    hash: hashOf(request['model'], messages),
    key: typeof key === 'string' ? key : '',
    opening: opening.map((message) => message.content).join('\n'),
    last: messages.at(-1)?.content ?? '',
    turn: replies.length,
  };
}

function hashOf(model: string, messages: readonly ScriptedMessage[]): string {
  return createHash('sha256')
    .update(JSON.stringify([model, messages]))
    .digest('hex');
}

function readMessage(message: unknown): ScriptedMessage {
  if (!isRecord(message) || typeof message['role'] !== 'string') throw new Error('a message needs a "role"');
  return { role: message['role'], content: textOf(message['content']) };
}

/** Content is a string or, in the API's long form, a list of parts. */
function textOf(content: unknown): string {
  if (typeof content === 'string') return content;
  if (!Array.isArray(content)) return '';
  return content.map((part) => (isRecord(part) && typeof part['text'] === 'string' ? part['text'] : '')).join('');
}
