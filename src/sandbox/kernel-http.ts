import { Agent, request as httpRequest, type IncomingHttpHeaders, type IncomingMessage } from 'node:http';
import { Agent as TlsAgent, request as httpsRequest } from 'node:https';
import { setTimeout as delay } from 'node:timers/promises';
import { TypedError } from '../domain/failures.ts';

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
}

/** Sends requests to one kernel over connections that are kept alive. */
export interface KernelTransport {
  /** The body of a 200 reply. */
  send(request: KernelRequest): Promise<Buffer>;
}

/** Pauses of the check whether a kernel that cut or refused a connection is still there, in milliseconds. */
const CHECKS = [0, 50, 150, 400] as const;
const CHECK_TIMEOUT = 2_000;
/** Bytes; the kernel reads no longer request. */
const BODY_LIMIT = 256 * 1024 * 1024;
/** The kernel's own replies of an error are one sentence. */
const ERROR_LIMIT = 64 * 1024;

const UNREACHABLE = new Set([
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
  const check = { method: 'GET', path: '/v1/info', replyLimit: ERROR_LIMIT, timeoutMs: CHECK_TIMEOUT } as const;

  async function isThere(signal: AbortSignal | undefined): Promise<boolean> {
    for (const pause of CHECKS) {
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
  readonly headers: IncomingHttpHeaders;

  constructor(status: number, headers: IncomingHttpHeaders, message: string) {
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
  const options = { keepAlive: true, maxFreeSockets: 4, scheduling: 'lifo' } as const;
  if ('socketPath' in address) {
    const agent = new Agent(options);
    return (request) =>
      attempt(request, (path, headers) =>
        httpRequest({ agent, socketPath: address.socketPath, host: 'kernel', method: request.method, path, headers }),
      );
  }
  const base = new URL(address.url);
  const secure = base.protocol === 'https:';
  const agent = secure ? new TlsAgent(options) : new Agent(options);
  const prefix = base.pathname.replace(/\/+$/, '');
  return (request) =>
    attempt(request, (path, headers) =>
      (secure ? httpsRequest : httpRequest)(new URL(prefix + path, base), {
        agent,
        method: request.method,
        headers: { ...address.headers, ...headers },
      }),
    );
}

type OpenRequest = (path: string, headers: Record<string, string | number>) => ReturnType<typeof httpRequest>;

async function attempt(request: KernelRequest, open: OpenRequest): Promise<Buffer> {
  const { signal } = request;
  signal?.throwIfAborted();
  const body = request.body === undefined ? request.bytes : Buffer.from(JSON.stringify(request.body));
  if (body !== undefined && body.length > BODY_LIMIT) {
    throw new TypedError('Input.Invalid', `${request.path}: ${body.length} bytes are more than a kernel takes.`);
  }
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
  const outgoing = open(request.path, body === undefined ? {} : { 'content-length': body.length });
  const timer = setTimeout(() => {
    outgoing.destroy(new Error(`The kernel did not answer ${request.path} within ${request.timeoutMs / 1000} s.`));
  }, request.timeoutMs);
  const abort = (): void => {
    outgoing.destroy(asError(signal?.reason));
  };
  signal?.addEventListener('abort', abort, { once: true });
  outgoing.on('error', (error: NodeJS.ErrnoException) => {
    reject(UNREACHABLE.has(error.code ?? '') ? new Unreachable(error.message, { cause: error }) : error);
  });
  outgoing.on('response', (response) => {
    readReply(response, request).then(resolve, (error: unknown) => {
      response.destroy();
      reject(asError(error));
    });
  });
  outgoing.end(body);
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', abort);
  }
}

async function readReply(response: IncomingMessage, request: KernelRequest): Promise<Buffer> {
  const status = response.statusCode ?? 0;
  const limit = status === 200 ? request.replyLimit : ERROR_LIMIT;
  const parts: Buffer[] = [];
  let size = 0;
  try {
    for await (const part of response as AsyncIterable<Buffer>) {
      size += part.length;
      if (size > limit) throw malformed(`a reply of more than ${limit} bytes`);
      parts.push(part);
    }
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ECONNRESET') {
      throw new Unreachable('the connection was cut in the middle of a reply', { cause: error });
    }
    throw error;
  }
  const reply = Buffer.concat(parts, size);
  if (status !== 200) throw refusal(status, response.headers, reply);
  if (response.headers['content-type']?.startsWith('text/html') === true) {
    throw new GatewayRefusal(status, response.headers, 'a page came in place of a reply of the kernel');
  }
  return reply;
}

function refusal(status: number, headers: IncomingHttpHeaders, reply: Buffer): Error {
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
