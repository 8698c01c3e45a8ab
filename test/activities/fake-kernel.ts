import { createHash } from 'node:crypto';
import { TypedError } from '../../src/domain/failures.ts';
import type { BlockResult, CallEvent, EventsReply, KernelEvent, KernelInfo } from '../../src/domain/kernel-protocol.ts';
import type { Kernel } from '../../src/sandbox/provider.ts';

/** What the code of a block does, one step after another. */
export type Step =
  | { readonly print: string }
  /** Calls made at the same time; the code waits until all are answered. */
  | { readonly calls: readonly (readonly [name: string, argument: unknown])[] }
  | { readonly final: unknown }
  | { readonly error: string }
  /** The interpreter ends. */
  | 'crash'
  /** The sandbox goes away. */
  | 'lose';

export interface FakeKernel extends Kernel {
  /** Code of the blocks that ran, in order. */
  readonly ran: string[];
  /** Answers that the code got, by the kernel's name of the call. */
  readonly answered: Map<string, unknown>;
  /** From now on it is gone. */
  kill(): void;
}

/**
 * A kernel whose code is scripted. It numbers blocks and calls, keeps events and takes answers as the real one does.
 *
 * @param programs - steps by code
 */
export function createFakeKernel(
  programs: Readonly<Record<string, readonly Step[]>>,
  { generation = 0 }: { readonly generation?: number } = {},
): FakeKernel {
  const ran: string[] = [];
  const answered = new Map<string, unknown>();
  let block = 0;
  let head = '';
  let restarts = 0;
  let isGone = false;
  let events: KernelEvent[] = [];
  let steps: readonly Step[] = [];
  let open = new Set<string>();
  let stdout = '';

  const end = (result: Partial<BlockResult>): void => {
    events.push({
      type: 'done',
      cursor: events.length + 1,
      result: {
        status: 'ok',
        stdout,
        stderr: '',
        stdout_length: stdout.length,
        stderr_length: 0,
        error: null,
        final: null,
        execution_time: 0.01,
        ...result,
      },
    });
    steps = [];
  };

  function advance(): void {
    while (open.size === 0) {
      const [step, ...rest] = steps;
      steps = rest;
      if (step === undefined) return end({});
      if (step === 'crash') {
        restarts += 1;
        return end({ status: 'crashed', error: 'the interpreter ended' });
      }
      if (step === 'lose') {
        isGone = true;
        return undefined;
      }
      if ('final' in step) return end({ final: { value: step.final } });
      if ('error' in step) return end({ status: 'error', error: step.error });
      if ('print' in step) stdout += step.print;
      else for (const [name, argument] of step.calls) makeCall(name, argument);
    }
    return undefined;
  }

  function makeCall(name: string, argument: unknown): void {
    const call: CallEvent = {
      type: 'call',
      cursor: events.length + 1,
      call: `${block}.${events.filter(({ type }) => type === 'call').length + 1}`,
      function: name,
      arguments: { prompt: argument },
      hash: createHash('sha256')
        .update(JSON.stringify([name, argument]))
        .digest('hex'),
    };
    events.push(call);
    open.add(call.call);
  }

  const info = (): KernelInfo => ({
    protocol: 1,
    python: '3.11.0',
    generation,
    block,
    head,
    status: events.at(-1)?.type === 'done' ? 'idle' : block === 0 ? 'new' : 'running',
    restarts,
  });

  const alive = <Result>(act: () => Result): Promise<Result> =>
    isGone ? Promise.reject(new TypedError('Sandbox.Lost', 'The sandbox is gone.')) : Promise.resolve().then(act);

  return {
    ran,
    answered,
    kill: () => {
      isGone = true;
    },
    info: () => alive(info),
    setup: () => alive(info),
    input: () => alive(() => ({ received: 0, loaded: true })),
    exec: (request) =>
      alive(() => {
        if (request.block === block && request.head === head) return info();
        if (request.block !== block + 1)
          throw new TypedError('Sandbox.Diverged', `block ${request.block} after ${block}`);
        const program = programs[request.code];
        if (program === undefined) throw new Error(`no program for this code: ${request.code}`);
        ({ block, head } = request);
        ran.push(request.code);
        [events, steps, open, stdout] = [[], program, new Set(), ''];
        const begun = info();
        advance();
        return begun;
      }),
    events: ({ after }) =>
      alive((): EventsReply => {
        const state = events.at(-1)?.type === 'done' ? 'done' : open.size > 0 ? 'waiting' : 'running';
        return { events: events.slice(after), cursor: events.length, state, pending: [...open] };
      }),
    output: () => alive(() => Buffer.from(stdout)),
    answer: ({ answers }) =>
      alive(() => {
        for (const { call, value } of answers) {
          if (!open.delete(call)) continue;
          answered.set(call, value);
        }
        if (open.size === 0 && events.at(-1)?.type !== 'done') advance();
      }),
    interrupt: () => alive(() => undefined),
    unchanged: () => Promise.resolve(false),
    process: () => Promise.reject(new Error('not scripted')),
    renew: () => alive(() => undefined),
  };
}
