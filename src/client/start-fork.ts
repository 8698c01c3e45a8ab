import type { ConfigInput } from '../config/schema.ts';
import { parseConfig } from '../config/load-config.ts';
import type { RunConfig } from '../domain/config.ts';
import type { ForkSource } from '../domain/contract.ts';
import { TypedError } from '../domain/failures.ts';
import { forkPoint } from '../domain/fork.ts';
import { ROOT_AGENT, runIdProblem } from '../domain/ids.ts';
import {
  agentReferenceName,
  type AgentReference,
  type RunReference,
  type RunSpecification,
} from '../domain/records.ts';
import { truncate } from '../domain/truncate.ts';
import { findRun } from '../results/find-run.ts';
import type { BlobStore } from '../storage/blob-store.ts';
import { createChains } from '../storage/chain.ts';
import { identityOf, portableConfig, typedConfig } from './run-arguments.ts';
import { createPlan, type RunPlan } from './start-run.ts';
import type { WorkflowStart } from './temporal-runs.ts';

/** A run that takes up the work of another. */
export interface ForkArguments extends ForkSource {
  /** Default: the name of the other run, with the iteration and a number. */
  readonly id?: string;
  /** What is another than in the run that is taken up. */
  readonly config?: ConfigInput;
}

/**
 * Checks that the other run is there and has what is asked for.
 *
 * @param kind - `continue`: the id that is made up counts on from the other's
 * @throws TypedError `Input.Invalid`
 */
export async function planFork(
  blobs: BlobStore,
  { id, config = {}, ...from }: ForkArguments,
  kind: 'continue' | 'fork',
): Promise<{ readonly plan: RunPlan; readonly type: WorkflowStart['type']; readonly config: RunConfig }> {
  const problem = id === undefined ? undefined : runIdProblem(id);
  if (problem !== undefined) throw invalid(problem);
  if (from.message !== undefined && from.message.trim() === '')
    throw invalid('The prompt is empty: say what is to be done.');
  const source = await findRun(blobs, from.run);
  if (source === undefined) throw invalid(`There is no run "${from.run}": rlm list shows those there are.`);
  const { specification, iteration } = await lookAt(blobs, source, from);
  const { type } = specification;
  const merged = configOf(specification.config, source, config);
  const exact: ForkSource = { ...from, execution: source.execution, at: iteration };
  const run = id ?? (await freeId(blobs, kind === 'continue' ? `${from.run}+` : `${from.run}-at-${iteration}+`));
  const summary = truncate(`${from.run} at ${iteration}: ${from.message ?? 'again'}`.replaceAll(/\s+/g, ' '), 200);
  const input = { fork: exact, config: { ...portableConfig(merged), rlm: rlmOf(merged) } };
  const start: WorkflowStart = type === 'investigate' ? { type, input } : { type, input };
  return {
    type,
    config: merged,
    plan: createPlan({
      id: run,
      title: run,
      identity: () => Promise.resolve(identityOf({ fork: exact, config: typedConfig(merged) })),
      prepare: () => Promise.resolve({ ...start, summary, warnings: [] }),
    }),
  };
}

async function lookAt(
  blobs: BlobStore,
  source: RunReference,
  { agent = ROOT_AGENT, at }: ForkSource,
): Promise<{ readonly specification: RunSpecification; readonly iteration: number }> {
  const chains = createChains(blobs);
  const [specification, found] = await Promise.all([
    chains.specification(source.spec),
    blobs.getReference(agentReferenceName(source.run, source.execution, agent)),
  ]);
  if (found === undefined) throw invalid(`Run "${source.run}" has no agent ${agent}.`);
  const point = forkPoint(await chains.walk((found as AgentReference).head), at);
  if (point.kind === 'none') throw invalid(point.problem);
  return { specification, iteration: point.point.iteration };
}

/** That of the other run, and what is given over it. Iterations that the other run has shared do not count. */
function configOf(
  { model, rlm, sandbox, repository }: RunConfig,
  { from }: RunReference,
  given: ConfigInput,
): RunConfig {
  const before = {
    model,
    rlm: { ...rlm, max_iterations: rlm.max_iterations - (from?.iteration ?? 0) },
    sandbox,
    // How its repository was reached is this worker's to say.
    repository: repository.token_env === undefined ? {} : { token_env: repository.token_env },
  };
  return parseConfig(given, before);
}

function rlmOf(config: RunConfig): Record<string, unknown> {
  const { rlm } = portableConfig(config);
  return { ...(rlm as Record<string, unknown> | undefined), max_iterations: config.rlm.max_iterations };
}

/** `todo+2` after `todo`, and `todo+3` after that. */
async function freeId(blobs: BlobStore, before: string): Promise<string> {
  const [, base = before, number] = /^(.*?\+)(\d+)?\+?$/.exec(before) ?? [];
  for (let next = Number(number ?? 1) + 1; ; next += 1) {
    const id = `${base}${next}`;
    // oxlint-disable-next-line no-await-in-loop -- until one is free
    if ((await findRun(blobs, id)) === undefined) return id;
  }
}

function invalid(message: string): TypedError {
  return new TypedError('Input.Invalid', message);
}
