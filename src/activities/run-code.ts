import { fold, type PendingBlock } from '../domain/agent-state.ts';
import type { RunCodeInput, RunCodeResult } from '../domain/contract.ts';
import type { BlockResult } from '../domain/kernel-protocol.ts';
import type { BlockRecord, ChainRecord, PendingCall } from '../domain/records.ts';
import { isReplayable } from '../domain/replay.ts';
import { refuseUnseenFinal } from '../domain/unseen-output.ts';
import { openTrajectory, type Trajectory } from './agent-trajectory.ts';
import { spawnedAgents } from './answers.ts';
import { checkedResult } from './checked-result.ts';
import type { ActivityDependencies, ForAgent } from './dependencies.ts';
import { ownSandbox } from './own-sandbox.ts';
import type { ReplyContext } from './reply-context.ts';
import { runBlock } from './run-block.ts';
import { withHeartbeat } from './with-heartbeat.ts';

/**
 * Runs the code blocks of the last reply until they have ended, or cannot continue without an answer. Called again with
 * answers it continues where the block stands; repeated after a crash it attaches to the block that still runs.
 *
 * @throws TypedError `Sandbox.Lost` when the sandbox, or the variables in it, are gone
 */
export async function runCode(deps: ActivityDependencies, input: ForAgent<RunCodeInput>): Promise<RunCodeResult> {
  return withHeartbeat(async (signal) => {
    const trajectory = await openTrajectory(deps, input.scope, input.task);
    const recorded = recordedOutcome(trajectory, input.head);
    if (recorded?.kind === 'done' || recorded?.kind === 'final') return recorded;
    const { provider, handle } = ownSandbox(deps, input.scope, input.sandbox);
    const { kernel } = await provider.connect(handle);
    const run = await deps.chains.specification(input.scope.settings);
    const context = {
      deps,
      input,
      trajectory,
      run,
      sandboxId: handle.id,
      generation: handle.generation,
      kernel,
      signal,
    };
    if (recorded !== undefined) return ended(context, recorded.block);
    await recordAnswers(context);
    return runBlocks(context);
  });
}

async function runBlocks(context: ReplyContext): Promise<RunCodeResult> {
  const { deps, trajectory, run, input } = context;
  for (;;) {
    const { pending } = trajectory.state;
    if (pending === undefined) throw new Error(`agent ${input.scope.agent} has no code to run`);
    const outcome = await runBlock(context, pending);
    if (outcome.kind === 'calls') return yieldCalls(context, outcome.waiting);
    deps.checkpoint('block.done');
    const result = refuseUnseenFinal(checkedResult(run, input.scope, outcome.result), trajectory.records);
    const record = await recordBlock(context, pending, result);
    deps.checkpoint('block.recorded');
    if (trajectory.state.pending === undefined) return ended(context, record);
  }
}

/** What a block whose reply has no further code to run comes to. */
async function ended(
  { trajectory, kernel }: ReplyContext,
  { result }: Pick<BlockRecord, 'result'>,
): Promise<RunCodeResult> {
  const { head } = trajectory;
  const { status } = result;
  if (result.final !== null) return { kind: 'final', head, status };
  if (isReplayable({ result })) return { kind: 'done', head, status };
  // One that was ended from outside mostly keeps its variables.
  const isCrash = status === 'crashed' || status === 'memory' || (await kernel.info()).restarts > 0;
  return isCrash ? { kind: 'crashed', head } : { kind: 'done', head, status };
}

type Recorded =
  | Extract<RunCodeResult, { kind: 'done' | 'final' }>
  /** Ended from outside: whether its variables are left, the kernel knows. */
  | { readonly kind: 'ended'; readonly block: BlockRecord };

/**
 * How the code of the reply ended, where the trajectory says so: an earlier attempt got there, or the workflow was reset.
 *
 * @param known - head that the workflow knows: the reply, or a record of its code
 * @returns undefined where there is code to run
 */
function recordedOutcome(trajectory: Trajectory, known: string): Recorded | undefined {
  const next = trajectory.after(known).find(({ kind }) => kind === 'reply' || kind === 'end');
  const { head, records, state } = next === undefined ? trajectory : trajectoryBefore(trajectory, next);
  // It runs, or has not begun.
  if (next === undefined && state.pending !== undefined) return undefined;
  const block = records.findLast((record): record is BlockRecord => record.kind === 'block');
  // The agent ended while its code ran: none of it runs any more.
  if (state.pending !== undefined || block === undefined) return { kind: 'done', head };
  const { status, final } = block.result;
  if (final !== null) return { kind: 'final', head, status };
  // The code ended by itself, which leaves its variables.
  if (isReplayable(block)) return { kind: 'done', head, status };
  // It was ended from outside, and the workflow has dealt with that before: the agent continued, or has another sandbox.
  if (next !== undefined || records.at(-1)?.kind === 'rebuild') return { kind: 'done', head, status };
  return { kind: 'ended', block };
}

/** The trajectory as it was before one of its records was appended; not the task, which has none before it. */
function trajectoryBefore(
  { records }: Trajectory,
  record: ChainRecord,
): Pick<Trajectory, 'head' | 'records' | 'state'> {
  const before = records.slice(0, records.indexOf(record));
  return { head: record.parent as string, records: before, state: fold(before) };
}

/** Before they are delivered: what the code has been given is in the trajectory, for a rebuild. */
async function recordAnswers({ deps, input, trajectory }: ReplyContext): Promise<void> {
  const { pending } = trajectory.state;
  const answers = (input.answers ?? []).filter(({ call }) => pending?.answers.has(call) === false);
  if (pending === undefined || answers.length === 0) return;
  await trajectory.append<'answers'>({ kind: 'answers', block: pending.block, answers }, { state: 'running' });
  deps.checkpoint('answers.recorded');
}

/** The calls that the workflow does not know of: an attempt before this one may have recorded some. */
async function yieldCalls(context: ReplyContext, waiting: boolean): Promise<RunCodeResult> {
  const { deps, trajectory, input } = context;
  deps.checkpoint('block.calls');
  const answered = trajectory.state.pending?.answers;
  const calls = trajectory
    .after(input.head)
    .flatMap((record): readonly PendingCall[] => (record.kind === 'calls' ? record.calls : []))
    .filter(({ call }) => answered?.has(call) !== true);
  const { head } = trajectory;
  if (waiting && (await evictIdleSandbox(context))) return { kind: 'evicted', head, calls };
  return { kind: 'calls', head, calls, waiting };
}

/** Where there are more sandboxes than `sandbox.max_live`, one that waits need not stay in memory. */
async function evictIdleSandbox({ deps, input, run }: ReplyContext): Promise<boolean> {
  const { max_live, max_rebuilds } = run.config.sandbox;
  if (max_live === undefined || max_rebuilds === 0 || input.pinned === true) return false;
  const { provider, handle } = ownSandbox(deps, input.scope, input.sandbox);
  if ((await provider.count()) <= max_live) return false;
  await provider.destroy(handle);
  return true;
}

async function recordBlock(context: ReplyContext, pending: PendingBlock, result: BlockResult): Promise<BlockRecord> {
  const { trajectory, sandboxId } = context;
  const { iteration, block, index, code } = pending;
  const requests = new Map(pending.calls.map(({ call, request }) => [call, request]));
  const full = await fullOutput(context, block, result);
  const record = {
    kind: 'block',
    iteration,
    block,
    index,
    code,
    result,
    spawned: [...pending.answers.values()].flatMap(spawnedAgents),
    calls: [...pending.answers.keys()].map((call) => ({ call, request: requests.get(call) ?? '' })),
    ...(full === undefined ? {} : { full }),
  } as const;
  const { pending: next } = fold([...trajectory.records, { v: 1, parent: trajectory.head, ...record }]);
  // After the last block no code runs: a run that is paused then must not seem to run some.
  const state = result.final === null ? (next === undefined ? 'thinking' : 'running') : 'closing';
  return trajectory.append<'block'>(record, { state, sandbox: sandboxId });
}

/** The whole captured text as blobs, where the result holds only its head and tail. */
async function fullOutput(
  { kernel, deps, run }: ReplyContext,
  block: number,
  result: BlockResult,
): Promise<BlockRecord['full']> {
  const store = async (stream: 'stdout' | 'stderr'): Promise<string> =>
    deps.blobs.put(await kernel.output({ block, stream, offset: 0 }));
  const limit = run.config.rlm.output_limit;
  const stdout = result.stdout_length > limit ? await store('stdout') : undefined;
  const stderr = result.stderr_length > limit ? await store('stderr') : undefined;
  if (stdout === undefined && stderr === undefined) return undefined;
  return { ...(stdout === undefined ? {} : { stdout }), ...(stderr === undefined ? {} : { stderr }) };
}
