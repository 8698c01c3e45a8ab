import type { RunLimits } from '../../domain/budget.ts';
import type { AgentReference } from '../../domain/records.ts';
import { describeOrigin } from '../../results/describe-origin.ts';
import { lastChange, runTotals, STILL, type RunSnapshot } from '../../results/run-snapshot.ts';
import { activity, countWorkingChildren } from './activity.ts';
import { collapseTree, type TreeLine } from './collapse.ts';
import { formatClock, formatCost, formatCostOf, formatCount, plural } from './format.ts';
import { displayWidth, fit, oneLine, padEnd, padStart, wrapWords } from './text.ts';

export interface TreeView {
  /** Undefined before the run has stored anything. */
  readonly snapshot: RunSnapshot | undefined;
  readonly run: string;
  /** A word for the run as a whole, and why where there is something to say. */
  readonly status: string;
  readonly reason?: string | null;
  /** In force; where they are known, what is left of the money shows. */
  readonly limits?: Partial<RunLimits> | undefined;
  /** What agents do, by their ids, where more is known than their references say. */
  readonly standing?: ReadonlyMap<string, string>;
  /** Milliseconds since the epoch. */
  readonly now: number;
  readonly columns: number;
  /** Lines to fill at most. */
  readonly rows: number;
  readonly color: boolean;
}

const SPINNER = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];

/** The live tree as lines no wider than the window and no more than its rows: a pure function of what is known. */
export function renderTree(given: TreeView): string[] {
  const isStill = STILL.has(given.status) && given.snapshot !== undefined;
  const view = isStill ? { ...given, now: lastChange(given.snapshot) } : given;
  const paint = painter(view.color);
  const head = headLines(view, paint);
  const { snapshot } = view;
  if (snapshot === undefined || snapshot.agents.length === 0) return head.slice(0, view.rows);
  const working = countWorkingChildren(snapshot.agents);
  const lines = collapseTree(snapshot.agents, Math.max(1, view.rows - head.length));
  const columns = measure(lines, snapshot.agents, view, working);
  return [...head, ...lines.map((line) => renderLine(line, { view, columns, working, paint }))].slice(0, view.rows);
}

type Style = 'bold' | 'dim' | 'red' | 'green' | 'yellow' | 'cyan';
type Paint = (style: Style, text: string) => string;

const CODES: Record<Style, [number, number]> = {
  bold: [1, 22],
  dim: [2, 22],
  red: [31, 39],
  green: [32, 39],
  yellow: [33, 39],
  cyan: [36, 39],
};

export function painter(color: boolean): Paint {
  return (style, text) => (color && text !== '' ? `\u001b[${CODES[style][0]}m${text}\u001b[${CODES[style][1]}m` : text);
}

function headLines({ snapshot, run, status, reason, limits, now, columns }: TreeView, paint: Paint): string[] {
  const from = snapshot?.run.from;
  const title = fit([run, status, ...(from === undefined ? [] : [describeOrigin(from)])].join(' · '), columns);
  const lines = [
    title.startsWith(run) ? paint('bold', run) + paint(statusStyle(status), title.slice(run.length)) : title,
  ];
  if (snapshot !== undefined) {
    const totals = runTotals(snapshot);
    const { usage } = totals;
    const time =
      snapshot.run.outcome === undefined ? now - snapshot.run.started_at : snapshot.run.outcome.execution_time * 1000;
    const parts = [
      formatClock(time),
      totals.done === totals.agents
        ? plural(totals.agents, 'agent')
        : `${plural(totals.agents, 'agent')} (${totals.done} done)`,
      `depth ${totals.max_depth}`,
      plural(totals.iterations, 'iteration'),
      `${formatCount(usage.input_tokens + usage.output_tokens)} tokens`,
      formatCostOf(usage.cost, limits?.max_cost),
    ].filter((part) => part !== '');
    lines.push(paint('dim', fit(parts.join(' · '), columns)));
  }
  if (reason !== undefined && reason !== null && reason !== '') {
    lines.push(...reasonLines(oneLine(reason), columns).map((line) => paint('yellow', line)));
  }
  return lines;
}

/** All of it, for what to type is at its end: on a line of its own where one line is too short. */
function reasonLines(reason: string, columns: number): string[] {
  const parts = displayWidth(reason) <= columns ? [reason] : reason.split(/(?<=;) (?=[^;]*\brlm \w)/);
  return parts.flatMap((part) => wrapWords(part, columns));
}

function statusStyle(status: string): Style {
  if (status === 'completed') return 'green';
  if (status === 'failed' || status === 'cancelled' || status === 'terminated') return 'red';
  return status === 'running' || status === 'starting' ? 'cyan' : 'yellow';
}

interface Columns {
  readonly name: number;
  readonly depth: number;
  readonly iteration: number;
  readonly activity: number;
  readonly time: number;
  readonly tokens: number;
  readonly cost: number;
  /** What is left for the task. */
  readonly task: number;
}

const GAP = 2;
/** A shorter task says nothing. */
const SHORTEST_TASK = 12;

interface Cells {
  readonly depth: string;
  readonly iteration: string;
  readonly activity: string;
  readonly time: string;
  readonly tokens: string;
  readonly cost: string;
}

function cellsOf(
  agent: AgentReference,
  { now, status, standing }: TreeView,
  working: ReadonlyMap<string, number>,
): Cells {
  const { usage } = agent;
  const isWaiting = (working.get(agent.agent) ?? 0) > 0;
  // Code that runs continues to its next call, also in a run that is paused; without a worker this is unknown.
  const mayRun = agent.state === 'running' && status === 'paused';
  const isStill = STILL.has(status) && !isWaiting && agent.state !== 'done' && !mayRun;
  return {
    depth: `d${agent.depth}`,
    iteration: agent.iteration === 0 ? '' : `#${agent.iteration}`,
    activity: standing?.get(agent.agent) ?? (isStill ? status : activity(agent, working.get(agent.agent) ?? 0)),
    time: formatClock((agent.ended_at ?? now) - agent.started_at),
    tokens: usage.input_tokens + usage.output_tokens === 0 ? '' : formatCount(usage.input_tokens + usage.output_tokens),
    cost: formatCost(usage.cost),
  };
}

/** Widths by all agents, so that columns do not jump when lines come and go; what does not fit is left out. */
function measure(
  lines: readonly TreeLine[],
  agents: readonly AgentReference[],
  view: TreeView,
  working: ReadonlyMap<string, number>,
): Columns {
  const longest = Math.max(
    ...lines.map(({ prefix, ...line }) => prefix.length + 2 + (line.kind === 'agent' ? line.agent.agent.length : 0)),
  );
  const cells = agents.map((agent) => cellsOf(agent, view, working));
  const widest = (key: keyof Cells): number => Math.max(...cells.map((cell) => displayWidth(cell[key])));
  const name = Math.min(longest, view.columns);
  let left = view.columns - name;
  const take = (width: number): number => {
    if (width === 0 || left < width + GAP) return 0;
    left -= width + GAP;
    return width;
  };
  // In the order of their worth.
  const columns = {
    activity: take(widest('activity')),
    iteration: take(widest('iteration')),
    time: take(widest('time')),
    cost: take(widest('cost')),
    tokens: take(widest('tokens')),
    depth: take(widest('depth')),
  };
  return { name, ...columns, task: left - GAP >= SHORTEST_TASK ? left - GAP : 0 };
}

interface LineContext {
  readonly view: TreeView;
  readonly columns: Columns;
  readonly working: ReadonlyMap<string, number>;
  readonly paint: Paint;
}

function renderLine(line: TreeLine, { view, columns, working, paint }: LineContext): string {
  if (line.kind === 'more') return paint('dim', fit(`${line.prefix}… ${moreText(line)}`, view.columns));
  const { agent } = line;
  // Deep below the root in a narrow window the branches themselves have to be cut.
  const prefix = fit(line.prefix, columns.name - 3);
  const done = agent.state === 'done';
  const cells = cellsOf(agent, view, working);
  const name = padEnd(fit(agent.agent, columns.name - prefix.length - 2), columns.name - prefix.length - 2);
  const parts = [
    padded(cells.depth, columns.depth, padEnd),
    padded(cells.iteration, columns.iteration, padStart),
    padded(cells.activity, columns.activity, padEnd),
    padded(cells.time, columns.time, padStart),
    padded(cells.tokens, columns.tokens, padStart),
    padded(cells.cost, columns.cost, padStart),
    columns.task === 0 ? '' : fit(oneLine(agent.task), columns.task),
  ].filter((part) => part !== '');
  const text = parts.length === 0 ? '' : `${' '.repeat(GAP)}${parts.join(' '.repeat(GAP))}`.trimEnd();
  const whole = `${paint('dim', prefix)}${symbol(agent, { now: view.now, isStill: STILL.has(view.standing?.get(agent.agent) ?? view.status), waits: (working.get(agent.agent) ?? 0) > 0, paint })} ${name}`;
  return done ? `${whole}${paint('dim', text)}` : `${whole}${text}`;
}

function padded(text: string, width: number, pad: (text: string, columns: number) => string): string {
  return width === 0 ? '' : pad(text, width);
}

function symbol(
  agent: AgentReference,
  { now, isStill, waits, paint }: { now: number; isStill: boolean; waits: boolean; paint: Paint },
): string {
  if (agent.state === 'done') {
    if (agent.status === 'failed') return paint('red', '✗');
    return agent.status === 'cancelled' ? paint('yellow', '–') : paint('green', '✓');
  }
  if (waits || agent.state === 'waiting') return paint('dim', '◌');
  if (isStill) return paint('yellow', '‖');
  return paint('cyan', SPINNER[Math.floor(now / 120) % SPINNER.length] ?? '·');
}

function moreText({ done, working }: { done: number; working: number }): string {
  return [working > 0 ? `${working} more at work` : '', done > 0 ? `${done} more done` : '']
    .filter((part) => part !== '')
    .join(', ');
}
