import type { ExecutionHistory } from './histories.ts';
import type { Row } from './report.ts';
import { playLongRun, type LongRun, type LongRunResult, type Memory } from './stage.ts';

/** How long the runs are. */
export interface Lengths {
  readonly iterations: number;
  readonly calls: number;
  readonly children: number;
  readonly prompts: number;
}

const LATENCY = 10;
const GROUPS = 30;
const PROMPT_GROUPS = 5;

/** One agent, a block each iteration; its conversation is summarized again and again. */
export async function iterations({ iterations: count }: Lengths, log: (line: string) => void): Promise<Row[]> {
  const free: LongRun = {
    name: 'iterations',
    prompt: `Count to ${count}, one number each turn.`,
    calls: count,
    rlm: { max_iterations: count + 1, compaction: 8000 },
    latency: LATENCY,
  };
  const rows: Row[] = [];
  // Each of its calls asks the budget first, and settles with it.
  const paid: LongRun = { ...free, name: 'iterations-paid', rlm: { ...free.rlm, max_cost: 1_000_000 } };
  for (const run of [free, paid]) {
    // oxlint-disable-next-line no-await-in-loop -- one at a time: they are measured
    const result = await playLongRun(run, log);
    assertRight(result, count, { agents: 1, iterations: count + 1 });
    const summaries = result.calls.length - (count + 1);
    const name = `one agent, ${count} iterations${run === paid ? ', with `max_cost`' : ''}`;
    rows.push(rowOf(name, result, `${summaries} summaries; ${pace(result, 'an iteration')}`));
  }
  return rows;
}

export async function calls({ calls: count }: Lengths, log: (line: string) => void): Promise<Row[]> {
  const run: LongRun = {
    name: 'calls',
    prompt: `Ask ${count} questions, one after another.`,
    calls: count,
    rlm: { max_llm_calls: count },
    latency: LATENCY,
  };
  const result = await playLongRun(run, log);
  assertRight(result, count, { agents: 1, iterations: 2 });
  return [rowOf(`one block, ${count} \`llm_query\` one after another`, result, pace(result, 'a call'))];
}

/** One parent with all of them, and the same number below parents of their own. */
export async function children({ children: count }: Lengths, log: (line: string) => void): Promise<Row[]> {
  const flat: LongRun = {
    name: 'children',
    prompt: `Hand out ${count} tasks.`,
    calls: count,
    rlm: { max_sandboxes: count + 1, max_parallel: 100 },
    latency: LATENCY,
  };
  const one = await playLongRun(flat, log);
  assertRight(one, count, { agents: count + 1, sandboxes: count + 1 });
  const size = Math.ceil(count / GROUPS);
  const all = 1 + GROUPS + GROUPS * size;
  const nested: LongRun = {
    name: 'nested',
    prompt: `Hand out ${GROUPS} groups of ${size} tasks.`,
    calls: GROUPS * size,
    rlm: { max_sandboxes: all, max_parallel: 10 },
    latency: LATENCY,
  };
  const many = await playLongRun(nested, log);
  assertRight(many, GROUPS * size, { agents: all, sandboxes: all });
  const each = (value: (history: ExecutionHistory) => number): number => sum(one.root.map(value)) / count;
  const cost = `${each(({ events }) => events).toFixed(1)} events and ${each(({ bytes }) => bytes).toFixed(0)} bytes for each`;
  return [
    rowOf(
      `\`rlm_query_batched\` of ${count} tasks, at most 100 at a time`,
      one,
      `${cost}; ${pace(one, 'a sub-agent')}`,
    ),
    rowOf(
      `${GROUPS} sub-agents with \`rlm_query_batched\` of ${size} tasks, at most 10 × 10 at a time`,
      many,
      pace(many, 'a sub-agent'),
    ),
  ];
}

export async function prompts({ prompts: count }: Lengths, log: (line: string) => void): Promise<Row[]> {
  const size = Math.ceil(count / PROMPT_GROUPS);
  const run: LongRun = {
    name: 'prompts',
    prompt: `Hand out ${PROMPT_GROUPS} groups of ${size} prompts.`,
    calls: PROMPT_GROUPS * size,
    rlm: { max_llm_calls: PROMPT_GROUPS * size },
    latency: 200,
  };
  const result = await playLongRun(run, log);
  assertRight(result, PROMPT_GROUPS * size, { agents: 1 + PROMPT_GROUPS });
  const name = `${PROMPT_GROUPS} sub-agents at once, \`llm_query_batched\` of ${size} prompts each`;
  return [rowOf(name, result, pace(result, 'a prompt'))];
}

/** @throws Error that says what is not as it must be */
function assertRight(
  { document, calls: asked }: LongRunResult,
  count: number,
  expected: Readonly<Partial<Record<'agents' | 'iterations' | 'sandboxes', number>>>,
): void {
  const { status, answer, error } = document;
  const twice = asked.filter(({ outcome, answeredBefore }) => outcome === 'answered' && answeredBefore > 0);
  const problems = [
    ...(status === 'completed' ? [] : [`it is ${status}: ${error}`]),
    ...(answer?.right === count && answer.of === count ? [] : [`answer ${JSON.stringify(answer)}, not ${count} right`]),
    ...(Object.entries(expected) as ['agents', number][])
      .filter(([name, value]) => document[name] !== value)
      .map(([name, value]) => `${document[name]} ${name}, not ${value}`),
    ...(twice.length === 0 ? [] : [`${twice.length} calls paid twice, the first ${twice[0]?.task}`]),
  ];
  if (problems.length > 0) throw new Error(problems.join('; '));
}

/** Milliseconds from call to call, in the first and the last tenth. */
function pace({ calls: asked }: LongRunResult, each: string): string {
  const times = asked.map(({ at }) => at).toSorted((a, b) => a - b);
  const tenth = Math.floor(times.length / 10);
  const between = (from: number, to: number): string =>
    (((times[to] ?? 0) - (times[from] ?? 0)) / (to - from)).toFixed(0);
  return `${between(0, tenth)} ms ${each} at first, ${between(times.length - 1 - tenth, times.length - 1)} at last`;
}

function rowOf(
  name: string,
  { document: { answer }, seconds, worker, server, root, whole }: LongRunResult,
  more: string,
): Row {
  const largest = (value: (one: { events: number; bytes: number }) => number): number =>
    Math.max(0, ...root.map(value));
  return {
    name,
    result: `${answer?.right} of ${answer?.of} right`,
    seconds,
    worker: inMegabytes(worker),
    server: inMegabytes(server),
    histories:
      `${root.length} execution${root.length === 1 ? '' : 's'} of at most ${largest(({ events }) => events)} events and ` +
      `${(largest(({ bytes }) => bytes) / 1000).toFixed(0)} kB; the run: ${whole.executions} with ${whole.events} events`,
    more,
  };
}

function inMegabytes({ fifths, peak }: Memory): string {
  return `${fifths.join(' ')}, ${peak}`;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
