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
  /** Characters with which its task and those of its siblings begin. */
  readonly shared: number;
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
  const add = (row: AgentRow, place: Pick<TreeLine, 'level' | 'position' | 'siblings' | 'shared'>): void => {
    const below = children.get(row.id) ?? [];
    const isOpen = below.length > 0 && (isSought || !closed.has(row.id));
    lines.push({ row, children: below.length, isOpen, ...place });
    if (!isOpen) return;
    const shared = sharedStart(below.map(({ task }) => task));
    for (const [index, child] of below.entries())
      add(child, { level: place.level + 1, position: index + 1, siblings: below.length, shared });
  };
  const first = agents.find((row) => (root === null ? row.depth === 0 : row.id === root));
  if (first !== undefined && (!isSought || kept.has(first.id)))
    add(first, { level: 0, position: 1, siblings: 1, shared: 0 });
  return lines;
}

/** What a line says of an agent: its task, or what went wrong. */
export function rowText({ status, error, task }: AgentRow): string {
  return status === 'failed' || status === 'cancelled' ? (error ?? task) : task;
}

/** Characters that tasks must share at least before a row leaves them out. */
const MIN_SHARED = 16;

/**
 * Characters with which all tasks begin: in a narrow row they would hide what differs. These are whole words, and the
 * last of them is left to say what differs.
 */
export function sharedStart(tasks: readonly string[]): number {
  const [first = '', ...others] = tasks;
  if (others.length === 0) return 0;
  let shared = first.length;
  for (const task of others) {
    let at = 0;
    while (at < shared && task[at] === first[at]) at += 1;
    shared = at;
  }
  const last = first.lastIndexOf(' ', shared - 1);
  const words = first.lastIndexOf(' ', last - 1) + 1;
  return words < MIN_SHARED ? 0 : words;
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
