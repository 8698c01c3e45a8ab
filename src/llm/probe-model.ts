import type { ModelConfig } from '../domain/config.ts';
import { TypedError } from '../domain/failures.ts';
import { fetchFor } from './http.ts';
import { failureOfAnswer, failureOfTransport, type Asked } from './model-failure.ts';
import { resolveModel } from './resolve-model.ts';

export interface ProbeOptions {
  readonly model: ModelConfig;
  readonly env: NodeJS.ProcessEnv;
  readonly host: string;
  /** Ends the attempt. */
  readonly signal: AbortSignal;
}

export interface ProbeResult {
  /** The endpoint's host. */
  readonly endpoint: string;
  /** Whether a key was sent. */
  readonly withKey: boolean;
}

/**
 * Asks a model's endpoint for something free that wants the key, so that a wrong address or key shows before
 * anything is spent. Endpoints that have no such thing (404, 405) count as good.
 *
 * @throws TypedError `Input.Invalid`, `Model.*`, as a call would
 */
export async function probeModel(name: string, { model, env, host, signal }: ProbeOptions): Promise<ProbeResult> {
  const resolved = resolveModel(name, model, env, host);
  const asked: Asked = { name, resolved };
  const { status, headers, body } = await get(asked, env, signal);
  if (status >= 400 && status !== 404 && status !== 405) throw failureOfAnswer(asked, { status, headers, body });
  return { endpoint: new URL(resolved.baseUrl).host, withKey: resolved.apiKey !== undefined };
}

async function get(
  asked: Asked,
  env: NodeJS.ProcessEnv,
  signal: AbortSignal,
): Promise<{ status: number; headers: Headers; body: unknown }> {
  const { baseUrl, keyCheckPath, apiKey } = asked.resolved;
  try {
    const response = await fetchFor(env)(`${baseUrl}/${keyCheckPath}`, {
      headers: { accept: 'application/json', ...(apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` }) },
      signal,
    });
    return { status: response.status, headers: response.headers, body: parse(await response.text()) };
  } catch (error) {
    if (error instanceof TypedError) throw error;
    const { host } = new URL(baseUrl);
    throw failureOfTransport(asked, signal.aborted ? `${host} did not answer in time` : `cannot reach ${host}`, error);
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
