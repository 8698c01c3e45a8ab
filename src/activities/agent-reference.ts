import { activityInfo } from '@temporalio/activity';
import type { TaskReference } from '../domain/contract.ts';
import { TypedError } from '../domain/failures.ts';
import { agentDepth } from '../domain/ids.ts';
import { agentReferenceName, type AgentReference, type Writer } from '../domain/records.ts';
import { truncate } from '../domain/truncate.ts';
import { addUsage, NO_USAGE, type Usage } from '../domain/usage.ts';
import type { AgentContext } from './agent-context.ts';
import { beginTrajectory } from './agent-task.ts';
import type { Stores } from './dependencies.ts';

export async function readAgentReference({ blobs }: Stores, scope: AgentContext): Promise<AgentReference | undefined> {
  const name = agentReferenceName(scope.run, scope.execution, scope.agent);
  return (await blobs.getReference(name)) as AgentReference | undefined;
}

/**
 * The agent's reference, for an activity that continues the agent. One that an earlier execution of it has ended
 * before it was done (it was cancelled, because its parent was reset) is opened again where its work ended.
 */
export async function openAgentReference(stores: Stores, scope: AgentContext): Promise<AgentReference | undefined> {
  const writer = currentWriter();
  return moveReference(stores, scope, async (before) => {
    if (before?.state !== 'done' || before.status === 'completed') return before;
    if (before.writer === undefined || before.writer.execution === writer.execution) return before;
    const { parent } = await stores.chains.record(before.head);
    if (parent === null) return before;
    assertNotFenced(before.writer, writer);
    const { status: _status, ended_at: _ended, ...rest } = before;
    return { ...rest, head: parent, state: 'starting', updated_at: Date.now(), writer };
  });
}

/**
 * Replaces the given fields of the agent's reference. What the newest record cost is added to its usage when the head
 * moves to that record, so a repeated call adds it once.
 *
 * @param from - head that the caller has read; a reference that has left it was moved by somebody else
 * @throws TypedError `Agent.Superseded`
 */
export async function updateAgentReference(
  stores: Stores,
  scope: AgentContext,
  fields: Partial<Omit<AgentReference, 'usage'>> & { readonly head: string },
  used: Usage = NO_USAGE,
  from?: string,
): Promise<AgentReference> {
  const writer = currentWriter();
  return moveReference(stores, scope, async (found) => {
    const before = found ?? (await newAgentReference(stores, scope, fields.head));
    if (before.state === 'done' && before.head === fields.head) return before; // Repeated.
    if (before.state === 'done') throw new TypedError('Agent.Superseded', 'Stale attempt: its agent has ended');
    assertNotFenced(before.writer, writer);
    if (from !== undefined && before.head !== from && before.head !== fields.head)
      throw new TypedError('Agent.Superseded', 'Stale attempt: the trajectory has been extended by another');
    const usage = found?.head === fields.head ? before.usage : addUsage(before.usage, used);
    return { ...before, ...fields, usage, updated_at: Date.now(), writer };
  });
}

/**
 * An attempt after the first claims the agent's reference: those before it may still run, on a worker that was stopped
 * for a while or could not be reached. What they have recorded by then the new attempt finds; after that they can no
 * longer move the reference. `openTrajectory` calls it before it reads, so nothing extends a trajectory without it.
 *
 * @param task - begins the trajectory, where there is none yet
 */
export async function fence(stores: Stores, scope: AgentContext, task: TaskReference): Promise<void> {
  const writer = currentWriter();
  if (writer.attempt === 1) return;
  await moveReference(stores, scope, async (found) => {
    const before = found ?? (await newAgentReference(stores, scope, await beginTrajectory(stores, scope, task)));
    if (before.state === 'done') return before;
    assertNotFenced(before.writer, writer);
    return { ...before, writer };
  });
}

/** Moves the agent's reference to what `next` makes of it, by compare-and-swap: `next` is asked again when it has moved. */
async function moveReference<T extends AgentReference | undefined>(
  { blobs }: Stores,
  { run, execution, agent }: AgentContext,
  next: (before: AgentReference | undefined) => Promise<T>,
): Promise<T> {
  const name = agentReferenceName(run, execution, agent);
  let current = await blobs.readReference(name);
  for (;;) {
    const before = current?.value as AgentReference | undefined;
    const after = await next(before);
    if (after === before || after === undefined) return after;
    const outcome = await blobs.swapReference(name, after, current?.version ?? null);
    if (outcome.kind === 'swapped') return after;
    ({ current } = outcome);
  }
}

function currentWriter(): Writer {
  const { workflowExecution, activityId, attempt, currentAttemptScheduledTimestampMs } = activityInfo();
  return {
    execution: workflowExecution?.runId ?? '',
    activity: Number(activityId),
    attempt,
    scheduled_at: currentAttemptScheduledTimestampMs,
  };
}

/** @throws TypedError `Agent.Superseded` when the reference was last written by a newer attempt. */
function assertNotFenced(before: Writer | undefined, writer: Writer): void {
  if (before !== undefined && isNewer(before, writer))
    throw new TypedError('Agent.Superseded', 'Stale attempt: superseded by a newer one');
}

/** Executions of one workflow follow one another, and only time orders them. */
function isNewer(a: Writer, b: Writer): boolean {
  if (a.execution !== b.execution) return a.scheduled_at > b.scheduled_at;
  return a.activity === b.activity ? a.attempt > b.attempt : a.activity > b.activity;
}

async function newAgentReference({ chains }: Stores, scope: AgentContext, head: string): Promise<AgentReference> {
  const first = (await chains.walk(head))[0];
  const now = Date.now();
  return {
    head,
    agent: scope.agent,
    depth: agentDepth(scope.agent),
    task: first?.kind === 'task' ? truncate(first.task, 200) : '',
    state: 'starting',
    iteration: 0,
    sandbox: null,
    usage: NO_USAGE,
    started_at: now,
    updated_at: now,
  };
}
