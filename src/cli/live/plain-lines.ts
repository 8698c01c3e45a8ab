import type { AgentReference } from '../../domain/records.ts';
import { runTotals, type RunSnapshot } from '../../results/run-snapshot.ts';
import { activity } from './activity.ts';
import { formatClock, formatCost, formatCount, plural } from './format.ts';
import { fit, oneLine } from './text.ts';

export interface PlainLineOptions {
  /** Lines for every iteration of every agent, not only of the root. */
  readonly verbose: boolean;
  /** Events of one kind beyond this number become one line. */
  readonly most: number;
}

/** What happened between two snapshots and is worth reading where no tree can be drawn; a pure function. */
export function describeChanges(
  before: RunSnapshot | undefined,
  after: RunSnapshot,
  { verbose, most }: PlainLineOptions,
): string[] {
  const known = new Map((before?.agents ?? []).map((agent) => [agent.agent, agent]));
  const started = after.agents.filter(({ agent }) => !known.has(agent));
  const ended = after.agents.filter(({ agent, state }) => state === 'done' && known.get(agent)?.state !== 'done');
  const turned = after.agents.filter((agent) => {
    const previous = known.get(agent.agent)?.iteration ?? 0;
    return agent.state !== 'done' && agent.iteration > previous && (verbose || agent.depth === 0);
  });
  return [
    ...grouped(started, most, startLine, (list) => `${plural(list.length, 'agent')} started: ${range(list)}`),
    ...grouped(
      turned,
      most,
      turnLine,
      (list) => `${plural(list.length, 'agent')} began a new iteration: ${range(list)}`,
    ),
    ...grouped(
      ended,
      most,
      endLine,
      (list) => `${plural(list.length, 'agent')} ended: ${range(list)}${exceptions(list)}`,
    ),
  ];
}

/** How far a run is, in one line. */
export function totalsLine(snapshot: RunSnapshot, now: number): string {
  const { agents, done, iterations, usage } = runTotals(snapshot);
  const parts = [
    formatClock(now - snapshot.run.started_at),
    `${plural(agents, 'agent')}, ${done} done`,
    plural(iterations, 'iteration'),
    `${formatCount(usage.input_tokens + usage.output_tokens)} tokens`,
    formatCost(usage.cost),
  ];
  return parts.filter((part) => part !== '').join(' · ');
}

function grouped(
  agents: readonly AgentReference[],
  most: number,
  one: (agent: AgentReference) => string,
  many: (agents: readonly AgentReference[]) => string,
): string[] {
  return agents.length <= most ? agents.map(one) : [many(agents)];
}

function startLine(agent: AgentReference): string {
  return `${name(agent)} started: ${fit(oneLine(agent.task), 100)}`;
}

function turnLine(agent: AgentReference): string {
  return `${name(agent)} iteration ${agent.iteration}: ${activity(agent, 0)}`;
}

function endLine(agent: AgentReference): string {
  const { usage } = agent;
  const details = [
    formatClock((agent.ended_at ?? agent.updated_at) - agent.started_at),
    plural(agent.iteration, 'iteration'),
    `${formatCount(usage.input_tokens + usage.output_tokens)} tokens`,
    formatCost(usage.cost),
  ];
  return `${name(agent)} ${activity(agent, 0)} (${details.filter((part) => part !== '').join(', ')})`;
}

function exceptions(agents: readonly AgentReference[]): string {
  const parts = (['failed', 'cancelled'] as const).flatMap((status) => {
    const count = agents.filter((agent) => agent.status === status).length;
    return count === 0 ? [] : [`${count} ${status}`];
  });
  return parts.length === 0 ? '' : ` (${parts.join(', ')})`;
}

function range(agents: readonly AgentReference[]): string {
  const [first, last] = [agents[0], agents.at(-1)];
  if (first === undefined || last === undefined) return '';
  return first === last ? first.agent : `${first.agent} to ${last.agent}`;
}

function name(agent: AgentReference): string {
  return agent.depth === 0 ? `agent ${agent.agent}` : `agent ${agent.agent} (depth ${agent.depth})`;
}
