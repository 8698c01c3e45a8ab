import type { ModelConfig } from '../domain/config.ts';
import type { Usage } from '../domain/usage.ts';
import type { ChatReply, ChatRequest } from './chat-model.ts';
import { failureOfAnswer, failureOfTransport, type Asked } from './model-failure.ts';

/** The body of the request, without what the endpoint would only take as its default. */
export function requestBody(
  request: ChatRequest,
  { resolved }: Asked,
  config: Pick<ModelConfig, 'temperature' | 'max_tokens'>,
): Record<string, unknown> {
  return {
    model: resolved.model,
    messages: request.messages,
    ...(config.temperature === undefined ? {} : { temperature: config.temperature }),
    ...(config.max_tokens === undefined ? {} : { [resolved.maxTokensField]: config.max_tokens }),
    ...resolved.body,
  };
}

/**
 * What a body with status 200 says; nothing of its form is taken on trust.
 *
 * @throws TypedError when it is an error after all, or no completion
 */
export function readCompletion(body: unknown, asked: Asked, prices: ModelConfig['prices']): ChatReply {
  const completion = typeof body === 'string' ? parseJson(body, asked) : body;
  if (!isRecord(completion)) throw failureOfTransport(asked, 'it answered with an empty reply');
  throwIfError(completion, asked);
  const choices = completion['choices'];
  const choice: unknown = Array.isArray(choices) ? choices[0] : undefined;
  if (!isRecord(choice)) throw failureOfTransport(asked, 'it answered with no choices');
  throwIfError(choice, asked);
  const message = choice['message'];
  if (!isRecord(message)) throw failureOfTransport(asked, 'it answered with a choice that holds no message');
  const text = textOf(message);
  const reasoning = [message['reasoning_content'], message['reasoning']].find((field) => typeof field === 'string');
  return {
    text: text === '' ? toolCallsAsText(message) : text,
    ...(typeof reasoning === 'string' && reasoning !== '' ? { reasoning } : {}),
    finish_reason: finishReason(choice['finish_reason']),
    model: typeof completion['model'] === 'string' ? completion['model'] : asked.resolved.model,
    usage: readUsage(completion['usage'], asked, prices),
  };
}

function parseJson(text: string, asked: Asked): unknown {
  try {
    return JSON.parse(text);
  } catch {
    const what = /^\s*</.test(text) ? 'a web page' : 'text';
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

/** Tools are never offered; a model that calls one all the same is told so: its call is kept as it would write it in text. */
function toolCallsAsText(message: Record<string, unknown>): string {
  const calls: unknown[] = Array.isArray(message['tool_calls']) ? message['tool_calls'] : [message['function_call']];
  const called = calls.map((call) => (isRecord(call) ? (call['function'] ?? call) : undefined)).filter(isRecord);
  return called
    .map(({ name, arguments: given }) => `<tool_call>${JSON.stringify({ name, arguments: given })}</tool_call>`)
    .join('\n');
}

function finishReason(reason: unknown): ChatReply['finish_reason'] {
  switch (reason) {
    case 'stop':
    case 'end_turn':
    case 'stop_sequence':
    case 'eos':
      return 'stop';
    case 'length':
    case 'max_tokens':
    case 'model_length':
      return 'length';
    case 'content_filter':
      return 'content_filter';
    default:
      return 'other';
  }
}

function readUsage(usage: unknown, asked: Asked, prices: ModelConfig['prices']): Usage {
  const counts = isRecord(usage) ? usage : {};
  const input_tokens = amount(counts['prompt_tokens']) ?? 0;
  const output_tokens = amount(counts['completion_tokens']) ?? 0;
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

function amount(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0 ? value : undefined;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
