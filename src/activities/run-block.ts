import type { PendingBlock } from '../domain/agent-state.ts';
import type { BlockResult, CallAnswer, CallEvent } from '../domain/kernel-protocol.ts';
import { TypedError } from '../domain/failures.ts';
import { blockName } from '../domain/ids.ts';
import type { Answer, PendingCall } from '../domain/records.ts';
import { answerOfCall } from './answers.ts';
import { sendInputsAgain } from './create-sandbox.ts';
import { pendingCall } from './pending-call.ts';
import type { ReplyContext } from './reply-context.ts';
import { recordedTask } from './agent-task.ts';

/** Milliseconds for which a block that has made calls may compute on before they are returned: it may make more. */
const CALL_BATCH_WINDOW_MS = 250;
const LONG_POLL_MS = 20_000;
/**
 * A reply of the kernel from this size on takes one of `largeReplies`, and a worker that ends while it reads one counts
 * against the block (`workerDeaths`). One that ends while it reads less ended for another reason.
 */
const LARGE_REPLY_BYTES = 1024 * 1024;

export type BlockOutcome =
  | { readonly kind: 'done'; readonly result: BlockResult }
  /** Its new calls are in the trajectory. `waiting`: nothing in the code can continue without an answer. */
  | { readonly kind: 'calls'; readonly waiting: boolean };

/**
 * How far the events of a block were read. A call has two names: that of the trajectory, and the kernel's. They differ
 * where the block ran before in another sandbox, in which threads may have made their calls in another order.
 */
interface BlockCursor {
  readonly pending: PendingBlock;
  /** The trajectory's name of each call, by the kernel's. */
  readonly callByKernelName: Map<string, string>;
  /** Calls of the trajectory that the code has not made in this sandbox yet. */
  readonly unmatched: PendingCall[];
  /** Of the last event read. */
  cursor: number;
  /** New calls, not recorded yet. */
  added: PendingCall[];
  /** The kernel's names, by the trajectory's, that are not recorded yet; those of new calls only where the two differ. */
  addedNames: Record<string, string>;
  /** Kernel names of the calls whose answers were delivered. */
  readonly delivered: Set<string>;
}

/**
 * Starts a block, or attaches to it where it runs, and follows it until it ends or has made calls. In a rebuilt sandbox it
 * runs from its beginning: calls equal to those in the trajectory take their names, so that they get the same answers.
 */
export async function runBlock(context: ReplyContext, pending: PendingBlock): Promise<BlockOutcome> {
  const { scope } = context.input;
  const watched = context.deps.workerDeaths.watch(`${scope.run}@${scope.execution}/${scope.agent} ${pending.block}`);
  let release: (() => void) | undefined;
  const guard: LargeReplyGuard = {
    async enter(bytes) {
      if (bytes < LARGE_REPLY_BYTES) return;
      release ??= await context.deps.largeReplies.acquire(context.signal);
      watched.enter();
    },
    leave() {
      watched.leave();
      release?.();
      release = undefined;
    },
  };
  try {
    return await followBlock(context, pending, guard);
  } finally {
    guard.leave();
  }
}

/** Limits how many large replies of kernels a worker holds at once, each from its first byte until its calls are stored. */
interface LargeReplyGuard {
  /** Called when the size of a reply is known. Waits until there is room for a large one. */
  enter(bytes: number): Promise<void>;
  leave(): void;
}

async function followBlock(
  context: ReplyContext,
  pending: PendingBlock,
  guard: LargeReplyGuard,
): Promise<BlockOutcome> {
  const { kernel, signal } = context;
  const at = await startOrAttach(context, pending);
  await deliver(
    context,
    at,
    [...at.callByKernelName.keys()].filter((name) => isGiven(context, at, name)),
  );
  const open = pending.calls.some(({ call }) => !pending.answers.has(call));
  let gatherUntil = open ? performance.now() + CALL_BATCH_WINDOW_MS : undefined;
  for (;;) {
    signal.throwIfAborted();
    const waitMs = gatherUntil === undefined ? LONG_POLL_MS : Math.max(1, Math.ceil(gatherUntil - performance.now()));
    const reply = await kernel.events(
      { block: pending.block, after: at.cursor, waitMs, onReply: (bytes) => guard.enter(bytes) },
      signal,
    );
    at.cursor = reply.cursor;
    for (const event of reply.events) {
      if (event.type === 'done') return { kind: 'done', result: event.result };
      await register(context, at, event);
    }
    guard.leave();
    if (await deliver(context, at, reply.pending)) {
      gatherUntil = undefined;
      continue;
    }
    if (reply.pending.every((name) => at.delivered.has(name))) {
      gatherUntil = undefined;
      continue;
    }
    gatherUntil ??= performance.now() + CALL_BATCH_WINDOW_MS;
    const isWaiting = reply.state === 'waiting';
    if (!isWaiting && performance.now() < gatherUntil) continue;
    await recordCalls(context, at, isWaiting);
    return { kind: 'calls', waiting: isWaiting };
  }
}

/** Starts the block, or attaches to it where it runs. */
async function startOrAttach(context: ReplyContext, pending: PendingBlock): Promise<BlockCursor> {
  const { kernel, generation, trajectory } = context;
  const { sandbox, rlm } = context.run.config;
  const info = await kernel.info();
  if (info.block < pending.block - 1)
    throw new TypedError('Sandbox.Lost', 'The sandbox is a new one, in which the blocks so far did not run.');
  if (info.missing !== undefined) await restoreInputs(context);
  const reply = trajectory.records.findLast(({ kind }) => kind === 'reply');
  const { restarts } = await kernel.exec({
    generation,
    block: pending.block,
    head: blockName(reply === undefined ? '' : trajectory.hashOf(reply)),
    code: pending.code,
    timeout: sandbox.block_timeout,
    output_limit: rlm.output_limit,
  });
  context.deps.checkpoint('block.sent');
  const isAttached = info.block === pending.block;
  // A block that is attached to may have ended its interpreter itself: its result says so.
  if (!isAttached && restarts > 0 && sandbox.max_rebuilds > 0 && !trajectory.state.interpreterEnded)
    throw new TypedError('Sandbox.Lost', 'The interpreter was ended between two blocks, and its variables with it.');
  const names = isAttached ? pending.kernelNameByCall : new Map<string, string>();
  return {
    pending,
    callByKernelName: new Map([...names].map(([call, name]) => [name, call])),
    unmatched: pending.calls.filter(({ call }) => !names.has(call)),
    cursor: isAttached ? pending.cursor : 0,
    added: [],
    addedNames: {},
    delivered: new Set(),
  };
}

/** Variables of an analysis whose interpreter was ended by its own code, in a sandbox that is not rebuilt. */
async function restoreInputs({ deps, input, kernel, run, trajectory, signal }: ReplyContext): Promise<void> {
  const [first] = trajectory.records;
  if (run.type !== 'analyze' || first?.kind !== 'task') return;
  await sendInputsAgain(deps, kernel, { scope: input.scope, run, task: recordedTask(first), signal });
}

/** Gives a call of the kernel the name of an equal call that the code made in an earlier sandbox, or else a new one. */
async function register({ deps, generation, run }: ReplyContext, at: BlockCursor, event: CallEvent): Promise<void> {
  if (at.callByKernelName.has(event.call)) return;
  const preview = (run.config.rlm.approve ?? []).length > 0;
  const made = await pendingCall(deps, event, { preview });
  const known = at.unmatched.findIndex(({ request }) => request === made.request);
  const [matched] = known === -1 ? [] : at.unmatched.splice(known, 1);
  if (matched !== undefined) {
    at.callByKernelName.set(event.call, matched.call);
    at.addedNames[matched.call] = event.call;
    return;
  }
  const isTaken = at.pending.calls.some(({ call }) => call === event.call);
  const call = isTaken ? `${event.call}~${generation}` : event.call;
  at.callByKernelName.set(event.call, call);
  at.added.push({ ...made, call });
  if (isTaken) at.addedNames[call] = event.call;
}

/** Whether the answer to a call is in this activity's input. The activities that got the others have delivered them. */
function isGiven({ input }: ReplyContext, at: BlockCursor, name: string): boolean {
  return (input.answers ?? []).some(({ call }) => call === at.callByKernelName.get(name));
}

/**
 * Sends the kernel the recorded answers to these calls, given by its names. It ignores those that it has already.
 *
 * @returns whether there was one to send
 */
async function deliver(context: ReplyContext, at: BlockCursor, names: readonly string[]): Promise<boolean> {
  const { deps, kernel, generation, run } = context;
  const known = names.flatMap((name): { name: string; answer: Answer }[] => {
    const answer = at.pending.answers.get(at.callByKernelName.get(name) ?? '');
    return answer === undefined || at.delivered.has(name) ? [] : [{ name, answer }];
  });
  if (known.length === 0) return false;
  const limit = run.config.rlm.result_truncation_limit;
  const answers = await Promise.all(known.map(({ name, answer }) => answerOfCall(deps, { call: name, answer, limit })));
  // One with whole reports or patches may be as large as a request can be.
  const { short = [], long = [] } = Object.groupBy(answers, (answer) => (isLong(answer) ? 'long' : 'short'));
  for (const part of [...(short.length === 0 ? [] : [short]), ...long.map((answer) => [answer])]) {
    // oxlint-disable-next-line no-await-in-loop -- one large request at a time
    await kernel.answer({ generation, block: at.pending.block, answers: part });
  }
  for (const { name } of known) at.delivered.add(name);
  deps.checkpoint('answers.delivered');
  return true;
}

function isLong({ reports = {} }: CallAnswer): boolean {
  return Object.values(reports).some(({ whole, patch }) => whole !== undefined || patch !== undefined);
}

async function recordCalls({ trajectory }: ReplyContext, at: BlockCursor, isWaiting: boolean): Promise<void> {
  const kernel_names = at.addedNames;
  const hasNames = Object.keys(kernel_names).length > 0;
  const state = isWaiting ? 'waiting' : 'running';
  if (at.added.length === 0 && !hasNames) {
    if (trajectory.reference?.state !== state) await trajectory.show({ state });
    return;
  }
  await trajectory.append<'calls'>(
    {
      kind: 'calls',
      block: at.pending.block,
      calls: at.added,
      cursor: at.cursor,
      ...(hasNames ? { kernel_names } : {}),
    },
    { state },
  );
}
