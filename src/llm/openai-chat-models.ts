import OpenAI, { APIConnectionError, APIError } from 'openai';
import type { ModelConfig } from '../domain/config.ts';
import { TypedError } from '../domain/failures.ts';
import { readCompletion, requestBody } from './chat-completion.ts';
import type { ChatModels, ChatReply, ChatRequest } from './chat-model.ts';
import { fetchFor, type Fetch } from './http.ts';
import { failureOfAnswer, failureOfTransport, type Asked } from './model-failure.ts';
import { resolveModel } from './resolve-model.ts';

export interface ChatModelsOptions {
  readonly model: ModelConfig;
  /** Where keys are read from, at each call. */
  readonly env: NodeJS.ProcessEnv;
  /** Named in the message about a missing key. */
  readonly host: string;
}

/** Chat models behind any OpenAI-compatible endpoint. Keys appear in no error, log or result. */
export function createChatModels({ model: config, env, host }: ChatModelsOptions): ChatModels {
  const fetch = fetchFor(env);
  return {
    async complete(request, signal) {
      const asked: Asked = { name: request.model, resolved: resolveModel(request.model, config, env, host) };
      const deadline = deadlineSignal(config.timeout);
      try {
        const client = createClient(asked, env, fetch);
        return await ask(client, request, asked, config, AbortSignal.any([signal, deadline.signal]));
      } catch (error) {
        if (signal.aborted) throw abortError(signal);
        if (deadline.signal.aborted) {
          throw failureOfTransport(asked, `no answer within ${config.timeout} s (model.timeout)`);
        }
        throw toTypedError(error, asked);
      } finally {
        deadline.clear();
      }
    },
  };
}

async function ask(
  client: OpenAI,
  request: ChatRequest,
  asked: Asked,
  config: ModelConfig,
  signal: AbortSignal,
): Promise<ChatReply> {
  const body: unknown = await client.post('/chat/completions', {
    body: requestBody(request, asked, config),
    headers: { 'Idempotency-Key': request.idempotencyKey },
    signal,
  });
  return readCompletion(body, asked, config.prices);
}

/** Everything the client would read from the process's environment is said here instead. */
function createClient({ resolved }: Asked, env: NodeJS.ProcessEnv, fetch: Fetch): OpenAI {
  const isOpenAI = new URL(resolved.baseUrl).hostname === 'api.openai.com';
  return new OpenAI({
    baseURL: resolved.baseUrl,
    // The client wants one; without a key of ours the header that would carry it is taken out.
    apiKey: resolved.apiKey ?? 'none',
    adminAPIKey: null,
    organization: (isOpenAI ? env['OPENAI_ORG_ID'] : undefined) ?? null,
    project: (isOpenAI ? env['OPENAI_PROJECT_ID'] : undefined) ?? null,
    webhookSecret: null,
    maxRetries: 0,
    // The deadline's signal is what ends a request; this must only not come first.
    timeout: 2 ** 31 - 1,
    logLevel: 'off',
    fetch,
    defaultHeaders: { 'User-Agent': 'durable-rlm', ...(resolved.apiKey === undefined ? { Authorization: null } : {}) },
  });
}

function deadlineSignal(seconds: number): { signal: AbortSignal; clear: () => void } {
  const controller = new AbortController();
  const timer = setTimeout(() => controller.abort(), seconds * 1000);
  return { signal: controller.signal, clear: () => clearTimeout(timer) };
}

function toTypedError(error: unknown, asked: Asked): TypedError {
  if (error instanceof TypedError) return error;
  if (error instanceof SyntaxError) return failureOfTransport(asked, 'it answered with invalid JSON');
  if (error instanceof APIError && !(error instanceof APIConnectionError) && typeof error.status === 'number') {
    // The client keeps the `error` of a JSON body, and only the message of any other.
    const body: unknown = error.error ?? error.message.replace(/^\d+ /, '');
    return failureOfAnswer(asked, { status: error.status, headers: error.headers, body });
  }
  const { host } = new URL(asked.resolved.baseUrl);
  return failureOfTransport(asked, `the connection to ${host} failed`, error);
}

function abortError(signal: AbortSignal): Error {
  const error = new Error('the model call was aborted', { cause: signal.reason });
  error.name = 'AbortError';
  return error;
}
