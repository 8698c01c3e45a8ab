import { parentAgent } from '../domain/ids.ts';
import { dollars } from './dollars.ts';
import type { AgentRow, AgentView, Finding } from './model.ts';

/** What a person should look at first, from the tree alone: agents that failed or were stopped, and the costliest. */
export function treeFindings(agents: readonly AgentRow[]): Finding[] {
  return [...failures(agents), ...costliest(agents)];
}

/** Agents of the same error share a line. A failure that only repeats one below it comes after that one. */
function failures(agents: readonly AgentRow[]): Finding[] {
  const findings: Finding[] = [];
  for (const status of ['failed', 'cancelled'] as const) {
    const groups = new Map<string, { ids: string[]; text: string }>();
    for (const { id, error, ...agent } of agents) {
      if (agent.status !== status) continue;
      const text = error ?? 'without a reason';
      const why = text.replaceAll(/\b0(?:\.\d+)+\b/g, '…');
      const group = groups.get(why);
      if (group === undefined) groups.set(why, { ids: [id], text });
      else group.ids.push(id);
    }
    for (const [why, { ids, text }] of groups) {
      const who = ids.length === 1 ? `Agent ${ids[0]}` : `${ids.length} agents`;
      const sorted = ids.toSorted((a, b) => b.split('.').length - a.split('.').length);
      findings.push({
        kind: status,
        text: `${who} ${status === 'failed' ? 'failed' : ids.length === 1 ? 'was stopped' : 'were stopped'}: ${ids.length === 1 ? text : why}`,
        detail: costOf(ids, agents),
        agents: sorted,
      });
    }
  }
  const depth = ({ agents: [first = ''] }: Finding): number => first.split('.').length;
  return findings.toSorted((a, b) => (a.kind === b.kind ? depth(b) - depth(a) : a.kind === 'failed' ? -1 : 1));
}

/** What agents that failed had spent, and of one of them how its parent ended: often it went on without it. */
function costOf(ids: readonly string[], agents: readonly AgentRow[]): string {
  const rows = agents.filter(({ id }) => ids.includes(id));
  const sum = (of: (row: AgentRow) => number): number => rows.reduce((total, row) => total + of(row), 0);
  const iterations = sum(({ iteration }) => iteration);
  const spent = `${dollars(sum(({ usage }) => usage.cost))} in ${iterations} ${iterations === 1 ? 'iteration' : 'iterations'}`;
  const parent = ids.length === 1 ? agents.find(({ id }) => id === parentAgent(ids[0] ?? '')) : undefined;
  return parent === undefined ? spent : `${spent}; its parent, agent ${parent.id}, ${PARENT_ENDS[parent.status]}`;
}

const PARENT_ENDS: Readonly<Record<AgentRow['status'], string>> = {
  completed: 'completed all the same',
  failed: 'failed too',
  cancelled: 'was stopped too',
  running: 'is at work',
};

const UNFINISHED: Readonly<Record<string, string>> = {
  text: 'ended with the text of replies without code',
  final_answer: 'used up its iterations and was asked for its best answer',
  partial: 'ended with what was known last',
};

/** Agents whose answer was not given to FINAL. */
export function unfinishedAgents(agents: readonly AgentRow[]): Finding[] {
  return Object.entries(UNFINISHED).flatMap(([source, what]) => {
    const ids = agents.filter((agent) => agent.source === source && agent.status === 'completed').map(({ id }) => id);
    if (ids.length === 0) return [];
    const who = ids.length === 1 ? `Agent ${ids[0]}` : `${ids.length} agents`;
    return [{ kind: 'unfinished' as const, text: `${who} never called FINAL: ${what}`, agents: ids }];
  });
}

/** The agent that cost most by itself, where others cost less. */
function costliest(agents: readonly AgentRow[]): Finding[] {
  const total = agents.reduce((sum, { usage }) => sum + usage.cost, 0);
  const [first] = agents.toSorted((a, b) => b.usage.cost - a.usage.cost);
  if (first === undefined || agents.length < 3 || total === 0) return [];
  const share = Math.round((100 * first.usage.cost) / total);
  return [
    {
      kind: 'costly',
      text: `Agent ${first.id} cost most: ${dollars(first.usage.cost)}, ${share} % of the run`,
      agents: [first.id],
    },
  ];
}

/** Iterations in a row with the same code that make a loop, and blocks that failed that are worth a line. */
const LOOP = 3;
const MANY_ERRORS = 3;

/** What an agent's trajectory tells besides. */
export function agentFindings({ row: { id }, iterations }: Pick<AgentView, 'row' | 'iterations'>): Finding[] {
  const findings: Finding[] = [];
  let repeated = 1;
  for (const [index, { blocks, iteration }] of iterations.entries()) {
    const code = blocks.map((block) => block.code.text).join('\n');
    const before = iterations[index - 1]?.blocks.map((block) => block.code.text).join('\n');
    repeated = code !== '' && code === before ? repeated + 1 : 1;
    if (repeated === LOOP)
      findings.push({
        kind: 'loop',
        text: `Agent ${id} ran the same code ${LOOP} times in a row`,
        agents: [id],
        iteration,
      });
  }
  const failed = iterations.filter(({ blocks }) =>
    blocks.some(({ status }) => status !== 'ok' && status !== 'running'),
  );
  if (failed.length >= MANY_ERRORS)
    findings.push({
      kind: 'errors',
      text: `Code of agent ${id} failed in ${failed.length} of its ${iterations.length} iterations`,
      agents: [id],
      iteration: failed[0]?.iteration ?? 1,
    });
  return findings;
}

/** Sub-agents of each agent, in the order in which they were started. */
export function childrenOf(agents: readonly { readonly id: string }[]): Map<string, string[]> {
  const children = new Map<string, string[]>();
  for (const { id } of agents) {
    const parent = parentAgent(id);
    if (parent === undefined) continue;
    const siblings = children.get(parent);
    if (siblings === undefined) children.set(parent, [id]);
    else siblings.push(id);
  }
  return children;
}
