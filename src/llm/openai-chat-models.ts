import OpenAI from 'openai';
import type { ModelConfig } from '../domain/config.ts';
import { TypedError } from '../domain/failures.ts';
import { readCompletion, requestBody } from './chat-completion.ts';
import type { ChatModels, ChatReply, ChatRequest } from './chat-model.ts';
import { fetchFor, type Fetch } from './http.ts';
import { failureOfAnswer, failureOfTransport, type Asked, type ErrorAnswer } from './model-failure.ts';
import { resolveModel, type ResolvedModel } from './resolve-model.ts';

export interface ChatModelsOptions {
  readonly model: ModelConfig;
  /** Where keys are read from, at each call. */
  readonly env: NodeJS.ProcessEnv;
  /** Named in the message about a missing key. */
  readonly host: string;
}

/** Chat models behind any OpenAI-compatible endpoint. Keys appear in no error, log or result. */
export function createChatModels({ model: config, env, host }: ChatModelsOptions): ChatModels {
  const clientFor = createClients(env);
  return {
    complete: async (request, signal) => {
      const asked: Asked = { name: request.model, resolved: resolveModel(request.model, config, env, host) };
      return completeOnce(request, asked, { config, client: clientFor(asked.resolved), signal });
    },
  };
}

interface Attempt {
  readonly config: ModelConfig;
  readonly client: OpenAI;
  readonly signal: AbortSignal;
}

async function completeOnce(
  request: ChatRequest,
  asked: Asked,
  { config, client, signal }: Attempt,
): Promise<ChatReply> {
  const deadline = deadlineSignal(config.timeout);
  try {
    const response = await client
      .post('/chat/completions', {
        body: requestBody(request, asked, config),
        headers: { 'Idempotency-Key': request.idempotencyKey },
        signal: AbortSignal.any([signal, deadline.signal]),
      })
      .asResponse();
    return readCompletion(await response.text(), asked, config, request);
  } catch (error) {
    if (signal.aborted) throw abortError(signal);
    if (deadline.signal.aborted) {
      throw failureOfTransport(asked, `no answer within ${config.timeout} s (model.timeout)`);
    }
    if (error instanceof TypedError) throw error;
    if (error instanceof Error && error.cause instanceof RefusedRequest)
      throw failureOfAnswer(asked, error.cause.answer);
    const { host } = new URL(asked.resolved.baseUrl);
    throw failureOfTransport(asked, `the connection to ${host} failed`, error);
  } finally {
    deadline.clear();
  }
}

/** An error answer, taken past the client, which keeps only a part of its body. */
class RefusedRequest extends Error {
  readonly answer: ErrorAnswer;

  constructor(answer: ErrorAnswer) {
    super(`HTTP ${answer.status}`);
    this.answer = answer;
  }
}

function throwingRefusals(fetch: Fetch): Fetch {
  return async (url, init) => {
    const response = await fetch(url, init);
    if (response.ok) return response;
    throw new RefusedRequest({
      status: response.status,
      headers: response.headers,
      body: parse(await response.text()),
    });
  };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** Endpoints and keys that clients are kept for: making one costs as much as a request. */
const MAX_CLIENTS = 20;

function createClients(env: NodeJS.ProcessEnv): (resolved: ResolvedModel) => OpenAI {
  const fetch = throwingRefusals(fetchFor(env));
  const clients = new Map<string, OpenAI>();
  return (resolved) => {
    const key = [resolved.baseUrl, resolved.apiKey, env['OPENAI_ORG_ID'], env['OPENAI_PROJECT_ID']].join('\n');
    const client = clients.get(key) ?? createClient(resolved, env, fetch);
    if (clients.size >= MAX_CLIENTS) clients.clear();
    clients.set(key, client);
    return client;
  };
}

/** Everything the client would read from the process's environment is said here instead. */
function createClient(resolved: ResolvedModel, env: NodeJS.ProcessEnv, fetch: Fetch): OpenAI {
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

function abortError(signal: AbortSignal): Error {
  const error = new Error('the model call was aborted', { cause: signal.reason });
  error.name = 'AbortError';
  return error;
}
