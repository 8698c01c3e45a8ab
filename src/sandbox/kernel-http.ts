import { setTimeout as delay } from 'node:timers/promises';
import { Pool, type Dispatcher } from 'undici';
import { TypedError } from '../domain/failures.ts';
import { stringifyJson } from '../domain/ordered-json.ts';

/** Where a kernel listens. `socketPath` may be `/proc/self/fd/<N>/<name>`. */
export type KernelAddress =
  | { readonly socketPath: string }
  | { readonly url: string; readonly headers?: Readonly<Record<string, string>> };

export interface KernelRequest {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly body?: unknown;
  /** In the place of `body`: sent as they are. */
  readonly bytes?: Uint8Array;
  /** Bytes; a longer reply is refused unread. */
  readonly replyLimit: number;
  /** Milliseconds without an answer after which the kernel counts as stuck. */
  readonly timeoutMs: number;
  /** May be sent again where a connection was cut. */
  readonly idempotent: boolean;
  readonly signal?: AbortSignal | undefined;
  /** Told how many bytes a reply says to have; it is read when this resolves. */
  readonly onReply?: ((bytes: number) => Promise<void>) | undefined;
}

/** Sends requests to one kernel over connections that are kept alive. */
export interface KernelTransport {
  /** The body of a 200 reply. */
  send(request: KernelRequest): Promise<Buffer>;
}

type ResponseHeaders = Dispatcher.ResponseData['headers'];

/** Pauses of the check whether a kernel that cut or refused a connection is still there, in milliseconds. */
const CHECK_PAUSES_MS = [0, 50, 150, 400] as const;
const CHECK_TIMEOUT_MS = 2_000;
/** The kernel reads no longer request. */
const MAX_BODY_BYTES = 256 * 1024 * 1024;
/** The kernel's own replies of an error are one sentence. */
const MAX_ERROR_BYTES = 64 * 1024;
/** After which a connection that nobody uses is closed. */
const KEEP_ALIVE_MS = 60_000;

const UNREACHABLE = new Set([
  // undici's, of a connection that was closed.
  'UND_ERR_SOCKET',
  'ECONNREFUSED',
  'ECONNRESET',
  'ENOENT',
  'EPIPE',
  'ENOTSOCK',
  'ENOTDIR',
  'ELOOP',
  'EACCES',
]);
const GATEWAY_STATUS = new Set([502, 504]);

export function kernelTransport(address: KernelAddress): KernelTransport {
  const attemptOnce = kernelRequests(address);
  const check = { method: 'GET', path: '/v1/info', replyLimit: MAX_ERROR_BYTES, timeoutMs: CHECK_TIMEOUT_MS } as const;

  async function isThere(signal: AbortSignal | undefined): Promise<boolean> {
    for (const pause of CHECK_PAUSES_MS) {
      if (pause > 0) await delay(pause, undefined, signal === undefined ? {} : { signal });
      try {
        // oxlint-disable-next-line no-await-in-loop -- the next check is for when this one fails
        await attemptOnce({ ...check, idempotent: true, signal });
        return true;
      } catch (error) {
        if (!(error instanceof Unreachable)) return true;
      }
    }
    return false;
  }

  return {
    async send(request) {
      try {
        return await attemptOnce(request);
      } catch (error) {
        if (!(error instanceof Unreachable)) throw error;
        if (!(await isThere(request.signal))) throw lost(error);
        if (!request.idempotent) {
          throw new Error('The connection to the kernel was cut during a command; it can be tried again.', {
            cause: error,
          });
        }
      }
      try {
        return await attemptOnce(request);
      } catch (error) {
        throw error instanceof Unreachable ? lost(error) : error;
      }
    },
  };
}

function lost(error: Unreachable): TypedError {
  return new TypedError('Sandbox.Lost', `The sandbox is gone: its kernel cannot be reached (${error.message}).`, {
    cause: error,
  });
}

/** Nobody answers at the address; whether that is for good is not known yet. */
export class Unreachable extends Error {}

/** What stands between us and the kernel answered in its place. */
export class GatewayRefusal extends Error {
  /** 200 for a page where there should be a reply. */
  readonly status: number;
  readonly headers: ResponseHeaders;

  constructor(status: number, headers: ResponseHeaders, message: string) {
    super(message);
    this.status = status;
    this.headers = headers;
  }
}

/**
 * Sends a request once; the body of a 200 reply.
 *
 * @throws TypedError for what the kernel itself refuses; `Unreachable`, `GatewayRefusal`; another Error where there was
 *   no answer in time, or the kernel failed.
 */
export function kernelRequests(address: KernelAddress): (request: KernelRequest) => Promise<Buffer> {
  const options = { pipelining: 1, connectTimeout: 0, keepAliveTimeout: KEEP_ALIVE_MS, allowH2: false };
  if ('socketPath' in address) {
    const pool = new Pool('http://kernel', { ...options, socketPath: address.socketPath });
    return (request) => attempt(pool, request, {});
  }
  const { origin, pathname } = new URL(address.url);
  const pool = new Pool(origin, options);
  const prefix = pathname.replace(/\/+$/, '');
  return (request) => attempt(pool, { ...request, path: prefix + request.path }, address.headers ?? {});
}

async function attempt(pool: Pool, request: KernelRequest, headers: Readonly<Record<string, string>>): Promise<Buffer> {
  const { method, path, signal, timeoutMs } = request;
  const body = request.body === undefined ? request.bytes : Buffer.from(stringifyJson(request.body));
  if (body !== undefined && body.length > MAX_BODY_BYTES) {
    throw new TypedError('Input.Invalid', `${path}: ${body.length} bytes are more than a kernel takes.`);
  }
  const timeout = AbortSignal.timeout(Math.ceil(timeoutMs));
  try {
    const response = await pool.request({
      method,
      path,
      headers: { ...headers },
      body: body ?? null,
      signal: signal === undefined ? timeout : AbortSignal.any([signal, timeout]),
      // The whole request has one limit, `timeoutMs`.
      headersTimeout: 0,
      bodyTimeout: 0,
    });
    return await readReply(response, request);
  } catch (error) {
    if (error === timeout.reason)
      throw new Error(`The kernel did not answer ${path} within ${timeoutMs / 1000} s.`, { cause: error });
    if (error instanceof Error && 'code' in error && UNREACHABLE.has(String(error.code)))
      throw new Unreachable(error.message, { cause: error });
    throw asError(error);
  }
}

async function readReply(
  { statusCode, headers, body }: Dispatcher.ResponseData,
  request: KernelRequest,
): Promise<Buffer> {
  const limit = statusCode === 200 ? request.replyLimit : MAX_ERROR_BYTES;
  const parts: Buffer[] = [];
  let size = 0;
  // One that does not say so is as large as it may be.
  await request.onReply?.(Math.min(limit, Number(headers['content-length'] ?? limit)));
  // Leaving the loop destroys the body, and its connection with it.
  for await (const part of body as AsyncIterable<Buffer>) {
    size += part.length;
    if (size > limit) throw malformed(`a reply of more than ${limit} bytes`);
    parts.push(part);
  }
  const reply = Buffer.concat(parts, size);
  if (statusCode !== 200) throw refusal(statusCode, headers, reply);
  if (String(headers['content-type'] ?? '').startsWith('text/html')) {
    throw new GatewayRefusal(statusCode, headers, 'a page came in place of a reply of the kernel');
  }
  return reply;
}

function refusal(status: number, headers: ResponseHeaders, reply: Buffer): Error {
  if (GATEWAY_STATUS.has(status)) return new Unreachable(`status ${status}`);
  const message = refusalMessage(reply);
  if (message === undefined) return new GatewayRefusal(status, headers, `The kernel's gateway answered ${status}.`);
  if (status === 409) return new TypedError('Sandbox.Diverged', `The kernel refused: ${message}.`);
  if (status === 400 || status === 413) return new TypedError('Input.Invalid', `The kernel refused: ${message}.`);
  return new Error(`The kernel failed (${status}): ${message}.`);
}

/** The kernel's own words: `{error, message}`. A gateway's have a status code as well, or are no JSON at all. */
function refusalMessage(reply: Buffer): string | undefined {
  try {
    const value: unknown = JSON.parse(reply.toString('utf8'));
    if (typeof value !== 'object' || value === null) return undefined;
    if (!('error' in value) || !('message' in value) || 'statusCode' in value) return undefined;
    // It comes out of a sandbox and goes into logs.
    return typeof value.message === 'string' ? value.message.slice(0, 500).replace(/\p{C}/gu, ' ') : undefined;
  } catch {
    return undefined;
  }
}

/** What the kernel sent is not what the protocol allows: it is not to be trusted any further. */
export function malformed(what: string): TypedError {
  return new TypedError('Sandbox.Diverged', `The kernel sent ${what}; its sandbox cannot be used any more.`);
}

function asError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error(String(reason));
}
