import type { RebuildSandboxInput, RebuildSandboxResult } from '../domain/contract.ts';
import { TypedError } from '../domain/failures.ts';
import type { BlockResult, CallEvent } from '../domain/kernel-protocol.ts';
import type { BlockRecord, ChainRecord, RebuildRecord, RunSpecification } from '../domain/records.ts';
import {
  completedBlocks,
  replayAnswers,
  runsAgain,
  sameOutput,
  type CompletedBlock,
  type ReplayedAnswers,
} from '../domain/replay.ts';
import { parseHandle, type SandboxName } from '../domain/sandbox.ts';
import type { Kernel } from '../sandbox/provider.ts';
import { answerValue } from './answers.ts';
import { pendingCall } from './pending-call.ts';
import { seconds } from './clock.ts';
import { makeSandbox } from './create-sandbox.ts';
import type { ActivityDependencies, Scoped } from './dependencies.ts';
import { whileBeating } from './heartbeat.ts';
import { chainHead, readAgentReference, updateAgentReference } from './trajectory.ts';

const LONG_POLL = 20_000;
/** Differences that are told one by one. */
const TOLD = 5;

/**
 * Makes another sandbox for an agent and runs the blocks of its chain in it again, their calls answered from the
 * chain: no model is asked, no sub-agent started. Then the chain says so.
 *
 * @throws TypedError `Sandbox.Lost` when the new one is lost as well (naming the block), or there were too many
 */
export async function rebuildSandbox(
  deps: ActivityDependencies,
  input: Scoped<RebuildSandboxInput>,
): Promise<RebuildSandboxResult> {
  const { sandbox: config } = (await deps.chains.specification(input.scope.spec)).config;
  const { losses, reason = '' } = input;
  if (losses > (config.max_rebuilds ?? 0)) {
    const times = `${losses} time${losses === 1 ? '' : 's'}`;
    throw lost(`The sandbox was lost ${times} (sandbox.max_rebuilds: ${config.max_rebuilds}). ${reason}`);
  }
  return whileBeating(async (cancelled) => {
    const limit = AbortSignal.timeout(config.rebuild_timeout * 1000);
    try {
      return await rebuild(deps, input, AbortSignal.any([cancelled, limit]));
    } catch (error) {
      if (!limit.aborted || cancelled.aborted) throw error;
      throw lost(
        `The sandbox was lost, and running its code again took longer than ${config.rebuild_timeout} s (sandbox.rebuild_timeout).`,
      );
    }
  });
}

async function rebuild(
  deps: ActivityDependencies,
  input: Scoped<RebuildSandboxInput>,
  signal: AbortSignal,
): Promise<RebuildSandboxResult> {
  const { scope, generation } = input;
  const started = performance.now();
  const head = (await readAgentReference(deps, scope))?.head ?? (await chainHead(deps, scope, input.task));
  const records = await deps.chains.walk(head);
  const done = records.findLast((record): record is RebuildRecord => record.kind === 'rebuild');
  if (done?.generation === generation) return { sandbox: done.sandbox, head, ...answeredIn(records) };
  await removeLost(deps, input.lost);
  const remake = (): Promise<Remade> => remakeSandbox(deps, input, records, signal);
  const { sandbox, repeated, leftOut, differences } = await remake().catch((error: unknown) => {
    // What took the first one may have taken this one too.
    if (error instanceof TypedError && error.type === 'Sandbox.Lost') return remake();
    throw error;
  });
  const record: RebuildRecord = {
    v: 1,
    kind: 'rebuild',
    parent: head,
    generation,
    sandbox,
    reason: input.reason ?? null,
    repeated: repeated.map(({ block }) => block),
    left_out: leftOut.map(({ block }) => block),
    differences,
    note: input.reason === undefined && differences.length === 0 ? '' : noteOf({ repeated, leftOut, differences }),
    execution_time: seconds(performance.now() - started),
  };
  const next = await deps.chains.append(record);
  await updateAgentReference(deps, scope, { head: next, sandbox: parseHandle(sandbox).id });
  deps.checkpoint('rebuild.recorded');
  return { sandbox, head: next, ...answeredIn(records) };
}

type Remade = Repetition & { readonly sandbox: SandboxName };

async function remakeSandbox(
  deps: ActivityDependencies,
  input: Scoped<RebuildSandboxInput>,
  records: readonly ChainRecord[],
  signal: AbortSignal,
): Promise<Remade> {
  const sandbox = await freshSandbox(deps, input, signal);
  const specification = await deps.chains.specification(input.scope.spec);
  const handle = parseHandle(sandbox);
  const provider = deps.sandboxes(handle.provider);
  deps.checkpoint('rebuild.begun');
  try {
    const { kernel } = await provider.connect(handle);
    const stage = { deps, kernel, generation: input.generation, specification, signal };
    return { sandbox, ...(await repeatBlocks(stage, completedBlocks(records))) };
  } catch (error) {
    // Nobody has heard of it yet.
    await provider.destroy(handle).catch(() => undefined);
    throw error;
  }
}

/** Calls of the block that had not ended: the answers after the last block. */
function answeredIn(records: readonly ChainRecord[]): Pick<RebuildSandboxResult, 'answered'> {
  const last = records.findLastIndex(({ kind }) => kind === 'block' || kind === 'reply');
  const calls = records.slice(last + 1).flatMap((record) => (record.kind === 'answers' ? record.answers : []));
  return calls.length === 0 ? {} : { answered: calls.map(({ call }) => call) };
}

/** Where it can be reached from here; else it ends by itself, or the sweep of its host ends it. */
async function removeLost(deps: ActivityDependencies, name: SandboxName): Promise<void> {
  const handle = parseHandle(name);
  const provider = deps.sandboxes(handle.provider);
  if (handle.host === undefined || handle.host === provider.host) await provider.destroy(handle);
}

/** One in which no block has run: an earlier attempt may have left one in the midst of its blocks. */
async function freshSandbox(
  deps: ActivityDependencies,
  { execution, scope, task, generation }: Scoped<RebuildSandboxInput>,
  signal: AbortSignal,
): Promise<SandboxName> {
  const making = { execution, scope, task, generation };
  const name = await makeSandbox(deps, making, signal);
  const handle = parseHandle(name);
  const provider = deps.sandboxes(handle.provider);
  const { block } = await (await provider.connect(handle)).kernel.info();
  if (block === 0) return name;
  await provider.destroy(handle);
  return makeSandbox(deps, making, signal);
}

interface Stage {
  readonly deps: ActivityDependencies;
  readonly kernel: Kernel;
  readonly generation: number;
  readonly specification: RunSpecification;
  readonly signal: AbortSignal;
}

interface Repetition {
  readonly repeated: readonly BlockRecord[];
  readonly leftOut: readonly BlockRecord[];
  readonly differences: readonly string[];
}

async function repeatBlocks(stage: Stage, blocks: readonly CompletedBlock[]): Promise<Repetition> {
  const repeated: BlockRecord[] = [];
  const leftOut: BlockRecord[] = [];
  const differences: string[] = [];
  for (const completed of blocks) {
    const { record } = completed;
    // Blocks are numbered without gaps: one that is left out has its number, and does nothing.
    const code = runsAgain(record) ? record.code : 'pass';
    (runsAgain(record) ? repeated : leftOut).push(record);
    const answers = replayAnswers(completed.answers);
    const { result, foreign } = await repeatBlock(stage, record, code, answers).catch((error: unknown) => {
      if (!(error instanceof TypedError) || error.type !== 'Sandbox.Lost') throw error;
      throw lost(
        `The sandbox was lost again when ${place(record)} ran once more, after ${repeated.length - 1} others.`,
      );
    });
    if (code === record.code) differences.push(...differencesOf(record, result, { foreign, unused: answers.left }));
    stage.deps.checkpoint('rebuild.block');
  }
  return { repeated, leftOut, differences };
}

async function repeatBlock(
  { deps, kernel, generation, specification, signal }: Stage,
  { block }: BlockRecord,
  code: string,
  answers: ReplayedAnswers,
): Promise<{ readonly result: BlockResult; readonly foreign: number }> {
  const { sandbox, rlm } = specification.config;
  const { block_timeout: timeout } = sandbox;
  await kernel.exec({
    generation,
    block,
    head: `repeat-${block}`,
    code,
    timeout,
    output_limit: rlm.output_limit,
  });
  let cursor = 0;
  let foreign = 0;
  for (;;) {
    signal.throwIfAborted();
    const reply = await kernel.events({ block, after: cursor, waitMs: LONG_POLL }, signal);
    cursor = reply.cursor;
    for (const event of reply.events) {
      if (event.type === 'done') return { result: event.result, foreign };
      const answer = answers.take((await pendingCall(deps, event)).request);
      if (answer === undefined) foreign += 1;
      const value = answer === undefined ? refusal(event) : await answerValue(deps.chains, answer);
      await kernel.answer({ generation, block, answers: [{ call: event.call, value }] });
    }
  }
}

/** A call that was not made before is never made now: nobody would see what it costs. */
function refusal({ arguments: given }: CallEvent): unknown {
  const text = 'Error: this call was not made when the block first ran; it is not answered while the block runs again';
  const [value] = Object.values(given);
  return Array.isArray(value) ? value.map(() => text) : text;
}

function differencesOf(
  record: BlockRecord,
  result: BlockResult,
  calls: { readonly foreign: number; readonly unused: number },
): string[] {
  const before = record.result;
  const said = sameOutput(before.stdout, result.stdout) && sameOutput(before.stderr, result.stderr);
  const where = place(record);
  // A FINAL that did not count when the block first ran does not count now.
  const isAsBefore = before.status === result.status || (result.final !== null && before.final === null);
  return [
    ...(isAsBefore ? [] : [`${where} ended with ${result.status} instead of ${before.status}`]),
    ...(said ? [] : [`${where} printed something else`]),
    ...(calls.foreign === 0 && calls.unused === 0 ? [] : [`${where} made other calls`]),
  ];
}

function noteOf({ repeated, leftOut, differences }: Repetition): string {
  const ran =
    repeated.length === 0
      ? 'The sandbox was lost and made anew'
      : `The sandbox was lost and made anew: the ${repeated.length === 1 ? 'block' : `${repeated.length} blocks`} so far ran again, with the same answers to their calls`;
  const told = differences.slice(0, TOLD).join('; ');
  const more = differences.length > TOLD ? `; and ${differences.length - TOLD} more` : '';
  const not =
    leftOut.length === 0
      ? ''
      : ` ${capitalized(leftOut.map(place).join(', '))} did not run again, and what ${leftOut.length === 1 ? 'it' : 'they'} had changed is undone.`;
  return `${ran}${repeated.length > 0 && differences.length === 0 ? '; everything is as it was' : ''}.${not}${
    differences.length === 0 ? '' : ` Not as before: ${told}${more}.`
  }`;
}

/** As the model knows its blocks. */
function place({ iteration, index }: BlockRecord): string {
  return index === 0 ? `the block of turn ${iteration}` : `block ${index + 1} of turn ${iteration}`;
}

function capitalized(text: string): string {
  return `${text.slice(0, 1).toUpperCase()}${text.slice(1)}`;
}

function lost(message: string): TypedError {
  return new TypedError('Sandbox.Lost', message);
}
