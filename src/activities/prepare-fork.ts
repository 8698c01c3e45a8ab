import type { AnalyzeInput, ForkSource, InvestigateInput, PreparedRun } from '../domain/contract.ts';
import { TypedError } from '../domain/failures.ts';
import { forkPoint, type ForkPoint } from '../domain/fork.ts';
import { isAgentId, ROOT_AGENT } from '../domain/ids.ts';
import { isRecord } from '../domain/is-record.ts';
import {
  agentReferenceName,
  type AgentReference,
  type ChainRecord,
  type ForkRecord,
  type RunReference,
  type RunSpecification,
} from '../domain/records.ts';
import { truncate } from '../domain/truncate.ts';
import type { ActivityDependencies } from './dependencies.ts';
import { beginRun } from './begin-run.ts';

export type ForkRequest =
  | { readonly type: 'investigate'; readonly run: string; readonly execution: string; readonly input: InvestigateInput }
  | { readonly type: 'analyze'; readonly run: string; readonly execution: string; readonly input: AnalyzeInput };

interface Source {
  readonly agent: string;
  readonly reference: RunReference;
  readonly specification: RunSpecification;
  readonly head: string;
  readonly point: ForkPoint;
}

/**
 * Specifies a run that takes up the work of another: the same task, repository and inputs, and the records of an agent up
 * to an iteration. What the input names in `config` counts; the number of iterations is that of new ones.
 */
export async function prepareFork(
  deps: ActivityDependencies,
  { run, execution, ...request }: ForkRequest,
  from: ForkSource,
): Promise<PreparedRun> {
  const source = await findSource(deps, request.type, from);
  const { specification, point, agent, reference } = source;
  const { config, ceilings, granted } = await deps.admission.admit({
    ...request,
    run,
    source: { run: reference.run, granted: reference.granted === true, repository: specification.repository },
  });
  const { iteration, started } = point;
  const limits = { ...config.rlm, max_iterations: iteration + config.rlm.max_iterations };
  const message = from.message ?? ('prompt' in request.input ? request.input.prompt : undefined);
  const fork = (spec: string): ForkRecord => ({
    v: 1,
    kind: 'fork',
    parent: source.head,
    run: spec,
    agent: ROOT_AGENT,
    from: { run: reference.run, execution: reference.execution, agent },
    iteration: iteration + 1,
    message: message ?? null,
  });
  const title = message ?? `as ${reference.run} from iteration ${iteration}`;
  const prepared = await beginRun(
    deps,
    { ...specification, run, execution, prompt: message ?? specification.prompt, config: { ...config, rlm: limits } },
    {
      first: fork,
      summary: `${reference.run} at ${iteration}: ${title}`,
      ceilings,
      granted,
      from: { run: reference.run, execution: reference.execution, agent, iteration },
    },
  );
  return { ...prepared, fork: { iteration, started } };
}

async function findSource(
  deps: ActivityDependencies,
  type: RunSpecification['type'],
  from: ForkSource,
): Promise<Source> {
  const { run, execution, agent = ROOT_AGENT, at } = checked(from);
  const reference = await deps.findRun(run, execution);
  if (reference === undefined) throw invalid(`There is no run "${truncate(run, 100)}" to take up.`);
  const [specification, found] = await Promise.all([
    deps.chains.specification(reference.spec),
    deps.blobs.getReference(agentReferenceName(run, reference.execution, agent)),
  ]);
  if (specification.type !== type)
    throw invalid(`Run "${run}" is of the type ${specification.type}: start this one as ${specification.type}.`);
  if (type === 'analyze' && agent !== ROOT_AGENT)
    throw invalid('Only the root agent of an analysis can be forked: its sub-agents give no fields.');
  if (found === undefined) throw invalid(`Run "${run}" has no agent ${agent}.`);
  const records = await deps.chains.walk((found as AgentReference).head);
  const point = forkPoint(records, at);
  if (point.kind === 'none') throw invalid(point.problem);
  const head = hashOfLast(records, point.point.records, (found as AgentReference).head);
  return { agent, reference, specification, head, point: point.point };
}

function hashOfLast(all: readonly ChainRecord[], shared: readonly ChainRecord[], head: string): string {
  return all[shared.length]?.parent ?? head;
}

function checked(from: unknown): ForkSource {
  if (!isRecord(from)) throw invalid('`fork` must be an object such as {"run": "...", "at": 3}.');
  const { run, execution, agent, at, message, ...others } = from;
  const [unknown] = Object.keys(others);
  if (unknown !== undefined)
    throw invalid(`\`fork.${truncate(unknown, 50)}\` is not known: there are run, execution, agent, at and message.`);
  if (typeof run !== 'string' || run === '') throw invalid('`fork.run` must be the id of a run.');
  if (execution !== undefined && typeof execution !== 'string')
    throw invalid('`fork.execution` must be an execution id.');
  if (agent !== undefined && !(typeof agent === 'string' && isAgentId(agent)))
    throw invalid('`fork.agent` must be the id of an agent, such as 0 or 0.1.');
  if (at !== undefined && typeof at !== 'number') throw invalid('`fork.at` must be the number of an iteration.');
  if (message !== undefined && typeof message !== 'string') throw invalid('`fork.message` must be a text.');
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- each of its fields has been checked
  return from as unknown as ForkSource;
}

function invalid(message: string): TypedError {
  return new TypedError('Input.Invalid', message);
}
