/** The root agent of every run. Its sub-agents are `0.1`, `0.2`, ..., theirs `0.1.1`, ... */
export const ROOT_AGENT = '0';

export function agentWorkflowId(run: string, agent: string): string {
  return `${run}/${agent}`;
}

export function budgetWorkflowId(run: string): string {
  return `${run}/budget`;
}

/** Run and agent of an agent's workflow id. */
export function splitAgentWorkflowId(workflowId: string): { run: string; agent: string } {
  const slash = workflowId.lastIndexOf('/');
  return { run: workflowId.slice(0, slash), agent: workflowId.slice(slash + 1) };
}

/** Whether it is written as ids of agents are. */
export function isAgentId(agent: string): boolean {
  return /^0(\.[1-9]\d*)*$/.test(agent);
}

/** Id of the agent that started this one; undefined for the root. */
export function parentAgent(agent: string): string | undefined {
  const dot = agent.lastIndexOf('.');
  return dot < 0 ? undefined : agent.slice(0, dot);
}

/** 0 for the root, one more for each level. */
export function agentDepth(agent: string): number {
  return agent.split('.').length - 1;
}

/**
 * The sentence that says what is wrong with a run id, or undefined.
 *
 * @param what - what it names: batches and schedules have names as runs do
 */
export function runIdProblem(id: string, what = 'a run id'): string | undefined {
  const capital = `${what.charAt(0).toUpperCase()}${what.slice(1)}`;
  if (id === '') return `${capital} must not be empty.`;
  if (id.length > 200) return `${capital} may have at most 200 characters; this one has ${id.length}.`;
  if (!/^[A-Za-z0-9][A-Za-z0-9._:@+-]*$/.test(id)) {
    return `"${id}" cannot be ${what}: use letters, digits, '.', '_', '-', ':', '+' and '@', beginning with a letter or digit.`;
  }
  return undefined;
}

/** The schedule that started a workflow of this id: Temporal adds the time of the occurrence to its name. */
export function scheduleOfOccurrence(id: string): string | undefined {
  return /^(.+?)-\d{4}-\d\d-\d\dT[\d:.]+Z(?:-|$)/.exec(id)?.[1];
}

/** What the kernel calls the block that follows a record: enough of its hash to tell two trajectories apart. */
export function blockName(head: string): string {
  return head.slice(0, 16);
}

/** Queue of the activities that must run on one host, because a sandbox lives there. */
export function hostTaskQueue(taskQueue: string, host: string): string {
  return `${taskQueue}@${host}`;
}

/** Queue of the activities that ask models, of runs whose `temporal.queues` is `separate`. */
export function modelsTaskQueue(taskQueue: string): string {
  return `${taskQueue}/models`;
}

/** Queue of the work on sandboxes that is not bound to a host, of the same runs. */
export function sandboxesTaskQueue(taskQueue: string): string {
  return `${taskQueue}/sandboxes`;
}
