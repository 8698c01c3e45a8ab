import { addUsage, NO_USAGE, type Usage } from '../domain/usage.ts';
import type { AgentRow, AgentTime, AgentView, Finding, Statistics, TimePart } from './model.ts';
import { agentFindings, unfinishedAgents } from './read-findings.ts';

/** Adds up a run's agents, given one by one: their trajectories need not be in memory together. */
export interface StatisticsReader {
  add(agent: Pick<AgentView, 'row' | 'iterations'>): void;
  statistics(): Statistics;
}

/** @param agents all of the run, for when they began and ended */
export function createStatistics(agents: readonly AgentRow[], startedAt: number | null): StatisticsReader {
  const rows = new Map(agents.map((row) => [row.id, row]));
  const from = startedAt ?? 0;
  const models = new Map<string, { calls: number; usage: Usage; seconds: number }>();
  const timeline: AgentTime[] = [];
  const waits = new Map<string, string[]>();
  const findings: Finding[] = [];
  const seen: AgentRow[] = [];
  const sums = { model_time: 0, code_time: 0, blocks: 0, failed_blocks: 0, queries: 0, tool_calls: 0 };

  const endOf = (id: string): number => {
    const row = rows.get(id);
    if (row?.started_at === null || row?.started_at === undefined) return 0;
    return (row.ended_at ?? row.started_at + row.execution_time * 1000) / 1000 - from / 1000;
  };

  return {
    add(agent) {
      seen.push(agent.row);
      findings.push(...agentFindings(agent));
      for (const { model, usage, model_time, blocks } of agent.iterations) {
        const sum = models.get(model) ?? { calls: 0, usage: NO_USAGE, seconds: 0 };
        models.set(model, {
          calls: sum.calls + 1,
          usage: addUsage(sum.usage, usage),
          seconds: sum.seconds + model_time,
        });
        sums.model_time += model_time;
        for (const block of blocks) {
          sums.blocks += 1;
          sums.code_time += block.execution_time;
          if (block.status !== 'ok' && block.status !== 'running') sums.failed_blocks += 1;
          for (const { function: name, count, usage: paid } of block.calls) {
            if (name.startsWith('llm_query')) {
              sums.queries += count;
              const key = 'llm_query';
              const before = models.get(key) ?? { calls: 0, usage: NO_USAGE, seconds: 0 };
              models.set(key, { ...before, calls: before.calls + count, usage: addUsage(before.usage, paid) });
            } else if (!name.startsWith('rlm_query')) sums.tool_calls += 1;
          }
        }
      }
      const { id, started_at: started } = agent.row;
      if (started === null) return;
      const start = (started - from) / 1000;
      const end = endOf(id);
      const { parts, waitedFor } = layOut(agent, { start, end, endOf });
      timeline.push({ id, start, end, parts });
      waits.set(id, waitedFor);
    },
    statistics: () => ({
      by_model: [...models].map(([model, sum]) => ({ model, ...sum })).toSorted((a, b) => b.usage.cost - a.usage.cost),
      ...sums,
      findings: [...unfinishedAgents(seen), ...findings],
      timeline,
      critical_path: rows.has('0') ? criticalPath('0', waits) : [],
    }),
  };
}

interface Times {
  readonly start: number;
  readonly end: number;
  readonly endOf: (id: string) => number;
}

/** Puts an agent's durations one after another; where it waited for sub-agents, their recorded ends say how long. */
function layOut(
  { iterations }: Pick<AgentView, 'iterations'>,
  { start, end, endOf }: Times,
): { parts: TimePart[]; waitedFor: string[] } {
  const parts: TimePart[] = [];
  const waitedFor: string[] = [];
  let at = start;
  const push = (kind: TimePart['kind'], until: number, iteration: number): void => {
    const to = Math.min(until, end);
    if (to <= at) return;
    parts.push({ kind, start: milliseconds(at), end: milliseconds(to), iteration });
    at = to;
  };
  for (const { iteration, model_time, blocks } of iterations) {
    push('model', at + model_time, iteration);
    for (const { spawned, execution_time } of blocks) {
      const [last] = spawned.toSorted((a, b) => endOf(b) - endOf(a));
      if (last !== undefined) {
        waitedFor.push(last);
        push('waiting', endOf(last), iteration);
      }
      push('code', at + execution_time, iteration);
    }
  }
  push('other', end, iterations.at(-1)?.iteration ?? 0);
  return { parts, waitedFor };
}

/** Seconds, no finer than that. */
function milliseconds(seconds: number): number {
  return Math.round(seconds * 1000) / 1000;
}

function criticalPath(agent: string, waits: ReadonlyMap<string, readonly string[]>): string[] {
  return [agent, ...(waits.get(agent) ?? []).flatMap((child) => criticalPath(child, waits))];
}
