import { fold } from '../domain/agent-state.ts';
import { parentAgent } from '../domain/ids.ts';
import {
  answerUsage,
  type AgentReference,
  type Answer,
  type BlockRecord,
  type ChainRecord,
  type EndRecord,
  type PendingCall,
  type ReplyRecord,
} from '../domain/records.ts';
import { addUsage, NO_USAGE } from '../domain/usage.ts';
import { answerText } from '../results/export-agent.ts';
import { readReply } from '../results/read-reply.ts';
import type { AgentRow, AgentView, BlockView, CallView, IterationView } from './model.ts';
import { head, wholeText } from './text.ts';

/** An agent's trajectory as the page shows it, whole: a pure function of its records. What its parent did is added by who knows it. */
export function readAgent(input: {
  readonly reference: AgentReference;
  readonly records: readonly ChainRecord[];
  /** What it gave to FINAL; undefined without one. */
  readonly answer: unknown;
  readonly children: readonly string[];
  /** Milliseconds since the epoch. */
  readonly now: number;
}): AgentView {
  const { reference, records, answer, children, now } = input;
  const task = records.find((record) => record.kind === 'task');
  const end = records.findLast((record) => record.kind === 'end');
  const iterations = readIterations(records);
  return {
    row: agentRow(reference, end, now),
    task: wholeText(task?.task ?? reference.task),
    variables: (task?.variables ?? []).map(({ name }) => name),
    sandbox: reference.sandbox,
    answer: answer === undefined ? null : wholeText(answerText(answer)),
    error: end?.error ?? null,
    notes: end?.notes ?? [],
    missing: [],
    iterations,
    first: 0,
    count: iterations.length,
    children,
    parent: null,
  };
}

/** Characters of a task and of an error that stand in the tree. */
const SHOWN_IN_ROW = 300;

/** @param end its end record; undefined while it works, and where it was not read */
export function agentRow(reference: AgentReference, end: EndRecord | undefined, now: number): AgentRow {
  const { agent, depth, task, state, iteration, started_at, ended_at } = reference;
  return {
    id: agent,
    depth,
    task: head(task, SHOWN_IN_ROW),
    state,
    status: end?.status ?? reference.status ?? 'running',
    iteration,
    usage: end?.usage ?? reference.usage,
    started_at,
    ended_at: ended_at ?? null,
    execution_time: Math.max(0, (ended_at ?? now) - started_at) / 1000,
    error: end?.error === undefined || end.error === null ? null : head(end.error, SHOWN_IN_ROW),
    source: end?.source ?? null,
    version: `${reference.head.slice(0, 12)} ${state}`,
  };
}

interface Turn {
  readonly reply: ReplyRecord;
  /** Before it, and not of the turn before. */
  readonly events: string[];
  readonly blocks: BlockRecord[];
  readonly calls: Map<number, PendingCall[]>;
  readonly answers: Map<string, Answer>;
}

function readIterations(records: readonly ChainRecord[]): IterationView[] {
  const turns: Turn[] = [];
  let waiting: string[] = [];
  for (const record of records) {
    const turn = turns.at(-1);
    if (record.kind === 'reply') {
      turns.push({ reply: record, events: waiting, blocks: [], calls: new Map(), answers: new Map() });
      waiting = [];
    } else if (record.kind === 'summary') {
      waiting.push(
        `A summary by ${record.model} takes the place of iterations 1 to ${record.through}:\n${record.text}`,
      );
    } else if (record.kind === 'steer') waiting.push(`A person told it: ${record.message}`);
    else if (record.kind === 'fork') {
      const { run, agent } = record.from;
      const told = record.message === null ? '' : `\nIt was told: ${record.message}`;
      waiting.push(`Up to here it is the work of agent ${agent} of run ${run}, which this run was forked from.${told}`);
    } else if (record.kind === 'rebuild') {
      const note =
        record.reason === null
          ? 'There was none: it had been evicted, or had ended itself, while its agent waited; or the agent was forked.'
          : record.reason;
      const shown = record.note === '' ? '' : `\nThe model was told: ${record.note}`;
      (turn?.events ?? waiting).push(`The sandbox was rebuilt (${record.sandbox}). ${note}${shown}`);
    } else if (turn === undefined) continue;
    else if (record.kind === 'calls')
      turn.calls.set(record.block, [...(turn.calls.get(record.block) ?? []), ...record.calls]);
    else if (record.kind === 'answers') for (const { call, answer } of record.answers) turn.answers.set(call, answer);
    else if (record.kind === 'block') turn.blocks.push(record);
  }
  const views = turns.map(readTurn);
  const running = runningBlock(records);
  const last = views.at(-1);
  if (running !== undefined && last !== undefined)
    views[views.length - 1] = { ...last, blocks: [...last.blocks, running] };
  return views;
}

function readTurn({ reply, blocks, calls, answers, events }: Turn, index: number): IterationView {
  const { prose, notRun } = readReply(reply);
  return {
    index,
    iteration: reply.iteration,
    purpose: reply.purpose,
    model: reply.model,
    finish_reason: reply.finish_reason,
    prompt: wholeText(reply.request.last),
    reasoning: reply.reasoning === undefined ? null : wholeText(reply.reasoning),
    prose: wholeText(prose),
    reply: wholeText(reply.text),
    request: { messages: reply.request.messages, characters: reply.request.characters },
    usage: reply.usage,
    model_time: reply.execution_time,
    not_run: notRun,
    blocks: blocks.map((block) => readBlock(block, callViews(calls.get(block.block) ?? [], answers))),
    events,
  };
}

function readBlock(block: BlockRecord, calls: readonly CallView[]): BlockView {
  const { result, full } = block;
  return {
    block: block.block,
    code: wholeText(block.code),
    status: result.status,
    stdout: {
      text: result.stdout,
      length: result.stdout_length,
      ...(full?.stdout === undefined ? {} : { blob: full.stdout }),
    },
    stderr: {
      text: result.stderr,
      length: result.stderr_length,
      ...(full?.stderr === undefined ? {} : { blob: full.stderr }),
    },
    error: result.error === null ? null : wholeText(result.error),
    execution_time: result.execution_time,
    final: result.final !== null,
    calls,
    spawned: block.spawned,
  };
}

/** The block that runs now; undefined where none does. */
function runningBlock(records: readonly ChainRecord[]): BlockView | undefined {
  const { pending, end } = fold(records);
  if (pending === undefined || end !== undefined) return undefined;
  return {
    block: pending.block,
    code: wholeText(pending.code),
    status: 'running',
    stdout: wholeText(''),
    stderr: wholeText(''),
    error: null,
    execution_time: 0,
    final: false,
    calls: callViews(pending.calls, pending.answers),
    spawned: [],
  };
}

function callViews(calls: readonly PendingCall[], answers: ReadonlyMap<string, Answer>): CallView[] {
  return calls.map(({ call, function: name, batch }) => {
    const answer = answers.get(call);
    const items = answer === undefined ? [] : answerItems(answer);
    return {
      call,
      function: name,
      count: batch ?? 1,
      answered: answer !== undefined,
      errors: items.reduce((sum, item) => sum + errorsIn(item), 0),
      failures: name.startsWith('rlm_query') ? items.flatMap(failureIn) : [],
      usage: answer === undefined ? NO_USAGE : addUsage(answerUsage(answer)),
      children: name.startsWith('rlm_query') ? items.flatMap(answeringAgents) : [],
      details: true,
    };
  });
}

/** Answers that are errors; of those that are a blob of their own nothing is known here. */
function errorsIn(item: Answer): number {
  if (!('error' in item) || item.error === undefined) return 0;
  return 'count' in item ? (item.count ?? 1) : 1;
}

/** As the code was given it: what is known of an answer all the same follows it there, and is left out here. */
function failureIn(item: Answer): CallView['failures'] {
  const agent = answeringAgent(item);
  if (agent === undefined || !('error' in item) || item.error === undefined) return [];
  return [{ agent, error: head(`Error: ${item.error}`, SHOWN_IN_ROW) }];
}

function answeringAgents(item: Answer): readonly (string | null)[] {
  return 'list' in item ? (item.children ?? []) : [answeringAgent(item) ?? null];
}

export function answerItems(answer: Answer): readonly Answer[] {
  return 'items' in answer ? answer.items : [answer];
}

/** The agent that an answer is from. One that has failed is named in the error that the workflow makes of it. */
export function answeringAgent(answer: Answer): string | undefined {
  if ('items' in answer) return undefined;
  if ('child' in answer && answer.child !== undefined) return answer.child;
  return 'error' in answer ? /^sub-agent (0(?:\.\d+)+) /.exec(answer.error ?? '')?.[1] : undefined;
}

/** What a parent's trajectory tells of a child: where it was asked for, what was answered, and what came then. */
export function readParent(view: AgentView, child: string): AgentView['parent'] {
  const at = view.iterations.findIndex(({ blocks }) =>
    blocks.some(
      ({ spawned, calls }) => spawned.includes(child) || calls.some(({ children }) => children.includes(child)),
    ),
  );
  const iteration = view.iterations[at];
  const agent = parentAgent(child);
  if (iteration === undefined || agent === undefined) return null;
  const block = iteration.blocks.find(
    ({ spawned, calls }) => spawned.includes(child) || calls.some(({ children }) => children.includes(child)),
  );
  const next = view.iterations[at + 1];
  return {
    agent,
    iteration: iteration.iteration,
    answer: null,
    isError: false,
    block:
      block === undefined || block.status === 'running'
        ? null
        : { output: block.stdout, error: block.error?.text ?? null },
    next: next === undefined ? null : { iteration: next.iteration, prose: next.prose },
  };
}
