import type { TaskReference } from '../domain/contract.ts';
import { agentDepth } from '../domain/ids.ts';
import type { StoredInput } from '../domain/inputs.ts';
import { PROMPT_VERSION } from '../domain/prompts/system-prompt.ts';
import type { CallRequest, TaskRecord } from '../domain/records.ts';
import type { AgentContext } from './agent-context.ts';
import type { Stores } from './dependencies.ts';
import { assertOwnTask } from './origin.ts';

/** An agent's task and its inputs. */
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
    const [record] = await chains.walk(task.ref);
    if (record?.kind !== 'task') throw new Error(`expected a task record, found ${record?.kind}`);
    return recordedTask(record);
  }
  const { list, variables } = (await chains.getJson(task.ref)) as CallRequest;
  const text = list[task.index];
  if (text === undefined) throw new Error(`task ${task.index} of a list of ${list.length}`);
  const handed = variables?.[task.index] ?? [];
  return { text, ...(handed.length === 0 ? {} : { variables: handed }) };
}

/** Begins an agent's trajectory. The same task always gives the same head. @throws TypedError `Input.NotAllowed` */
export async function beginTrajectory(stores: Stores, scope: AgentContext, task: TaskReference): Promise<string> {
  await assertOwnTask(stores, scope, task);
  if (task.index === undefined) return task.ref;
  return stores.chains.append(taskRecord(scope, await agentTask(stores, task)));
}

export function taskRecord(scope: AgentContext, { text, variables }: AgentTask): TaskRecord {
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
