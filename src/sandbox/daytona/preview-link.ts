import type { Sandbox } from '@daytonaio/sdk';
import { TypedError } from '../../domain/failures.ts';
import {
  GatewayRefusal,
  kernelRequests,
  Unreachable,
  type KernelRequest,
  type KernelTransport,
} from '../kernel-http.ts';
import {
  backoffMs,
  describeError,
  retryUntil,
  deadlineIn,
  retryAfterMs,
  sleep,
  withinLimit,
  statusOf,
} from './calls.ts';
import { isOver } from './states.ts';

/** Where every kernel listens: within the ports that Daytona shows to the outside. */
export const KERNEL_PORT = 9713;

export interface PreviewLinkOptions {
  readonly sandbox: Sandbox;
  readonly limitMs: number;
  /** Milliseconds of trouble after which the kernel of a sandbox that runs counts as gone. */
  readonly troubleMs: number;
  /** Told after every answer. */
  readonly seen: () => void;
}

type Send = (request: KernelRequest) => Promise<Buffer>;

/**
 * Requests to a kernel over the preview link of its port. The link's token is asked for again where it is refused; what
 * else goes wrong is judged by asking for the sandbox's state.
 */
export class PreviewLink implements KernelTransport {
  readonly #options: PreviewLinkOptions;
  #link: Promise<Send> | undefined;
  #ended = false;

  constructor(options: PreviewLinkOptions) {
    this.#options = options;
  }

  /** The sandbox was deleted: a kernel that still answers for a moment is not asked any more. */
  end(): void {
    this.#ended = true;
  }

  /** @throws as `kernelRequests`; whatever the SDK has to say about the link. */
  async once(request: KernelRequest): Promise<Buffer> {
    if (this.#ended) throw new TypedError('Sandbox.Lost', 'The sandbox is gone: it was deleted.');
    const send = await this.#open();
    try {
      const reply = await send(request);
      this.#options.seen();
      return reply;
    } catch (error) {
      if (isLogin(error)) this.#link = undefined;
      throw error;
    }
  }

  async send(request: KernelRequest): Promise<Buffer> {
    let troubleSince: number | undefined;
    for (let attempt = 0; ; attempt += 1) {
      try {
        return await this.once(request);
      } catch (error) {
        request.signal?.throwIfAborted();
        if (error instanceof TypedError) throw error;
        if (!request.idempotent && mayHaveArrived(error)) throw await this.#cut(error, request.signal);
        troubleSince ??= performance.now();
        // A refused token is one of a moment ago; the next attempt has a new one.
        if (isLogin(error) && attempt === 0) continue;
        const known = isLate(error) ? 'started' : await this.#ask(request.signal);
        if (known === 'over') throw lost('it was stopped or deleted', error);
        if (performance.now() - troubleSince > this.#options.troubleMs) throw this.#giveUp(error, known);
        const wait = error instanceof GatewayRefusal ? retryAfterMs(error) : undefined;
        await sleep(wait ?? backoffMs(attempt - 1, 2_000), request.signal);
      }
    }
  }

  #giveUp(error: unknown, known: 'started' | 'unknown'): Error {
    if (known === 'started' && (error instanceof Unreachable || isNotThere(error)))
      return lost('its kernel does not answer any more', error);
    return new Error(`The sandbox cannot be reached: ${describeError(error)}`, { cause: error });
  }

  /** A command may have run: whether the kernel is there decides what that means. */
  async #cut(error: unknown, signal: AbortSignal | undefined): Promise<Error> {
    const check = { method: 'GET', path: '/v1/info', replyLimit: 65_536, timeoutMs: 10_000, idempotent: true } as const;
    await this.send({ ...check, signal });
    return new Error('The connection to the kernel was cut during a command; it can be tried again.', { cause: error });
  }

  /** What Daytona says about the sandbox. */
  async #ask(signal: AbortSignal | undefined): Promise<'started' | 'over' | 'unknown'> {
    const { sandbox, limitMs } = this.#options;
    try {
      const work = (): Promise<void> => sandbox.refreshData();
      await withinLimit({ what: 'find the sandbox', work, limitMs }, deadlineIn(limitMs, signal));
      return isOver(sandbox) ? 'over' : 'started';
    } catch (error) {
      signal?.throwIfAborted();
      return statusOf(error) === 404 ? 'over' : 'unknown';
    }
  }

  #open(): Promise<Send> {
    if (this.#link !== undefined) return this.#link;
    const opened = this.#askForLink();
    this.#link = opened;
    opened.catch(() => {
      if (this.#link === opened) this.#link = undefined;
    });
    return opened;
  }

  async #askForLink(): Promise<Send> {
    const { sandbox, limitMs } = this.#options;
    const work = (): ReturnType<Sandbox['getPreviewLink']> => sandbox.getPreviewLink(KERNEL_PORT);
    const { url, token } = await retryUntil({ what: 'give a link to the sandbox', work, limitMs }, deadlineIn(limitMs));
    const headers = { 'x-daytona-preview-token': token, 'x-daytona-skip-preview-warning': 'true' };
    return kernelRequests({ url, headers });
  }
}

/** The way to a login, or its page. */
function isLogin(error: unknown): boolean {
  if (!(error instanceof GatewayRefusal)) return false;
  return error.status === 401 || error.status === 403 || error.status < 400;
}

/** The gateway finds no sandbox, or none that runs. */
function isNotThere(error: unknown): boolean {
  return error instanceof GatewayRefusal && (error.status === 400 || error.status === 404);
}

/** Too many requests: nothing is wrong with the sandbox. */
function isLate(error: unknown): boolean {
  return error instanceof GatewayRefusal && error.status === 429;
}

/** Whether the kernel may have had the request although there is no answer. */
function mayHaveArrived(error: unknown): boolean {
  if (error instanceof GatewayRefusal) return error.status >= 500;
  return statusOf(error) === undefined;
}

function lost(why: string, cause: unknown): TypedError {
  return new TypedError('Sandbox.Lost', `The sandbox is gone: ${why} (${describeError(cause)}).`, { cause });
}
