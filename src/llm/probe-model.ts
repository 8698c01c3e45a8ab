import type { ModelConfig } from '../domain/config.ts';
import { TypedError } from '../domain/failures.ts';
import { nearestName } from '../domain/nearest-name.ts';
import { readCompletion, requestBody } from './chat-completion.ts';
import { fetchFor } from './http.ts';
import { isRecord } from '../domain/is-record.ts';
import { failureOfAnswer, failureOfTransport, type Asked, type ErrorAnswer } from './model-failure.ts';
import { resolveModel } from './resolve-model.ts';

export interface ProbeOptions {
  readonly model: ModelConfig;
  readonly env: NodeJS.ProcessEnv;
  /** Ends the attempt. */
  readonly signal: AbortSignal;
}

export type ProbeResult =
  /** The endpoint's host, and whether a key was sent. */
  | { readonly kind: 'good'; readonly endpoint: string; readonly withKey: boolean }
  /** The provider is busy or has a fault of its own: nothing is known to be wrong with the configuration. */
  | { readonly kind: 'unsure'; readonly reason: string };

/** Tokens of the reply that is asked for where nothing free tells enough. Fewer are refused by some reasoning models. */
const PROBE_TOKENS = 16;

/**
 * Asks a model's endpoint whether key, model name and address are right: for its list of models, which is free and wants
 * the key, and where that does not say enough for a reply of a few tokens.
 *
 * @throws TypedError `Input.Invalid`, `Model.*` where a call would fail the same way
 */
export async function probeModel(name: string, { model, env, signal }: ProbeOptions): Promise<ProbeResult> {
  const asked: Asked = { name, resolved: resolveModel(name, model, env) };
  const { keyCheckPath, modelsNeedKey, baseUrl, apiKey } = asked.resolved;
  const probe: Probe = { asked, model, env, signal };
  const good: ProbeResult = { kind: 'good', endpoint: new URL(baseUrl).host, withKey: apiKey !== undefined };
  try {
    const first = await get(probe, keyCheckPath);
    const isKeyGood = first.status < 400 && (keyCheckPath !== 'models' || modelsNeedKey || apiKey === undefined);
    const listed = keyCheckPath === 'models' ? first : await get(probe, 'models');
    const names = modelNames(listed.body);
    if (isKeyGood && (names?.length === 0 || names?.some((each) => isName(each, asked)))) return good;
    await askForLittle(probe, names ?? []);
    return good;
  } catch (error) {
    if (error instanceof Unsure) return { kind: 'unsure', reason: error.message };
    throw error;
  }
}

interface Probe extends Pick<ProbeOptions, 'model' | 'env' | 'signal'> {
  readonly asked: Asked;
}

class Unsure extends Error {}

const PASSES_BY_ITSELF = new Set(['Model.RateLimited', 'Model.Unavailable', 'Model.ContextLength', 'Model.Moderated']);

/** @throws TypedError for what will not pass by itself, Unsure for what may */
async function get(probe: Probe, path: string): Promise<ErrorAnswer> {
  const answer = await request(probe, path);
  // Not every endpoint has a list.
  if (answer.status >= 400 && answer.status !== 404 && answer.status !== 405)
    throw unlessUnsure(failureOfAnswer(probe.asked, answer));
  return answer;
}

async function askForLittle(probe: Probe, names: readonly string[]): Promise<void> {
  const { asked, model } = probe;
  const messages = [{ role: 'user', content: 'Reply with OK.' }] as const;
  const max_tokens = Math.min(model.max_tokens ?? PROBE_TOKENS, PROBE_TOKENS);
  const body = requestBody({ messages }, asked, { ...model, max_tokens });
  const answer = await request(probe, 'chat/completions', JSON.stringify(body));
  if (answer.status < 400) {
    if (typeof answer.body !== 'string') return;
    // A page, most often: another server is behind the address.
    readCompletion(answer.body, asked, model, { purpose: 'turn', model: asked.name, messages, idempotencyKey: '' });
    return;
  }
  const failure = failureOfAnswer(asked, answer);
  // So few tokens are too few for it: all else was right.
  if (failure.type === 'Model.BadRequest' && /max_(?:completion_)?tokens|output limit/i.test(failure.message)) return;
  throw unlessUnsure(failure, suggestion(asked, names));
}

function unlessUnsure({ type, message }: TypedError, hint = ''): Error {
  return PASSES_BY_ITSELF.has(type) ? new Unsure(message) : new TypedError(type, `${message}${hint}`);
}

function suggestion({ name, resolved }: Asked, names: readonly string[]): string {
  const nearest = nearestName(resolved.model, names);
  if (nearest === undefined || names.includes(resolved.model)) return '';
  return ` Did you mean "${name.slice(0, name.length - resolved.model.length)}${nearest}"?`;
}

async function request({ asked, env, signal }: Probe, path: string, body?: string): Promise<ErrorAnswer> {
  const { baseUrl, apiKey } = asked.resolved;
  const { host } = new URL(baseUrl);
  try {
    const response = await fetchFor(env)(`${baseUrl}/${path}`, {
      headers: {
        accept: 'application/json',
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...(apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` }),
      },
      ...(body === undefined ? {} : { method: 'POST', body }),
      signal,
    });
    return { status: response.status, headers: response.headers, body: parse(await response.text()) };
  } catch (error) {
    if (signal.aborted) throw new Unsure(`${asked.name}: ${host} did not answer in time.`);
    throw failureOfTransport(asked, `cannot reach ${host}`, error);
  }
}

/** Undefined for what is no list of models. */
function modelNames(body: unknown): readonly string[] | undefined {
  const list = isRecord(body) ? body['data'] : body;
  if (!Array.isArray(list)) return undefined;
  return list.flatMap((each: unknown) => (isRecord(each) && typeof each['id'] === 'string' ? [each['id']] : []));
}

/** Gemini lists its models with a prefix; Ollama takes a name without its tag. */
function isName(listed: string, { resolved: { model } }: Asked): boolean {
  return listed === model || listed === `models/${model}` || listed === `${model}:latest`;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
