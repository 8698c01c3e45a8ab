import type { AgentReference } from '../../domain/records.ts';
import { parentAgent } from '../../domain/ids.ts';
import { compareAgentIds } from '../../results/run-snapshot.ts';

/** A line of the tree: an agent, or what stands for its siblings that do not fit. */
export type TreeLine =
  | { readonly kind: 'agent'; readonly agent: AgentReference; readonly prefix: string }
  | { readonly kind: 'more'; readonly done: number; readonly working: number; readonly prefix: string };

/**
 * The tree in at most `rows` lines. Agents at work are shown before finished ones, those near the root before those
 * below, those that finished last before the others; one line stands for all that is left out below a parent.
 */
export function collapseTree(agents: readonly AgentReference[], rows: number): TreeLine[] {
  const children = childrenByParent(agents);
  const roots = children.get(undefined) ?? [];
  const shown = chooseAgents(agents, children, rows);
  return roots.flatMap((root) =>
    shown.has(root.agent) ? linesOf(root, { children, shown, prefix: '', below: '' }) : [],
  );
}

type Children = ReadonlyMap<string | undefined, readonly AgentReference[]>;

function childrenByParent(agents: readonly AgentReference[]): Children {
  const known = new Set(agents.map(({ agent }) => agent));
  const children = new Map<string | undefined, AgentReference[]>();
  for (const agent of agents.toSorted((a, b) => compareAgentIds(a.agent, b.agent))) {
    const parent = knownAncestor(agent.agent, known);
    children.set(parent, [...(children.get(parent) ?? []), agent]);
  }
  return children;
}

function knownAncestor(agent: string, known: ReadonlySet<string>): string | undefined {
  for (let parent = parentAgent(agent); parent !== undefined; parent = parentAgent(parent)) {
    if (known.has(parent)) return parent;
  }
  return undefined;
}

function chooseAgents(agents: readonly AgentReference[], children: Children, rows: number): ReadonlySet<string> {
  if (agents.length <= rows) return new Set(agents.map(({ agent }) => agent));
  const known = new Set(agents.map(({ agent }) => agent));
  const shown = new Set<string>();
  const hiddenBelow = new Map<string | undefined, number>();
  for (const [parent, list] of children) hiddenBelow.set(parent, list.length);
  let lines = 0;
  // Parents come before their children in this order, because a parent works as long as a child does.
  for (const { agent } of agents.toSorted(byInterest)) {
    const parent = knownAncestor(agent, known);
    if (parent !== undefined && !shown.has(parent)) continue;
    const hidden = hiddenBelow.get(parent) ?? 0;
    // Its own line, one for all that is hidden below it, and none any more for its siblings if it is the last of them.
    const more = 1 + (children.has(agent) ? 1 : 0) - (hidden === 1 && parent !== undefined ? 1 : 0);
    if (lines + more > rows) continue;
    lines += more;
    shown.add(agent);
    hiddenBelow.set(parent, hidden - 1);
  }
  return shown;
}

function byInterest(a: AgentReference, b: AgentReference): number {
  const [doneA, doneB] = [a.state === 'done', b.state === 'done'];
  if (doneA !== doneB) return doneA ? 1 : -1;
  if (a.depth !== b.depth) return a.depth - b.depth;
  if (doneA && a.ended_at !== b.ended_at) return (b.ended_at ?? 0) - (a.ended_at ?? 0);
  return compareAgentIds(a.agent, b.agent);
}

interface Branch {
  readonly children: Children;
  readonly shown: ReadonlySet<string>;
  readonly prefix: string;
  /** Prefix of the lines below. */
  readonly below: string;
}

function linesOf(agent: AgentReference, { children, shown, prefix, below }: Branch): TreeLine[] {
  const all = children.get(agent.agent) ?? [];
  const visible = all.filter((child) => shown.has(child.agent));
  const hidden = countBelow(
    all.filter((child) => !shown.has(child.agent)),
    children,
  );
  const hides = hidden.done + hidden.working > 0;
  const lines: TreeLine[] = [{ kind: 'agent', agent, prefix }];
  for (const [index, child] of visible.entries()) {
    const last = index === visible.length - 1 && !hides;
    const branch = { prefix: `${below}${last ? '└ ' : '├ '}`, below: `${below}${last ? '  ' : '│ '}` };
    lines.push(...linesOf(child, { children, shown, ...branch }));
  }
  if (hides) lines.push({ kind: 'more', ...hidden, prefix: `${below}└ ` });
  return lines;
}

function countBelow(agents: readonly AgentReference[], children: Children): { done: number; working: number } {
  let [done, working] = [0, 0];
  for (const agent of agents) {
    const below = countBelow(children.get(agent.agent) ?? [], children);
    done += below.done + (agent.state === 'done' ? 1 : 0);
    working += below.working + (agent.state === 'done' ? 0 : 1);
  }
  return { done, working };
}
