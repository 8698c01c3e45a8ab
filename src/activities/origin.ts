import type { TaskReference } from '../domain/contract.ts';
import { TypedError } from '../domain/failures.ts';
import { parentAgent, ROOT_AGENT } from '../domain/ids.ts';
import { agentReferenceName, type AgentReference, type PendingCall } from '../domain/records.ts';
import type { AgentContext } from './agent-context.ts';
import type { Stores } from './dependencies.ts';

/**
 * Whether an agent's run started it. Anybody who reaches Temporal can start an agent's workflow under
 * the id of any run, and name any blob as its task; it would be done with what that run may do. So a root's task is the
 * prompt of its run, and a sub-agent's stands among the calls that its parent has recorded.
 *
 * @throws TypedError `Input.NotAllowed`
 */
export async function assertOwnTask(stores: Stores, scope: AgentContext, task: TaskReference): Promise<void> {
  const parent = parentAgent(scope.agent);
  const isOwn =
    parent === undefined
      ? await isPromptOfRun(stores, scope, task)
      : task.index !== undefined &&
        (await hasCalled(stores, { ...scope, agent: parent }, ({ request }) => request === task.ref));
  if (!isOwn) throw refused(scope, 'this task');
}

/**
 * The same for a call that is to be answered: its agent has recorded it before its workflow knew of it.
 *
 * @throws TypedError `Input.NotAllowed`
 */
export async function assertOwnCall(
  stores: Stores,
  scope: AgentContext,
  { call, request }: Pick<PendingCall, 'call' | 'request'>,
): Promise<void> {
  const isOwn = await hasCalled(stores, scope, (made) => made.call === call && made.request === request);
  if (!isOwn) throw refused(scope, `call ${call}`);
}

async function isPromptOfRun({ chains }: Stores, scope: AgentContext, task: TaskReference): Promise<boolean> {
  if (scope.agent !== ROOT_AGENT || task.index !== undefined) return false;
  const [record, run] = await Promise.all([chains.record(task.ref), chains.specification(scope.spec)]);
  const { kind, parent } = record;
  if (kind === 'fork') return record.run === scope.spec && record.agent === scope.agent;
  return (
    kind === 'task' &&
    parent === null &&
    record.run === scope.spec &&
    record.agent === scope.agent &&
    record.task === run.prompt &&
    record.variables === undefined
  );
}

/** Looks from the newest record back: what is asked about was mostly recorded a moment ago. */
async function hasCalled(
  { blobs, chains }: Stores,
  { run, execution, agent }: AgentContext,
  isIt: (call: PendingCall) => boolean,
): Promise<boolean> {
  const reference = (await blobs.getReference(agentReferenceName(run, execution, agent))) as AgentReference | undefined;
  for (let hash = reference?.head ?? null; hash !== null;) {
    // oxlint-disable-next-line no-await-in-loop -- each record names the one before it
    const record = await chains.record(hash);
    if (record.kind === 'calls' && record.calls.some(isIt)) return true;
    hash = record.parent;
  }
  return false;
}

function refused({ run, agent }: AgentContext, what: string): TypedError {
  return new TypedError(
    'Input.NotAllowed',
    `Agent ${agent} of run ${run} was not given ${what} by its run: agents are started by rlm_query of their run only.`,
  );
}
