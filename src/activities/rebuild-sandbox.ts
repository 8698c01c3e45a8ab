import type { RebuildCause, RebuildSandboxInput, RebuildSandboxResult } from '../domain/contract.ts';
import { isSandboxLost, TypedError } from '../domain/failures.ts';
import { ownRecords } from '../domain/fork.ts';
import type { BlockResult, CallEvent } from '../domain/kernel-protocol.ts';
import type { BlockRecord, ChainRecord, RebuildRecord, RunSpecification } from '../domain/records.ts';
import { rebuildRefusal } from '../domain/rebuild-policy.ts';
import { answeredCalls, isReplayable, recordedAnswers, sameOutput, type RecordedAnswers } from '../domain/replay.ts';
import { parseHandle, type SandboxName } from '../domain/sandbox.ts';
import type { Kernel } from '../sandbox/provider.ts';
import { openTrajectory, type Trajectory } from './agent-trajectory.ts';
import { answerOfCall } from './answers.ts';
import { seconds } from './clock.ts';
import { makeSandbox, type SandboxOf } from './create-sandbox.ts';
import type { ActivityDependencies, ForAgent } from './dependencies.ts';
import { ownSandbox } from './own-sandbox.ts';
import { pendingCall } from './pending-call.ts';
import { recordedTask } from './agent-task.ts';
import { withHeartbeat } from './with-heartbeat.ts';

const LONG_POLL_MS = 20_000;
/** Differences that are listed one by one. */
const MAX_DIFFERENCES = 5;

/**
 * Replaces an agent's sandbox and replays the blocks of its trajectory in the new one, their calls answered from the
 * trajectory: no model is asked, no sub-agent started. Then the trajectory says so. Repeated, it finds that record.
 *
 * @throws TypedError `Sandbox.Lost` when the new one is lost as well (naming the block)
 */
export async function rebuildSandbox(
  deps: ActivityDependencies,
  input: ForAgent<RebuildSandboxInput>,
): Promise<RebuildSandboxResult> {
  const { cause } = input;
  if (cause.kind !== 'forked') ownSandbox(deps, input.scope, cause.sandbox);
  const trajectory = await openTrajectory(deps, input.scope, input.task);
  const newest = ownRecords(trajectory.records).findLast(
    (record): record is RebuildRecord => record.kind === 'rebuild',
  );
  if (newest !== undefined && newest.generation > generationOf(cause))
    return { kind: 'rebuilt', sandbox: newest.sandbox };
  const { sandbox: config } = (await deps.chains.specification(input.scope.settings)).config;
  const refusal = rebuildRefusal(trajectory.records, cause, config.max_rebuilds);
  if (refusal !== undefined) return { kind: 'refused', reason: refusal };
  return withHeartbeat(async (cancelled) => {
    const limit = AbortSignal.timeout(config.rebuild_timeout * 1000);
    try {
      const sandbox = await rebuild(deps, input, trajectory, AbortSignal.any([cancelled, limit]));
      return { kind: 'rebuilt', sandbox };
    } catch (error) {
      if (!limit.aborted || cancelled.aborted) throw error;
      throw lost(
        `The sandbox was lost, and replaying its code took longer than ${config.rebuild_timeout} s (sandbox.rebuild_timeout).`,
      );
    }
  });
}

/** Of the sandbox that is replaced; -1 where there is none. */
function generationOf(cause: RebuildCause): number {
  return cause.kind === 'forked' ? -1 : parseHandle(cause.sandbox).generation;
}

async function rebuild(
  deps: ActivityDependencies,
  input: ForAgent<RebuildSandboxInput>,
  trajectory: Trajectory,
  signal: AbortSignal,
): Promise<SandboxName> {
  const started = performance.now();
  const { cause } = input;
  const generation = Math.max(trajectory.state.generation, generationOf(cause)) + 1;
  await removeLost(deps, input);
  const make = (): Promise<Made> => makeReplayed(deps, { input, generation, trajectory, signal });
  const { sandbox, replayed, skipped, differences } = await make().catch((error: unknown) => {
    // What took the first one may have taken this one too.
    if (isSandboxLost(error)) return make();
    throw error;
  });
  const record = {
    kind: 'rebuild',
    generation,
    sandbox,
    reason: cause.kind === 'lost' ? cause.reason : null,
    repeated: replayed.map(({ block }) => block),
    skipped: skipped.map(({ block }) => block),
    differences,
    note:
      cause.kind !== 'lost' && differences.length === 0
        ? ''
        : noteOf({ replayed, skipped, differences }, cause.kind !== 'forked'),
    execution_time: seconds(performance.now() - started),
  } as const;
  await trajectory.append<'rebuild'>(record, { sandbox: parseHandle(sandbox).id });
  deps.checkpoint('rebuild.recorded');
  return sandbox;
}

interface Rebuild {
  readonly input: ForAgent<RebuildSandboxInput>;
  readonly generation: number;
  readonly trajectory: Trajectory;
  readonly signal: AbortSignal;
}

type Made = Replayed & { readonly sandbox: SandboxName };

/** Makes a sandbox and replays the blocks in it. */
async function makeReplayed(
  deps: ActivityDependencies,
  { input, generation, trajectory, signal }: Rebuild,
): Promise<Made> {
  const { scope } = input;
  const [first] = trajectory.records;
  if (first?.kind !== 'task') throw new Error(`the trajectory of agent ${scope.agent} has no beginning`);
  const sandbox = await makeUnused(deps, { scope, task: recordedTask(first), generation }, signal);
  const specification = await deps.chains.specification(scope.settings);
  const handle = parseHandle(sandbox);
  const provider = deps.sandboxes(handle.provider);
  deps.checkpoint('rebuild.begun');
  try {
    const { kernel } = await provider.connect(handle);
    const replay = { deps, kernel, generation, specification, signal };
    return { sandbox, ...(await replayBlocks(replay, trajectory.records)) };
  } catch (error) {
    // Nothing refers to it yet.
    await provider.destroy(handle).catch(() => undefined);
    throw error;
  }
}

/** Where it can be reached from here; else it ends by itself, or the sweep of its host ends it. */
async function removeLost(deps: ActivityDependencies, { scope, cause }: ForAgent<RebuildSandboxInput>): Promise<void> {
  if (cause.kind === 'forked') return;
  const { provider, handle } = ownSandbox(deps, scope, cause.sandbox);
  if (handle.host === undefined || handle.host === provider.host) await provider.destroy(handle);
}

/** Makes a sandbox in which no block has run: one that an earlier attempt left while it replayed is removed. */
async function makeUnused(deps: ActivityDependencies, wanted: SandboxOf, signal: AbortSignal): Promise<SandboxName> {
  const name = await makeSandbox(deps, wanted, signal);
  const handle = parseHandle(name);
  const provider = deps.sandboxes(handle.provider);
  const { block } = await (await provider.connect(handle)).kernel.info();
  if (block === 0) return name;
  await provider.destroy(handle);
  return makeSandbox(deps, wanted, signal);
}

interface Replay {
  readonly deps: ActivityDependencies;
  readonly kernel: Kernel;
  readonly generation: number;
  readonly specification: RunSpecification;
  readonly signal: AbortSignal;
}

interface Replayed {
  readonly replayed: readonly BlockRecord[];
  readonly skipped: readonly BlockRecord[];
  readonly differences: readonly string[];
}

async function replayBlocks(replay: Replay, records: readonly ChainRecord[]): Promise<Replayed> {
  const replayed: BlockRecord[] = [];
  const skipped: BlockRecord[] = [];
  const differences: string[] = [];
  for (const record of records) {
    if (record.kind !== 'block') continue;
    const isReplayed = isReplayable(record);
    // Blocks are numbered without gaps: one that is skipped has its number, and does nothing.
    const code = isReplayed ? record.code : 'pass';
    const answers = recordedAnswers(answeredCalls(records, record.block));
    const { result, unrecordedCalls } = await replayBlock(replay, record, code, answers).catch((error: unknown) => {
      if (!isSandboxLost(error)) throw error;
      const what = `${describeBlock(record)} was ${isReplayed ? 'replayed' : 'skipped'}`;
      throw lost(`The sandbox was lost again when ${what}; blocks replayed before it: ${replayed.length}.`);
    });
    (isReplayed ? replayed : skipped).push(record);
    if (isReplayed) differences.push(...differencesOf(record, result, { unrecordedCalls, unused: answers.remaining }));
    replay.deps.checkpoint('rebuild.block');
  }
  return { replayed, skipped, differences };
}

async function replayBlock(
  { deps, kernel, generation, specification, signal }: Replay,
  { block }: BlockRecord,
  code: string,
  answers: RecordedAnswers,
): Promise<{ readonly result: BlockResult; readonly unrecordedCalls: number }> {
  const { sandbox, rlm } = specification.config;
  const { block_timeout: timeout } = sandbox;
  await kernel.exec({
    generation,
    block,
    head: `replay-${block}`,
    code,
    timeout,
    output_limit: rlm.output_limit,
  });
  let cursor = 0;
  let unrecordedCalls = 0;
  for (;;) {
    signal.throwIfAborted();
    const reply = await kernel.events({ block, after: cursor, waitMs: LONG_POLL_MS }, signal);
    cursor = reply.cursor;
    for (const event of reply.events) {
      if (event.type === 'done') return { result: event.result, unrecordedCalls };
      const answer = answers.take((await pendingCall(deps, event)).request);
      if (answer === undefined) unrecordedCalls += 1;
      const { call } = event;
      const limit = rlm.result_truncation_limit;
      const given =
        answer === undefined ? { call, value: refusedCall(event) } : await answerOfCall(deps, { call, answer, limit });
      await kernel.answer({ generation, block, answers: [given] });
    }
  }
}

/** A call that was not made before is never made now: it could cost money that no limit counts. */
function refusedCall({ arguments: given }: CallEvent): unknown {
  const text = 'Error: this call was not made when the block first ran; it is not answered while the block runs again';
  const [value] = Object.values(given);
  return Array.isArray(value) ? value.map(() => text) : text;
}

function differencesOf(
  record: BlockRecord,
  result: BlockResult,
  calls: { readonly unrecordedCalls: number; readonly unused: number },
): string[] {
  const before = record.result;
  const said = sameOutput(before.stdout, result.stdout) && sameOutput(before.stderr, result.stderr);
  const where = describeBlock(record);
  // A FINAL that did not count when the block first ran does not count now.
  const isAsBefore = before.status === result.status || (result.final !== null && before.final === null);
  return [
    ...(isAsBefore ? [] : [`${where} ended with ${result.status} instead of ${before.status}`]),
    ...(said ? [] : [`${where} printed something else`]),
    ...(calls.unrecordedCalls === 0 && calls.unused === 0 ? [] : [`${where} made other calls`]),
  ];
}

function noteOf({ replayed, skipped, differences }: Replayed, isLost: boolean): string {
  const rebuilt = isLost ? 'The sandbox was lost and rebuilt' : 'The sandbox is a new one';
  const ran =
    replayed.length === 0
      ? rebuilt
      : `${rebuilt}: the ${replayed.length === 1 ? 'block' : `${replayed.length} blocks`} so far ran again, with the same answers to their calls`;
  const shown = differences.slice(0, MAX_DIFFERENCES).join('; ');
  const more = differences.length > MAX_DIFFERENCES ? `; and ${differences.length - MAX_DIFFERENCES} more` : '';
  const not =
    skipped.length === 0
      ? ''
      : ` ${capitalized(skipped.map(describeBlock).join(', '))} did not run again, and what ${skipped.length === 1 ? 'it' : 'they'} had changed is undone.`;
  return `${ran}${replayed.length > 0 && differences.length === 0 ? '; everything is as it was' : ''}.${not}${
    differences.length === 0 ? '' : ` Not as before: ${shown}${more}.`
  }`;
}

/** As the model knows its blocks. */
function describeBlock({ iteration, index }: BlockRecord): string {
  return index === 0 ? `the block of turn ${iteration}` : `block ${index + 1} of turn ${iteration}`;
}

function capitalized(text: string): string {
  return `${text.slice(0, 1).toUpperCase()}${text.slice(1)}`;
}

function lost(message: string): TypedError {
  return new TypedError('Sandbox.Lost', message);
}
