import { proseOf, replyOutcome } from '../reply.ts';
import { truncate, truncateMiddle } from '../truncate.ts';
import type {
  BlockRecord,
  ChainRecord,
  ForkRecord,
  ReplyRecord,
  RunSpecification,
  SteerRecord,
  SummaryRecord,
  TaskRecord,
} from '../records.ts';
import { finalAnswer, signatureOf } from '../final-answer.ts';
import { analysisExtract, analysisFirstMessage, analysisSystemPrompt } from './analysis-prompt.ts';
import { ownRecords } from '../fork.ts';
import { delimit, delimiterOf } from './delimit.ts';
import { SUMMARY_QUESTION, summarySection } from './compaction.ts';
import { systemPrompt } from './system-prompt.ts';
import { stringifyJson } from '../ordered-json.ts';

export interface Message {
  readonly role: 'system' | 'user' | 'assistant';
  readonly content: string;
}

/** Characters of the task shown in the first message; the whole is in the variable `task`. */
const TASK_SHOWN = 8000;

const ASK_FOR_CODE =
  'Your reply had no ```python block, so nothing was run. Write one, or finish with FINAL(...) inside a ```python block.';
const ASK_FOR_SUBMIT =
  'Your reply had no ```python block, so nothing was run. Write one, or finish with SUBMIT(...) inside a ```python block.';
const ASK_FOR_SHORTER =
  'Your reply was cut off at the length limit, so nothing of it was run. Write it again, shorter: do less in one turn.';
const ASK_AGAIN =
  "Your reply was stopped by the provider's content filter, so nothing of it was run. Write it again, in other words.";
const ASK_WITHOUT_TOOLS =
  'There are no tools to call here, so nothing was run. Code is run when it stands in a ```python block of your reply, and the functions described above are called in that code.';

/**
 * The messages of an agent's next request: a pure function of its chain, so that the same head always gives the
 * same request.
 *
 * @param records the chain from its task record to its head.
 */
export function renderConversation(
  records: readonly ChainRecord[],
  run: RunSpecification,
  purpose: ReplyRecord['purpose'] | 'summary',
): Message[] {
  const [task, ...rest] = records;
  if (task?.kind !== 'task') throw new Error('a trajectory begins with a task record');
  const messages: Message[] = [
    { role: 'system', content: renderSystemPrompt(task, run) },
    { role: 'user', content: [firstMessage(task, run), ...messagesBefore(rest, task, run)].join('\n\n') },
  ];
  const summary = rest.findLast((record): record is SummaryRecord => record.kind === 'summary');
  if (summary !== undefined) messages.push(...summaryMessages(summary, rest, task, run));
  const turns = groupByReply(summary === undefined ? rest : after(rest, summary), task.depth);
  for (const [index, turn] of turns.entries()) {
    messages.push({ role: 'assistant', content: turn.reply.text === '' ? '(empty reply)' : turn.reply.text });
    const isLast = index === turns.length - 1 && purpose !== 'turn';
    const asked = isLast ? `${observation(turn, run)}\n\n${question(purpose, task, run)}` : renderTurn(turn, run);
    messages.push({ role: 'user', content: asked });
  }
  if (turns.length === 0 && purpose === 'final_answer')
    messages.push({ role: 'user', content: closingQuestion(task, run) });
  return messages;
}

const EXTRACT =
  'Your turns are used up; no more code is run. From all that you have seen above, give your best answer to the task now, in plain text: the answer itself, complete, with what remains uncertain. Code that belongs to the answer goes into a fence without a language. Your reply is taken as the answer.';

/**
 * Leaves out turns in the middle until the messages have at most `characters`: the system prompt, the first message
 * and the newest turns stay. For a conversation that is longer than the model's context.
 */
export function shortenConversation(messages: readonly Message[], characters: number): Message[] {
  const [system, first, ...turns] = messages;
  if (system === undefined || first === undefined) return [...messages];
  let length = messages.reduce((sum, message) => sum + message.content.length, 0);
  let from = 0;
  while (length > characters && from < turns.length - 2) {
    length -= turns[from]?.content.length ?? 0;
    from += 1;
  }
  from += from % 2; // Keep assistant and user in turn.
  if (from === 0) return [...messages];
  const note: Message = {
    role: 'user',
    content: `${first.content}\n\n(${from / 2} earlier turns are left out here: the conversation became too long.)`,
  };
  return [system, note, ...turns.slice(from)];
}

interface Turn {
  readonly depth: number;
  readonly reply: ReplyRecord;
  readonly blocks: readonly BlockRecord[];
  /** What happened beside the code. */
  readonly notes: readonly string[];
  /** What a person said after it. */
  readonly messages: readonly MessageRecord[];
}

/** What holds a message of a person. */
type MessageRecord = SteerRecord | ForkRecord;

function isMessage(record: ChainRecord): record is MessageRecord {
  return record.kind === 'steer' || record.kind === 'fork';
}

/** What a person said before the first turn. */
function messagesBefore(records: readonly ChainRecord[], task: TaskRecord, run: RunSpecification): string[] {
  const first = records.findIndex(({ kind }) => kind === 'reply');
  const before = first === -1 ? records : records.slice(0, first);
  return renderMessages(before.filter(isMessage), task, run);
}

/** What a person said after turns that the summary replaces: it is never left out. */
function messagesWithin(
  { through }: SummaryRecord,
  records: readonly ChainRecord[],
  task: TaskRecord,
  run: RunSpecification,
): string[] {
  const within = records.filter(isMessage).filter(({ iteration }) => iteration > 1 && iteration <= through + 1);
  return renderMessages(within, task, run);
}

/** In our name: it is from the person that the agent works for, not from a document. */
function renderMessages(
  records: readonly MessageRecord[],
  { depth }: Pick<TaskRecord, 'depth'>,
  run: RunSpecification,
): string[] {
  const finish = run.type === 'analyze' && depth === 0 ? 'SUBMIT' : 'FINAL';
  return records.flatMap(({ kind, iteration, message }) => {
    if (message === null) return [];
    if (kind === 'steer' || iteration === 1)
      return [`A message from the person you work for. It counts as much as the task:\n${message}`];
    return [
      'The work continues, with a message from the person you work for. It counts as much as the task, and comes after ' +
        `it:\n${message}\n\nVariables and files are as your code left them. Call ${finish} again when it is done.`,
    ];
  });
}

function groupByReply(records: readonly ChainRecord[], depth: number): Turn[] {
  const turns: {
    depth: number;
    reply: ReplyRecord;
    blocks: BlockRecord[];
    notes: string[];
    messages: MessageRecord[];
  }[] = [];
  for (const record of records) {
    if (record.kind === 'reply') turns.push({ depth, reply: record, blocks: [], notes: [], messages: [] });
    else if (record.kind === 'block') turns.at(-1)?.blocks.push(record);
    else if (record.kind === 'rebuild') turns.at(-1)?.notes.push(record.note);
    else if (record.kind === 'steer' || record.kind === 'fork') turns.at(-1)?.messages.push(record);
  }
  return turns;
}

function renderSystemPrompt({ depth }: TaskRecord, run: RunSpecification): string {
  if (run.type === 'analyze') return analysisSystemPrompt(run, depth);
  const { rlm, sandbox } = run.config;
  return systemPrompt({ depth, limits: rlm, blockTimeout: sandbox.block_timeout, delimiter: delimiterOf(run) });
}

/** In the place of the turns that are left out. */
function summaryMessages(
  summary: SummaryRecord,
  records: readonly ChainRecord[],
  task: TaskRecord,
  run: RunSpecification,
): Message[] {
  return [
    { role: 'assistant', content: summarySection(summary, records) },
    {
      role: 'user',
      content: [...messagesWithin(summary, records, task, run), 'Go on from there.'].join('\n\n'),
    },
  ];
}

/** The turns that the summary does not replace, and what came of them. */
function after(records: readonly ChainRecord[], { through }: SummaryRecord): readonly ChainRecord[] {
  const first = records.findIndex((record) => record.kind === 'reply' && record.iteration > through);
  return first === -1 ? [] : records.slice(first);
}

function question(purpose: 'final_answer' | 'summary', task: TaskRecord, run: RunSpecification): string {
  return purpose === 'summary' ? SUMMARY_QUESTION : closingQuestion(task, run);
}

function closingQuestion({ depth }: TaskRecord, run: RunSpecification): string {
  return run.type === 'analyze' && depth === 0 ? analysisExtract(run.signature) : EXTRACT;
}

function firstMessage(task: TaskRecord, run: RunSpecification): string {
  if (run.type === 'analyze') return analysisFirstMessage(task, run);
  const { repository } = run;
  const at = `commit ${repository.commit.slice(0, 12)}${repository.branch === undefined ? '' : `, branch ${repository.branch}`}`;
  const shown = truncateMiddle(task.task, TASK_SHOWN);
  const more = shown.truncated
    ? `\n\n(The task is shown in part; the variable \`task\` holds all ${task.task.length} characters.)`
    : '';
  const folder =
    repository.folder === undefined
      ? ''
      : `\nThe task is about its folder ${JSON.stringify(repository.folder)}: begin there. Paths are relative to the top of the repository.`;
  return `Repository: ${repository.name} (${at})${folder}\n\nTask:\n${delimit('task', shown.text, delimiterOf(run))}${more}\n\nBegin.`;
}

function renderTurn(turn: Turn, run: RunSpecification): string {
  const left = run.config.rlm.max_iterations - turn.reply.iteration;
  const finish = run.type === 'analyze' && turn.depth === 0 ? 'SUBMIT' : 'FINAL';
  const turns = left === 1 ? `This is your last turn: finish with ${finish} now.` : `Turns left: ${left}.`;
  return `${observation(turn, run)}\n\n${turns}`;
}

/** What the model reads about the outcome of its reply. */
function observation(turn: Turn, run: RunSpecification): string {
  const notes = turn.notes.filter(Boolean).map((note) => `(${note})`);
  return [renderOutcome(turn, run), ...notes, ...renderMessages(turn.messages, turn, run)].join('\n\n');
}

function renderOutcome({ reply, blocks, depth }: Turn, run: RunSpecification): string {
  const signature = signatureOf(run, depth);
  if (reply.purpose === 'final_answer') {
    const closing = finalAnswer(signature, reply);
    return closing.kind === 'unusable' ? closing.problem : '(no output)';
  }
  const outcome = replyOutcome(reply);
  if (outcome.kind === 'truncated') return ASK_FOR_SHORTER;
  if (outcome.kind === 'withheld') return ASK_AGAIN;
  if (outcome.kind === 'tool_call') return ASK_WITHOUT_TOOLS;
  if (outcome.kind === 'text') return signature === undefined ? ASK_FOR_CODE : ASK_FOR_SUBMIT;
  const written = outcome.blocks.length;
  const parts = blocks.map((block) => blockOutput(block, written, run));
  if (blocks.length < written) {
    parts.push(
      `(${blocks.length === 0 ? 'No block was run' : `Stopped there: ${written - blocks.length} more not run`}.)`,
    );
  }
  return parts.join('\n\n');
}

function blockOutput(block: BlockRecord, written: number, run: RunSpecification): string {
  const { result } = block;
  const delimiter = delimiterOf(run);
  const title = written > 1 ? `Output of block ${block.index + 1} of ${written}` : 'Output';
  const seconds = result.execution_time >= 1 ? ` (${result.execution_time.toFixed(1)} s)` : '';
  const error = truncateMiddle(result.error ?? '', run.config.rlm.output_limit).text;
  const printed = { stdout: result.stdout, stderr: result.stderr, error } as const;
  const sections = (['stdout', 'stderr', 'error'] as const)
    .filter((name) => printed[name].trim() !== '')
    .map((name) => delimit(name, printed[name], delimiter));
  return `${title}${seconds}:\n${sections.length === 0 ? '(no output)' : sections.join('\n')}`;
}

/**
 * The best that can be said of an agent that did not finish: what it last printed or said. Undefined when there is
 * nothing.
 */
export function lastKnownAnswer(records: readonly ChainRecord[]): string | undefined {
  const newestFirst = ownRecords(records).toReversed();
  for (const record of newestFirst) {
    if (record.kind === 'block' && record.result.stdout.trim() !== '') {
      return `(unfinished; the last output was)\n${truncateMiddle(record.result.stdout.trim(), 2000).text}`;
    }
    const prose = record.kind === 'reply' ? proseOf(record.text) : '';
    if (prose !== '') return `(unfinished; the last reply was)\n${truncate(prose, 2000)}`;
  }
  return undefined;
}

export interface Report {
  /** What the parent's code gets as a string. */
  readonly shown: string;
  /** All of it, where it is cut. */
  readonly whole?: string;
}

/** Of a sub-agent's answer: a string, JSON for anything else. Cut to `limit` characters, it begins by saying so. */
export function reportOf(answer: unknown, limit: number): Report {
  const text = typeof answer === 'string' ? answer : stringifyJson(answer);
  const { text: shown, truncated } = truncateMiddle(text, limit);
  if (!truncated) return { shown };
  const count = text.length.toLocaleString('en-US');
  return { shown: `[This report is cut: it has ${count} characters. Its .full is all of it.]\n${shown}`, whole: text };
}
