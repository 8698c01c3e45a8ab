import { addUsage, NO_USAGE, type Usage } from '../domain/usage.ts';
import { ROOT_AGENT } from '../domain/ids.ts';
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
  /** Its own: without those of a run that it continues. */
  readonly iterations: number;
  readonly sandboxes: number;
  readonly usage: Usage;
}

/**
 * Sums over the tree. Of a run that has ended its outcome counts, which knows what references do not; where it was
 * ended early, agents may have done more than had reached the root.
 */
export function runTotals({ run, agents }: RunSnapshot): RunTotals {
  const { outcome } = run;
  const seen = agents.reduce((sum, agent) => addUsage(sum, agent.usage), NO_USAGE);
  const depths = agents.map((agent) => agent.depth);
  // The root counts on from those that it shares with the run it continues.
  const shared = run.from?.iteration ?? 0;
  const own = agents.map(({ agent, iteration }) =>
    agent === ROOT_AGENT ? Math.max(0, iteration - shared) : iteration,
  );
  const iterations = own.reduce((sum, count) => sum + count, 0);
  return {
    agents: Math.max(agents.length, outcome?.agents ?? 0),
    done: agents.filter((agent) => agent.state === 'done').length,
    max_depth: Math.max(0, outcome?.max_depth ?? 0, ...depths),
    iterations: Math.max(iterations, outcome?.iterations ?? 0),
    sandboxes: Math.max(agents.filter((agent) => agent.sandbox !== null).length, outcome?.sandboxes ?? 0),
    usage: outcome === undefined || seen.llm_calls > outcome.usage.llm_calls ? seen : outcome.usage,
  };
}

/**
 * A run as it stands: after a reset the outcome of before is recorded until there is a new one.
 *
 * @param startedAt - milliseconds since the epoch at which its workflow began last; undefined where Temporal cannot tell
 */
export function withoutOldOutcome(run: RunReference, startedAt: number | undefined): RunReference {
  if (startedAt === undefined || (run.ended_at ?? Infinity) >= startedAt) return run;
  const { outcome: _outcome, ended_at: _ended, ...open } = run;
  return open;
}

/** The same with its agents: the root begins again, and the end that it had is not its end. */
export function currentSnapshot({ run, agents }: RunSnapshot, startedAt: number | undefined): RunSnapshot {
  const current = withoutOldOutcome(run, startedAt);
  if (startedAt === undefined || current.outcome !== undefined) return { run: current, agents };
  return { run: current, agents: agents.map((agent) => reopened(agent, startedAt)) };
}

function reopened(agent: AgentReference, startedAt: number): AgentReference {
  if (agent.agent !== ROOT_AGENT || agent.state !== 'done' || (agent.ended_at ?? Infinity) >= startedAt) return agent;
  const { status: _status, ended_at: _ended, ...open } = agent;
  return { ...open, state: 'starting' };
}

/** When a run did something last, in milliseconds since the epoch: how far its clock got, where it has no outcome. */
export function lastChange({ run, agents }: RunSnapshot): number {
  return Math.max(run.started_at, ...agents.map(({ updated_at }) => updated_at));
}

/**
 * Nothing moves in these, and the clock stands; the last ones are of runs that Temporal ended, whose agents did not come to
 * an end of their own.
 */
export const STILL: ReadonlySet<string> = new Set([
  'paused',
  'suspended',
  'cancelled',
  'failed',
  'terminated',
  'timed_out',
]);

/** Seconds that a run has taken: where nothing moves and there is no outcome, to the last thing that it did. */
export function elapsedSeconds(snapshot: RunSnapshot, status: string, now: number): number {
  const { outcome, started_at: startedAt } = snapshot.run;
  if (outcome !== undefined) return outcome.execution_time;
  return ((STILL.has(status) || status === 'completed' ? lastChange(snapshot) : now) - startedAt) / 1000;
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
