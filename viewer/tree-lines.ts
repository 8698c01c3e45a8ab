import type { AgentRow } from '../src/viewer/model.ts';

export interface TreeLine {
  readonly row: AgentRow;
  /** Below the agent that is shown first. */
  readonly level: number;
  readonly children: number;
  readonly isOpen: boolean;
  /** Among its siblings, from 1. */
  readonly position: number;
  readonly siblings: number;
}

export interface TreeChoice {
  readonly closed: ReadonlySet<string>;
  readonly filter: string;
  readonly onlyFailed: boolean;
  /** Only this agent and those below it. */
  readonly root: string | null;
}

/** Lines of the tree in their order. Where something is looked for, an agent stays for the sake of one below it. */
export function treeLines(agents: readonly AgentRow[], { closed, filter, onlyFailed, root }: TreeChoice): TreeLine[] {
  const wanted = filter.trim().toLowerCase();
  const isSought = wanted !== '' || onlyFailed;
  const matches = (row: AgentRow): boolean =>
    (!onlyFailed || row.status === 'failed' || row.status === 'cancelled') &&
    (wanted === '' || `${row.id} ${row.task} ${row.error ?? ''}`.toLowerCase().includes(wanted));
  const kept = new Set<string>();
  if (isSought)
    for (const row of agents)
      if (matches(row))
        for (let id: string | undefined = row.id; id !== undefined && !kept.has(id); id = parentOf(id)) kept.add(id);
  const children = new Map<string, AgentRow[]>();
  for (const row of agents) {
    if (isSought && !kept.has(row.id)) continue;
    const parent = parentOf(row.id);
    if (parent === undefined) continue;
    const siblings = children.get(parent);
    if (siblings === undefined) children.set(parent, [row]);
    else siblings.push(row);
  }
  const lines: TreeLine[] = [];
  const add = (row: AgentRow, level: number, position: number, siblings: number): void => {
    const below = children.get(row.id) ?? [];
    const isOpen = below.length > 0 && (isSought || !closed.has(row.id));
    lines.push({ row, level, children: below.length, isOpen, position, siblings });
    if (isOpen) for (const [index, child] of below.entries()) add(child, level + 1, index + 1, below.length);
  };
  const first = agents.find((row) => (root === null ? row.depth === 0 : row.id === root));
  if (first !== undefined && (!isSought || kept.has(first.id))) add(first, 0, 1, 1);
  return lines;
}

export function parentOf(id: string): string | undefined {
  const dot = id.lastIndexOf('.');
  return dot < 0 ? undefined : id.slice(0, dot);
}

/** Of each agent, with all below it. @param agents parents before children */
export function subtreeSums(agents: readonly AgentRow[], of: (row: AgentRow) => number): ReadonlyMap<string, number> {
  const sums = new Map(agents.map((row) => [row.id, of(row)]));
  for (const row of agents.toReversed()) {
    const parent = parentOf(row.id);
    if (parent !== undefined) sums.set(parent, (sums.get(parent) ?? 0) + (sums.get(row.id) ?? 0));
  }
  return sums;
}
