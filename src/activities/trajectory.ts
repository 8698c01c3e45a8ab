import { activityInfo } from '@temporalio/activity';
import type { TaskReference } from '../domain/contract.ts';
import { agentDepth, splitAgentWorkflowId } from '../domain/ids.ts';
import type { StoredInput } from '../domain/inputs.ts';
import { PROMPT_VERSION } from '../domain/prompts/system-prompt.ts';
import {
  agentReferenceName,
  runReferenceName,
  takeoverName,
  type AgentReference,
  type CallRequest,
  type RunReference,
  type TaskRecord,
  type Writer,
} from '../domain/records.ts';
import { TypedError } from '../domain/failures.ts';
import { beginning } from '../domain/truncate.ts';
import { addUsage, NO_USAGE, type Usage } from '../domain/usage.ts';
import type { BlobStore } from '../storage/blob-store.ts';
import type { Chains } from '../storage/chain.ts';

interface Stores {
  readonly blobs: BlobStore;
  readonly chains: Chains;
}

/** Names an agent's data: which run, which execution of it, which agent, and the run's specification. */
export interface AgentScope {
  readonly run: string;
  readonly execution: string;
  readonly agent: string;
  readonly spec: string;
}

const specifications = new WeakMap<BlobStore, Map<string, string>>();

/** Of the agent whose workflow runs the current activity. */
export async function currentScope({ blobs }: Stores, execution: string): Promise<AgentScope> {
  const { workflowExecution } = activityInfo();
  const { run, agent } = splitAgentWorkflowId(workflowExecution?.workflowId ?? '');
  const known = specifications.get(blobs) ?? new Map<string, string>();
  specifications.set(blobs, known);
  const name = runReferenceName(run, execution);
  let spec = known.get(name);
  if (spec === undefined) {
    const reference = (await blobs.getReference(name)) as RunReference | undefined;
    if (reference === undefined) {
      throw new TypedError(
        'Storage.Missing',
        `run ${run} is not in the blob store: does this worker use another store than the one that began it?`,
      );
    }
    spec = reference.spec;
    if (known.size > 1000) known.clear();
    known.set(name, spec);
  }
  return { run, execution, agent, spec };
}

/** What an agent is told to do, and what it is handed with it. */
export interface AgentTask {
  readonly text: string;
  readonly variables?: readonly StoredInput[];
}

/** As it stands at the beginning of a chain. */
export function recordedTask({ task: text, variables }: TaskRecord): AgentTask {
  return { text, ...(variables === undefined ? {} : { variables }) };
}

/** An agent's task, wherever it is kept. */
export async function agentTask({ chains }: Stores, task: TaskReference): Promise<AgentTask> {
  if (task.index === undefined) {
    const record = await chains.record(task.ref);
    if (record.kind !== 'task') throw new Error(`expected a task record, found ${record.kind}`);
    return recordedTask(record);
  }
  const { list, variables } = (await chains.getJson(task.ref)) as CallRequest;
  const text = list[task.index];
  if (text === undefined) throw new Error(`task ${task.index} of a list of ${list.length}`);
  const handed = variables?.[task.index] ?? [];
  return { text, ...(handed.length === 0 ? {} : { variables: handed }) };
}

/** Begins an agent's trajectory. The same task always gives the same head. */
export async function beginTrajectory(stores: Stores, scope: AgentScope, task: TaskReference): Promise<string> {
  if (task.index === undefined) return task.ref;
  return stores.chains.append(taskRecord(scope, await agentTask(stores, task)));
}

export function taskRecord(scope: AgentScope, { text, variables }: AgentTask): TaskRecord {
  return {
    v: 1,
    kind: 'task',
    parent: null,
    agent: scope.agent,
    depth: agentDepth(scope.agent),
    run: scope.spec,
    task: text,
    ...(variables === undefined ? {} : { variables }),
    prompt_version: PROMPT_VERSION,
  };
}

export async function readAgentReference({ blobs }: Stores, scope: AgentScope): Promise<AgentReference | undefined> {
  const name = agentReferenceName(scope.run, scope.execution, scope.agent);
  return (await blobs.getReference(name)) as AgentReference | undefined;
}

/**
 * The agent's reference, for an activity that goes on with the agent. One that an earlier execution of it has ended
 * before it was done (it was cancelled, because its parent was reset) is opened again where its work ended.
 */
export async function openAgentReference(stores: Stores, scope: AgentScope): Promise<AgentReference | undefined> {
  const reference = await readAgentReference(stores, scope);
  if (reference?.state !== 'done' || reference.status === 'completed') return reference;
  const writer = currentWriter();
  if (reference.writer === undefined || reference.writer[0] === writer[0]) return reference;
  const { parent } = await stores.chains.record(reference.head);
  if (parent === null) return reference;
  const { status: _status, ended_at: _ended, ...before } = reference;
  const after: AgentReference = { ...before, head: parent, state: 'starting', updated_at: Date.now(), writer };
  await stores.blobs.setReference(agentReferenceName(scope.run, scope.execution, scope.agent), after);
  return after;
}

/**
 * Replaces the given fields of the agent's reference, and adds to its usage. Activities of one agent that write it
 * follow one another, so nothing is lost between reading and writing.
 */
export async function updateAgentReference(
  stores: Stores,
  scope: AgentScope,
  fields: Partial<Omit<AgentReference, 'usage'>> & { readonly head: string },
  used: Usage = NO_USAGE,
): Promise<AgentReference> {
  const before = (await readAgentReference(stores, scope)) ?? (await newAgentReference(stores, scope, fields.head));
  if (before.state === 'done') throw new Error('Stale attempt: its agent has ended.');
  const writer = currentWriter();
  refuseIfOvertaken(before.writer, writer);
  const { run, execution, agent } = scope;
  const takenOver = async (): Promise<Writer | undefined> =>
    (await stores.blobs.getReference(takeoverName(run, execution, agent))) as Writer | undefined;
  // The last word was another execution's: of one before, or of one after that this attempt has outlived.
  if (before.writer !== undefined && before.writer[0] !== writer[0]) refuseIfOvertaken(await takenOver(), writer);
  const usage = addUsage(before.usage, used);
  const after: AgentReference = { ...before, ...fields, usage, updated_at: Date.now(), writer };
  await stores.blobs.setReference(agentReferenceName(run, execution, agent), after);
  // Only now: whoever takes over says so before it reads the reference. Either it finds this record, or it is found.
  refuseIfOvertaken(await takenOver(), writer);
  return after;
}

/**
 * To be called first by what extends the chain. An attempt after the first takes it over from those before, which may
 * still be there: on a worker that was stopped for a while, or could not be reached. What they have recorded by then it
 * finds; what they still have to say is refused.
 */
export async function takeOver({ blobs }: Stores, { run, execution, agent }: AgentScope): Promise<void> {
  const writer = currentWriter();
  if (writer[2] === 1) return;
  const name = takeoverName(run, execution, agent);
  refuseIfOvertaken((await blobs.getReference(name)) as Writer | undefined, writer);
  await blobs.setReference(name, writer);
}

function currentWriter(): Writer {
  const { workflowExecution, activityId, attempt } = activityInfo();
  return [workflowExecution?.runId ?? '', Number(activityId), attempt];
}

function refuseIfOvertaken(before: Writer | undefined, writer: Writer): void {
  if (before === undefined || before[0] !== writer[0]) return;
  if (before[1] > writer[1] || (before[1] === writer[1] && before[2] > writer[2]))
    throw new Error('a later attempt has taken over: this worker was stopped for a while, or could not be reached');
}

async function newAgentReference({ chains }: Stores, scope: AgentScope, head: string): Promise<AgentReference> {
  const first = (await chains.walk(head))[0];
  const now = Date.now();
  return {
    head,
    agent: scope.agent,
    depth: agentDepth(scope.agent),
    task: first?.kind === 'task' ? beginning(first.task, 200) : '',
    state: 'starting',
    iteration: 0,
    sandbox: null,
    usage: NO_USAGE,
    started_at: now,
    updated_at: now,
  };
}
