import type { PreparedRun } from '../domain/contract.ts';
import { ROOT_AGENT } from '../domain/ids.ts';
import { runReferenceName, type ChainRecord, type RunReference, type RunSpecification } from '../domain/records.ts';
import { truncate } from '../domain/truncate.ts';
import type { AgentContext } from './agent-context.ts';
import { sandboxRequest } from './create-sandbox.ts';
import type { ActivityDependencies } from './dependencies.ts';
import { withHeartbeat } from './with-heartbeat.ts';
import { taskRecord } from './agent-task.ts';

const FIRST_GENERATION = 0;
const MAX_SUMMARY_CHARACTERS = 200;

export interface RunBeginning {
  /** What the trajectory of the root continues from. @param spec hash of the specification */
  readonly first: (spec: string) => ChainRecord;
  readonly summary: string;
  readonly ceilings: PreparedRun['ceilings'];
  /** The worker's own user started it. */
  readonly granted: boolean;
  /** What the run before in its series had found. */
  readonly findingsBefore?: RunReference['findings_before'];
  readonly schedule?: string | undefined;
  /** The run that it takes up. */
  readonly from?: RunReference['from'];
}

export function rootTask({ run, execution }: RunSpecification, spec: string, text: string): ChainRecord {
  return taskRecord({ run, execution, spec, settings: spec, agent: ROOT_AGENT }, { text });
}

/** What every kind of run begins with, once it is specified. */
export async function beginRun(
  deps: ActivityDependencies,
  specification: RunSpecification,
  { first: record, summary, ceilings, granted, from, findingsBefore, schedule }: RunBeginning,
): Promise<PreparedRun> {
  const { run, execution } = specification;
  const spec = await deps.chains.putJson(specification);
  await deps.admission.admitted(spec, run);
  const scope = { run, execution, spec, settings: spec, agent: ROOT_AGENT };
  const task = await deps.chains.append(record(spec));
  const reference: RunReference = {
    run,
    execution,
    spec,
    ...(from === undefined ? {} : { from }),
    ...(findingsBefore === undefined ? {} : { findings_before: findingsBefore }),
    ...(granted ? { granted } : {}),
    ...(schedule === undefined ? {} : { schedule }),
    cluster: deps.cluster,
    namespace: deps.namespace,
    started_at: Date.now(),
  };
  await deps.blobs.setReference(runReferenceName(run, execution), reference);
  return readyToBegin(deps, { scope, specification, task, summary, ceilings });
}

/** The first sandbox is tried where its setup may fail, and what the workflow has to know comes back. */
export async function readyToBegin(
  deps: ActivityDependencies,
  {
    scope,
    specification,
    task,
    summary,
    ceilings,
  }: Pick<PreparedRun, 'task' | 'summary'> & {
    readonly scope: AgentContext;
    readonly specification: RunSpecification;
    readonly ceilings: PreparedRun['ceilings'];
  },
): Promise<PreparedRun> {
  const { config } = specification;
  const provider = deps.sandboxes(config.sandbox.provider);
  const first = sandboxRequest(deps, { scope, generation: FIRST_GENERATION, run: specification });
  await withHeartbeat((signal) => provider.prepare(first, signal));
  return {
    spec: scope.spec,
    task,
    limits: config.rlm,
    ceilings,
    idle_timeout: config.sandbox.idle_timeout,
    queues: config.temporal.queues,
    ...(deps.notifies ? { notifies: true } : {}),
    summary: truncate(summary.replaceAll(/\s+/g, ' '), MAX_SUMMARY_CHARACTERS),
    memo: {
      ...(specification.repository === undefined ? {} : { repository: specification.repository.name }),
      ...(specification.repository === undefined ? {} : { commit: specification.repository.commit }),
      prompt: truncate(specification.prompt.replaceAll(/\s+/g, ' '), MAX_SUMMARY_CHARACTERS),
    },
    search_attributes: await deps.searchAttributes(),
  };
}
