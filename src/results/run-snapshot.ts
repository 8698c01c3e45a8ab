import { addUsage, NO_USAGE, type Usage } from '../domain/usage.ts';
import type { AgentReference, RunReference } from '../domain/records.ts';

/** What is known of a run at one moment, read from its references alone: no worker and no Temporal needed. */
export interface RunSnapshot {
  readonly run: RunReference;
  /** Parents before children, siblings in the order they were started. */
  readonly agents: readonly AgentReference[];
}

export interface RunTotals {
  readonly agents: number;
  readonly done: number;
  readonly max_depth: number;
  readonly iterations: number;
  readonly sandboxes: number;
  readonly usage: Usage;
}

/** Sums over the tree. Of a run that has ended its outcome counts, which knows what references do not. */
export function runTotals({ run, agents }: RunSnapshot): RunTotals {
  const done = agents.filter((agent) => agent.state === 'done').length;
  if (run.outcome !== undefined) {
    const { max_depth, iterations, sandboxes, usage } = run.outcome;
    return { agents: run.outcome.agents, done, max_depth, iterations, sandboxes, usage };
  }
  return {
    agents: agents.length,
    done,
    max_depth: agents.reduce((depth, agent) => Math.max(depth, agent.depth), 0),
    iterations: agents.reduce((sum, agent) => sum + agent.iteration, 0),
    sandboxes: agents.filter((agent) => agent.sandbox !== null).length,
    usage: agents.reduce((sum, agent) => addUsage(sum, agent.usage), NO_USAGE),
  };
}

/** Id of the agent that started this one; undefined for the root. */
export function parentAgent(agent: string): string | undefined {
  const dot = agent.lastIndexOf('.');
  return dot < 0 ? undefined : agent.slice(0, dot);
}

/** Orders `0`, `0.2`, `0.2.1`, `0.10`: by number, not by letter. */
export function compareAgentIds(a: string, b: string): number {
  const [left, right] = [a.split('.').map(Number), b.split('.').map(Number)];
  for (let index = 0; index < Math.max(left.length, right.length); index += 1) {
    const difference = (left[index] ?? -1) - (right[index] ?? -1);
    if (difference !== 0) return difference;
  }
  return 0;
}
