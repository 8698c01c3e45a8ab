import type { BlockStep } from '../domain/contract.ts';
import type { BlockResult } from '../domain/kernel-protocol.ts';
import type { AnswersRecord, BlockRecord, ChainRecord } from '../domain/records.ts';
import { spawnedAgents } from './answers.ts';
import type { ActivityDependencies } from './dependencies.ts';
import { updateAgentReference } from './trajectory.ts';
import { nextStep, type TurnContext } from './turn-context.ts';

/** Adds a block that has ended to the chain; returns the new head. */
export async function recordBlock(
  turn: TurnContext,
  head: string,
  step: BlockStep,
  result: BlockResult,
): Promise<string> {
  const { deps, input } = turn;
  const [full, answered] = await Promise.all([fullOutput(turn, step, result), answersOf(deps, head, step.block)]);
  const record: BlockRecord = {
    v: 1,
    kind: 'block',
    parent: head,
    iteration: turn.iteration,
    block: step.block,
    index: step.index,
    code: turn.codes[step.index] ?? '',
    result,
    spawned: answered.flatMap(({ answer }) => spawnedAgents(answer)),
    calls: answered.map(({ call, request }) => ({ call, request })),
    ...(full === undefined ? {} : { full }),
  };
  const next = await deps.chains.append(record);
  const more = nextStep(turn, step, result) !== undefined;
  await updateAgentReference(deps, input.scope, {
    head: next,
    state: more ? 'running' : result.final === null ? 'thinking' : 'closing',
    iteration: more || result.final !== null ? turn.iteration : turn.iteration + 1,
    sandbox: turn.sandboxId,
  });
  return next;
}

async function answersOf(deps: ActivityDependencies, head: string, block: number): Promise<AnswersRecord['answers']> {
  const answers: AnswersRecord['answers'][] = [];
  for (let hash: string | null = head; hash !== null;) {
    const record: ChainRecord = await deps.chains.record(hash);
    if (record.kind === 'answers' && record.block === block) answers.unshift(record.answers);
    else if (record.kind !== 'rebuild') break;
    hash = record.parent;
  }
  return answers.flat();
}

/** The whole captured text as blobs, where the result holds only its head and tail. */
async function fullOutput(
  { kernel, deps, specification }: TurnContext,
  step: BlockStep,
  result: BlockResult,
): Promise<BlockRecord['full']> {
  const store = async (stream: 'stdout' | 'stderr'): Promise<string> =>
    deps.blobs.put(await kernel.output({ block: step.block, stream, offset: 0 }));
  const limit = specification.config.rlm.output_limit;
  const stdout = result.stdout_length > limit ? await store('stdout') : undefined;
  const stderr = result.stderr_length > limit ? await store('stderr') : undefined;
  if (stdout === undefined && stderr === undefined) return undefined;
  return { ...(stdout === undefined ? {} : { stdout }), ...(stderr === undefined ? {} : { stderr }) };
}
