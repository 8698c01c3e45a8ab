import type { ActInput, ActResult, BlockStep } from '../domain/contract.ts';
import type { BlockResult, CallEvent } from '../domain/kernel-protocol.ts';
import { answerUsage, type AnswersRecord, type ChainRecord, type RecordedAnswer } from '../domain/records.ts';
import { replayAnswers, runsAgain, type ReplayedAnswers } from '../domain/replay.ts';
import { TypedError } from '../domain/failures.ts';
import { blockName } from '../domain/ids.ts';
import { parseHandle } from '../domain/sandbox.ts';
import { codeBlocks } from '../domain/reply.ts';
import { refuseUnseenFinal } from '../domain/unseen-output.ts';
import { addUsage } from '../domain/usage.ts';
import { packCall, unpackAnswer } from '../domain/wire.ts';
import { answerValue } from './answers.ts';
import { reachedPosition, recordsSinceReply, replyOf } from './block-position.ts';
import { checkedResult } from './checked-result.ts';
import { endAgent } from './close-agent.ts';
import { sendInputsAgain } from './create-sandbox.ts';
import type { ActivityDependencies, Scoped } from './dependencies.ts';
import { whileBeating } from './heartbeat.ts';
import { pendingCall } from './pending-call.ts';
import { recordBlock } from './record-block.ts';
import { openAgentReference, recordedTask, updateAgentReference } from './trajectory.ts';
import { nextStep, type TurnContext } from './turn-context.ts';

/** How long calls are gathered while the code still computes, in milliseconds. */
const GATHER = 250;
const LONG_POLL = 20_000;

/**
 * Runs the code blocks of a reply until they are done or cannot go on without an answer. Called again with answers,
 * it goes on where the block stands; called again after a crash, it attaches to the block that still runs.
 */
export async function act(deps: ActivityDependencies, input: Scoped<ActInput>): Promise<ActResult> {
  return whileBeating((signal) => runReply(deps, input, signal));
}

export async function runReply(
  deps: ActivityDependencies,
  input: Scoped<ActInput>,
  signal: AbortSignal,
): Promise<ActResult> {
  const closed = await alreadyClosed(deps, input, signal);
  if (closed !== undefined) return closed;
  const handle = parseHandle(input.sandbox);
  const sandbox = await deps.sandboxes(handle.provider).connect(handle);
  const specification = await deps.chains.specification(input.scope.spec);
  const position = await reachedPosition(deps, input);
  const reply = await replyOf(deps, position.head);
  const turn: TurnContext = {
    sandboxId: handle.id,
    generation: handle.generation,
    iteration: reply.iteration,
    deps,
    input,
    kernel: sandbox.kernel,
    specification,
    codes: codeBlocks(reply.text),
    signal,
  };
  let { head, step } = position;
  if (position.finished !== undefined) {
    const next = nextStep(turn, step, position.finished);
    if (next === undefined) return finish(turn, head, step, position.finished);
    step = next;
  } else if (input.answers !== undefined) {
    head = await deliver(turn, head, step, position.delivered);
  }
  for (;;) {
    if (step.cursor === 0) await send(turn, head, step);
    const outcome = await untilYield(turn, step, await answersToRepeat(deps, head, step.block));
    if (outcome.kind === 'calls') {
      deps.checkpoint('block.calls');
      const dropped = outcome.waiting && (await giveUpWhileWaiting(turn));
      return {
        kind: 'calls',
        head,
        step: { ...step, cursor: outcome.cursor },
        calls: await Promise.all(outcome.calls.map(async (call) => packCall(await pendingCall(deps, call)))),
        ...(outcome.waiting ? { waiting: true as const } : {}),
        ...(dropped ? { dropped: true as const } : {}),
      };
    }
    deps.checkpoint('block.done');
    const checked = checkedResult(specification, input.scope, outcome.result);
    const result = refuseUnseenFinal(checked, await recordsSinceReply(deps, head));
    head = await recordBlock(turn, head, step, result);
    deps.checkpoint('block.recorded');
    const next = nextStep(turn, step, result);
    if (next === undefined) return finish(turn, head, step, result);
    step = next;
  }
}

/** A block that ends with FINAL ends its agent: closing it here spares an activity. */
async function finish(turn: TurnContext, head: string, step: BlockStep, result: BlockResult): Promise<ActResult> {
  if (result.final === null) {
    const lost = await variablesAreLost(turn, result);
    return { kind: 'done', head, block: step.block, ...(lost ? { lost: true } : {}) };
  }
  return closeByFinal(turn.deps, turn.input, { head, block: step.block, signal: turn.signal });
}

async function variablesAreLost({ kernel }: TurnContext, { status }: BlockResult): Promise<boolean> {
  if (status === 'crashed' || status === 'memory') return true;
  // One that was ended from outside mostly keeps them.
  return (status === 'timeout' || status === 'interrupted') && (await kernel.info()).restarts > 0;
}

/** An earlier attempt closed the agent; its answer did not get through. */
async function alreadyClosed(
  deps: ActivityDependencies,
  input: Scoped<ActInput>,
  signal: AbortSignal,
): Promise<ActResult | undefined> {
  const reference = await openAgentReference(deps, input.scope);
  if (reference?.state !== 'done') return undefined;
  const { parent } = await deps.chains.record(reference.head);
  return closeByFinal(deps, input, { head: parent ?? input.head, block: input.step.block, signal });
}

async function closeByFinal(
  deps: ActivityDependencies,
  { execution, sandbox, scope }: Scoped<ActInput>,
  { head, block, signal }: { head: string; block: number; signal: AbortSignal },
): Promise<ActResult> {
  const closing = { execution, scope, head, sandbox, status: 'completed', source: 'final' } as const;
  return { kind: 'done', head, block, final: await endAgent(deps, closing, signal) };
}

/** Where there are more sandboxes than `sandbox.max_live`, one that waits need not stay in memory. */
async function giveUpWhileWaiting({ deps, input, specification }: TurnContext): Promise<boolean> {
  const { max_live, max_rebuilds = 0 } = specification.config.sandbox;
  if (max_live === undefined || max_rebuilds === 0 || input.keep === true) return false;
  const handle = parseHandle(input.sandbox);
  const provider = deps.sandboxes(handle.provider);
  if ((await provider.count()) <= max_live) return false;
  await provider.destroy(handle);
  return true;
}

async function send(turn: TurnContext, head: string, step: BlockStep): Promise<void> {
  const { sandbox, rlm } = turn.specification.config;
  await restoreInputs(turn, head);
  const { restarts } = await turn.kernel.exec({
    generation: turn.generation,
    block: step.block,
    head: blockName(head),
    code: turn.codes[step.index] ?? '',
    timeout: sandbox.block_timeout,
    output_limit: rlm.output_limit,
  });
  turn.deps.checkpoint('block.sent');
  if (restarts > 0 && (sandbox.max_rebuilds ?? 0) > 0 && !(await hasEndedItself(turn.deps, head)))
    throw new TypedError('Sandbox.Lost', 'The interpreter was ended between two blocks, and its variables with it.');
}

/** Variables of an analysis whose interpreter ended by its own code, in a sandbox that is not made again. */
async function restoreInputs({ deps, input, kernel, specification, signal }: TurnContext, head: string): Promise<void> {
  if (specification.type !== 'analyze' || (await kernel.info()).missing === undefined) return;
  const [first] = await deps.chains.walk(head);
  if (first?.kind !== 'task') return;
  await sendInputsAgain(deps, kernel, { scope: input.scope, run: specification, task: recordedTask(first), signal });
}

/** Whether code of this sandbox ended its interpreter, which has been dealt with where it happened. */
async function hasEndedItself(deps: ActivityDependencies, head: string): Promise<boolean> {
  for (let hash: string | null = head; hash !== null;) {
    const record: ChainRecord = await deps.chains.record(hash);
    if (record.kind === 'rebuild') return false;
    if (record.kind === 'block' && !runsAgain(record)) return true;
    hash = record.parent;
  }
  return false;
}

async function deliver(turn: TurnContext, head: string, step: BlockStep, delivered: boolean): Promise<string> {
  const { deps, input, kernel } = turn;
  const answers = (input.answers ?? []).map(unpackAnswer);
  const values = await Promise.all(
    answers.map(async ({ call, answer }) => ({ call, value: await answerValue(deps.chains, answer) })),
  );
  await kernel.answer({ generation: turn.generation, block: step.block, answers: values });
  deps.checkpoint('answers.delivered');
  if (delivered) return head;
  const record: AnswersRecord = { v: 1, kind: 'answers', parent: head, block: step.block, answers };
  const next = await deps.chains.append(record);
  const usage = addUsage(...answers.map(({ answer }) => answerUsage(answer)));
  await updateAgentReference(deps, input.scope, { head: next, state: 'running' }, usage);
  deps.checkpoint('answers.recorded');
  return next;
}

type Yield =
  | { readonly kind: 'done'; readonly result: BlockResult }
  | {
      readonly kind: 'calls';
      readonly calls: readonly CallEvent[];
      readonly waiting: boolean;
      readonly cursor: number;
    };

async function untilYield(turn: TurnContext, step: BlockStep, repeat: ReplayedAnswers): Promise<Yield> {
  const { kernel, signal } = turn;
  const calls: CallEvent[] = [];
  const repeated = new Set<string>();
  // Which answers were given again follows from all calls of the block, so they are looked at from the first.
  let cursor = repeat.left > 0 ? 0 : step.cursor;
  let gatherUntil: number | undefined;
  for (;;) {
    signal.throwIfAborted();
    const waitMs = gatherUntil === undefined ? LONG_POLL : Math.max(1, Math.ceil(gatherUntil - performance.now()));
    const reply = await kernel.events({ block: step.block, after: cursor, waitMs }, signal);
    cursor = reply.cursor;
    for (const event of reply.events) {
      if (event.type === 'done') return { kind: 'done', result: event.result };
      if (repeat.left > 0 && (await giveAgain(turn, step, event, repeat))) repeated.add(event.call);
      else if (event.cursor > step.cursor) calls.push(event);
    }
    if (reply.pending.every((call) => repeated.has(call))) {
      gatherUntil = undefined;
      continue;
    }
    if (reply.state === 'waiting') return { kind: 'calls', calls, waiting: true, cursor };
    gatherUntil ??= performance.now() + GATHER;
    if (performance.now() >= gatherUntil) return { kind: 'calls', calls, waiting: false, cursor };
  }
}

/** What calls of this block got in a sandbox that was lost since. */
async function answersToRepeat(deps: ActivityDependencies, head: string, block: number): Promise<ReplayedAnswers> {
  const recorded: RecordedAnswer[] = [];
  let isRebuilt = false;
  for (let hash: string | null = head; hash !== null;) {
    const record: ChainRecord = await deps.chains.record(hash);
    if (record.kind === 'rebuild') isRebuilt = true;
    else if (record.kind !== 'answers' || record.block !== block) break;
    else if (isRebuilt) recorded.unshift(...record.answers);
    hash = record.parent;
  }
  return replayAnswers(recorded);
}

async function giveAgain(
  { deps, kernel, generation }: TurnContext,
  { block }: BlockStep,
  event: CallEvent,
  repeat: ReplayedAnswers,
): Promise<boolean> {
  const answer = repeat.take((await pendingCall(deps, event)).request);
  if (answer === undefined) return false;
  const value = await answerValue(deps.chains, answer);
  await kernel.answer({ generation, block, answers: [{ call: event.call, value }] });
  return true;
}
