import type { KernelInfo } from '../domain/kernel-protocol.ts';
import { kernelTransport, type KernelAddress, type KernelRequest, type KernelTransport } from './kernel-http.ts';
import {
  checkEmpty,
  eventsReply,
  inputReply,
  kernelInfo,
  parseReply,
  processReply,
  unchangedReply,
} from './kernel-replies.ts';
import type { Kernel } from './provider.ts';

export type { KernelAddress } from './kernel-http.ts';

const MIB = 1024 * 1024;
/** Largest replies: the kernel's own limits (docs/kernel-protocol.md) with room for JSON's escapes. */
const MAX_SMALL_BYTES = 64 * 1024;
const MAX_EVENTS_BYTES = 128 * MIB;
const MAX_OUTPUT_BYTES = 16 * MIB;
const DEFAULT_PROCESS_OUTPUT_BYTES = 64 * MIB;
const DEFAULT_PROCESS_TIMEOUT_S = 120;
const MAX_POLL_MS = 30_000;
/** For a reply that needs no waiting; a setup may carry hundreds of MiB. */
const REPLY_TIMEOUT_MS = 60_000;
/** For the last piece of an input: a gigabyte of JSON is parsed before it is answered. */
const INPUT_TIMEOUT_MS = 600_000;

type Quick = Pick<KernelRequest, 'method' | 'path' | 'body'>;

/**
 * The client of one kernel. Connections are made when needed and kept alive; nothing has to be closed.
 *
 * @throws TypedError from every method: `Sandbox.Lost` where nobody answers (asked again within a second),
 * `Sandbox.Diverged` where the kernel says stale, diverged or generation, or sends what the protocol does not allow,
 * `Input.Invalid` where it calls the request malformed. Another Error where trying again may help: no answer in
 * time, or a cut connection while a command ran.
 */
export function connectKernel(address: KernelAddress): Kernel {
  return kernelOver(kernelTransport(address));
}

/** The same over another way to a kernel, which has a say in what its failures mean. */
export function kernelOver(transport: KernelTransport): Kernel {
  async function quick(request: Quick): Promise<KernelInfo> {
    const reply = await transport.send({
      ...request,
      replyLimit: MAX_SMALL_BYTES,
      timeoutMs: REPLY_TIMEOUT_MS,
      idempotent: true,
    });
    return kernelInfo(parseReply(reply));
  }

  async function tell(request: Quick): Promise<void> {
    const reply = await transport.send({
      ...request,
      replyLimit: MAX_SMALL_BYTES,
      timeoutMs: REPLY_TIMEOUT_MS,
      idempotent: true,
    });
    checkEmpty(parseReply(reply));
  }

  return {
    info: () => quick({ method: 'GET', path: '/v1/info' }),
    setup: (body) => quick({ method: 'POST', path: '/v1/setup', body }),
    async input({ generation, input, offset, last, bytes }, signal) {
      const reply = await transport.send({
        method: 'POST',
        path: `/v1/input?generation=${generation}&input=${input}&offset=${offset}&last=${last ? 1 : 0}`,
        bytes,
        replyLimit: MAX_SMALL_BYTES,
        timeoutMs: INPUT_TIMEOUT_MS,
        idempotent: true,
        signal,
      });
      return inputReply(parseReply(reply));
    },
    exec: (body) => quick({ method: 'POST', path: '/v1/exec', body }),
    answer: (body) => tell({ method: 'POST', path: '/v1/answers', body }),
    interrupt: (body) => tell({ method: 'POST', path: '/v1/interrupt', body }),
    renew: () => tell({ method: 'POST', path: '/v1/renew', body: {} }),
    async events({ block, after, waitMs, onReply }, signal) {
      const wait = Math.min(MAX_POLL_MS, Math.max(0, Math.ceil(waitMs)));
      const reply = await transport.send({
        method: 'GET',
        path: `/v1/events?block=${block}&after=${after}&wait_ms=${wait}`,
        replyLimit: MAX_EVENTS_BYTES,
        timeoutMs: wait + REPLY_TIMEOUT_MS,
        idempotent: true,
        signal,
        onReply,
      });
      return eventsReply(parseReply(reply), block, after);
    },
    output: ({ block, stream, offset }) =>
      transport.send({
        method: 'GET',
        path: `/v1/output?block=${block}&stream=${stream}&offset=${offset}`,
        replyLimit: MAX_OUTPUT_BYTES,
        timeoutMs: REPLY_TIMEOUT_MS,
        idempotent: true,
      }),
    async unchanged(body, signal) {
      const reply = await transport.send({
        method: 'POST',
        path: '/v1/unchanged',
        body,
        replyLimit: MAX_SMALL_BYTES,
        timeoutMs: REPLY_TIMEOUT_MS,
        idempotent: true,
        signal,
      });
      return unchangedReply(parseReply(reply)).unchanged;
    },
    async process(body, signal) {
      const reply = await transport.send({
        method: 'POST',
        path: '/v1/process',
        body,
        replyLimit: Math.ceil(((body.limit ?? DEFAULT_PROCESS_OUTPUT_BYTES) * 8) / 3) + MAX_SMALL_BYTES,
        timeoutMs: (body.timeout ?? DEFAULT_PROCESS_TIMEOUT_S) * 1000 + REPLY_TIMEOUT_MS,
        idempotent: false,
        signal,
      });
      return processReply(parseReply(reply));
    },
  };
}
