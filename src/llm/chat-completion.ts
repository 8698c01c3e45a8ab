import { isRecord } from '../domain/is-record.ts';
import type { ModelConfig } from '../domain/config.ts';
import type { Usage } from '../domain/usage.ts';
import type { ChatReply, ChatRequest } from './chat-model.ts';
import { isEventStream, readEventStream } from './event-stream.ts';
import { redact, redactSecret } from '../redact.ts';
import { failureOfAnswer, failureOfTransport, type Asked } from './model-failure.ts';

const MAX_MODEL_NAME = 200;

type ReplyConfig = Pick<ModelConfig, 'prices' | 'max_tokens'>;

/** The body of the request, without what the endpoint would only take as its default. */
export function requestBody(
  request: Pick<ChatRequest, 'messages'>,
  { resolved }: Asked,
  config: Pick<ModelConfig, 'temperature' | 'max_tokens'>,
): Record<string, unknown> {
  return {
    model: resolved.model,
    messages: request.messages,
    stream: false,
    ...(config.temperature === undefined ? {} : { temperature: config.temperature }),
    ...(config.max_tokens === undefined ? {} : { [resolved.maxTokensField]: config.max_tokens }),
    ...resolved.body,
  };
}

/**
 * What a body with status 200 says; nothing of its form is taken on trust. A stream that was not asked for is read too.
 *
 * @throws TypedError when it is an error after all, or no completion
 */
export function readCompletion(body: string, asked: Asked, config: ReplyConfig, sent: ChatRequest): ChatReply {
  const completion = isEventStream(body) ? readEventStream(body, asked) : parseJson(body, asked);
  if (!isRecord(completion)) throw failureOfTransport(asked, 'it answered with an empty reply');
  throwIfError(completion, asked);
  const choices = completion['choices'];
  const choice: unknown = Array.isArray(choices) ? choices[0] : undefined;
  if (!isRecord(choice)) throw failureOfTransport(asked, 'it answered with no choices');
  throwIfError(choice, asked);
  const reason = choice['finish_reason'];
  const finish_reason = finishReason(reason);
  if (finish_reason === undefined) throw failureOfTransport(asked, `it ended its answer with "${String(reason)}"`);
  // Gemini leaves out the message of an answer that it withholds.
  const message = choice['message'] ?? (finish_reason === 'content_filter' ? {} : undefined);
  if (!isRecord(message)) throw failureOfTransport(asked, 'it answered with a choice that holds no message');
  const text = textOf(message);
  const reasoning = [message['reasoning_content'], message['reasoning']].find((field) => typeof field === 'string');
  // A key that an endpoint sends back must not be stored with the reply.
  const withoutKey = (of: string): string => redactSecret(of, asked.resolved.apiKey);
  const reply = {
    text: withoutKey(text === '' ? toolCallsAsText(message) : text),
    ...(typeof reasoning === 'string' && reasoning !== '' ? { reasoning: withoutKey(reasoning) } : {}),
    finish_reason,
    model: typeof completion['model'] === 'string' ? modelName(completion['model'], asked) : asked.resolved.model,
    usage: readUsage(completion['usage'], asked, config.prices),
  };
  const isFull = finish_reason === 'length' && (isFullReason(reason) || looksFull(reply, config, sent));
  return { ...reply, ...(isFull ? { window_full: true as const } : {}) };
}

/** It is stored and shown: of one line, and no longer than names are. */
function modelName(given: string, { resolved }: Asked): string {
  return redact(given.replaceAll(/[\s\p{C}]+/gu, ' '), resolved.apiKey).slice(0, MAX_MODEL_NAME);
}

function parseJson(text: string, asked: Asked): unknown {
  try {
    return JSON.parse(text);
  } catch {
    const what = /^\s*</.test(text) ? 'a web page' : /^\s*$/.test(text) ? 'nothing' : 'text or a part of it';
    throw failureOfTransport(asked, `it answered with ${what} instead of JSON`);
  }
}

/** OpenRouter answers 200 when the provider behind it fails after the request was accepted. */
function throwIfError(holder: Record<string, unknown>, asked: Asked): void {
  const error = holder['error'];
  if (error === undefined || error === null) return;
  const code = isRecord(error) ? Number(error['code']) : Number.NaN;
  throw failureOfAnswer(asked, { status: code >= 400 && code <= 599 ? code : 502, body: error });
}

/** Content is a string, or a list of parts of which only the text counts (the others are the model's thinking). */
function textOf(message: Record<string, unknown>): string {
  const content = message['content'];
  if (typeof content === 'string') return content;
  if (Array.isArray(content)) {
    return content.map((part) => (isRecord(part) && typeof part['text'] === 'string' ? part['text'] : '')).join('');
  }
  return typeof message['refusal'] === 'string' ? message['refusal'] : '';
}

/** No tools are offered; a call that a model makes all the same is kept as it would write it in text, and the model reads that there are none. */
function toolCallsAsText(message: Record<string, unknown>): string {
  const calls: unknown[] = Array.isArray(message['tool_calls']) ? message['tool_calls'] : [message['function_call']];
  const called = calls.map((call) => (isRecord(call) ? (call['function'] ?? call) : undefined)).filter(isRecord);
  return called
    .map(({ name, arguments: given }) => `<tool_call>${JSON.stringify({ name, arguments: given })}</tool_call>`)
    .join('\n');
}

/** Undefined for an answer that the provider broke off: asked again, it may come whole. */
function finishReason(reason: unknown): ChatReply['finish_reason'] | undefined {
  // Gemini says more behind a colon.
  const [name = ''] = typeof reason === 'string' ? reason.toLowerCase().split(':') : [];
  switch (name.trim()) {
    case 'stop':
    case 'end_turn':
    case 'stop_sequence':
    case 'eos':
      return 'stop';
    case 'length':
    case 'max_tokens':
    case 'model_length':
    case 'model_context_window_exceeded':
      return 'length';
    case 'content_filter':
    case 'content_filtered':
    case 'safety':
    case 'prohibited_content':
    case 'recitation':
    case 'sensitive':
      return 'content_filter';
    case 'error':
    case 'network_error':
    case 'insufficient_system_resource':
      return undefined;
    default:
      return 'other';
  }
}

/** Z.ai and Anthropic name it. */
function isFullReason(reason: unknown): boolean {
  return reason === 'model_context_window_exceeded';
}

/** Tokens of a reply below which a limit of the provider's own is not what cut it. */
const SMALL_REPLY = 1024;
/** Tokens of a conversation that can fill a context: the smallest in use hold 2,048. */
const LARGE_REQUEST = 1500;
/** Share of the allowed tokens from which on a reply counts as as long as it may be. */
const NEARLY_ALL = 0.9;
/** Characters of a token, about. */
const CHARACTERS = 4;

/** Few tokens came although many were allowed, of a conversation that is long. */
function looksFull(
  { usage, text }: Pick<ChatReply, 'usage' | 'text'>,
  { max_tokens }: ReplyConfig,
  { messages }: ChatRequest,
): boolean {
  const output = usage.output_tokens || Math.ceil(text.length / CHARACTERS);
  const characters = messages.reduce((sum, { content }) => sum + content.length, 0);
  const input = usage.input_tokens || Math.ceil(characters / CHARACTERS);
  const allowed = Math.min(max_tokens ?? SMALL_REPLY, SMALL_REPLY);
  return input >= LARGE_REQUEST && output < allowed * NEARLY_ALL && output * 4 < input;
}

function readUsage(usage: unknown, asked: Asked, prices: ModelConfig['prices']): Usage {
  const counts = isRecord(usage) ? usage : {};
  const input_tokens = count(counts['prompt_tokens']) ?? count(counts['input_tokens']) ?? 0;
  const output_tokens = count(counts['completion_tokens']) ?? count(counts['output_tokens']) ?? 0;
  const cost = reportedCost(counts) ?? priceOf(input_tokens, output_tokens, asked, prices);
  return { input_tokens, output_tokens, cost, llm_calls: 1 };
}

/** With a provider key of one's own, OpenRouter's `cost` is only its fee; the provider's bill stands beside it. */
function reportedCost(counts: Record<string, unknown>): number | undefined {
  const cost = amount(counts['cost']);
  if (cost === undefined || counts['is_byok'] !== true) return cost;
  const details = counts['cost_details'];
  return cost + ((isRecord(details) ? amount(details['upstream_inference_cost']) : undefined) ?? 0);
}

function priceOf(input: number, output: number, { name, resolved }: Asked, prices: ModelConfig['prices']): number {
  const price = prices?.[name] ?? prices?.[resolved.model];
  return price === undefined ? 0 : (input * price.input + output * price.output) / 1e6;
}

function count(value: unknown): number | undefined {
  const found = amount(value);
  return found === undefined ? undefined : Math.round(found);
}

/** Some gateways write numbers as texts. One that is negative says nothing. */
function amount(value: unknown): number | undefined {
  const number = typeof value === 'string' && value.trim() !== '' ? Number(value) : value;
  return typeof number === 'number' && Number.isFinite(number) && number >= 0 ? number : undefined;
}
