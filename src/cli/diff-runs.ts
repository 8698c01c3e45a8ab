import { ROOT_AGENT } from '../domain/ids.ts';
import type { ChainRecord, ReplyRecord } from '../domain/records.ts';
import { reportRun } from '../client/report-run.ts';
import type { TemporalRuns } from '../client/temporal-runs.ts';
import { answerText } from '../results/export-agent.ts';
import { readReply } from '../results/read-reply.ts';
import { runDocument, type RunDocument } from '../results/run-document.ts';
import type { BlobStore } from '../storage/blob-store.ts';
import { EXIT_DONE } from './exit-codes.ts';
import { say, writeJson, writeResult, type Io } from './io.ts';
import { formatClock, formatCost, formatCount } from './live/format.ts';
import { oneLine } from './live/text.ts';
import { noSuchRun } from './look.ts';
import type { JsonOption, TemporalOptions } from './options.ts';
import { withSession } from './session.ts';

export interface DiffOptions extends TemporalOptions, JsonOption {}

interface ComparedRun {
  readonly document: RunDocument;
  readonly model: string;
  /** Of the root agent. */
  readonly records: readonly ChainRecord[];
  readonly turns: readonly Turn[];
}

interface Turn {
  readonly iteration: number;
  /** First line of its code, or of what it said. */
  readonly what: string;
}

/** `rlm diff`. */
export function diffRuns(io: Io, run: string, other: string, options: DiffOptions): Promise<number> {
  return withSession(io, options, async (session) => {
    const runs = (await session.findTemporal().catch(() => undefined))?.runs;
    const compared = (id: string): Promise<ComparedRun> => readCompared(session.blobs, runs, id);
    const [a, b] = [await compared(run), await compared(other)];
    const shared = sharedTurns(a.records, b.records);
    if (options.json === true) await writeJson(io, jsonOf(a, b, shared));
    else await writeResult(io, `${tableOf(a, b, shared).join('\n')}\n`);
    if (options.json !== true && a.document.patch !== b.document.patch)
      say(io, `The patches differ: rlm patch ${run} and rlm patch ${other} print them.`);
    return EXIT_DONE;
  });
}

/** @param runs undefined where no server can be reached: what is stored is compared all the same */
async function readCompared(blobs: BlobStore, runs: TemporalRuns | undefined, run: string): Promise<ComparedRun> {
  const report = await reportRun({ blobs, runs }, run);
  const { snapshot, reader } = report ?? {};
  if (report === undefined || snapshot === undefined || reader === undefined) throw await noSuchRun(run, blobs);
  const [specification, trajectories, document] = await Promise.all([
    reader.specification(snapshot.run),
    reader.trajectories(snapshot),
    runDocument(blobs, snapshot, { ...report, results: null, now: Date.now() }),
  ]);
  const records = trajectories.find(({ reference }) => reference.agent === ROOT_AGENT)?.records ?? [];
  const replies = records.filter((record): record is ReplyRecord => record.kind === 'reply');
  return { document, model: specification.config.model.name, records, turns: replies.map(turnOf) };
}

function turnOf(reply: ReplyRecord): Turn {
  const { prose, code } = readReply(reply);
  const lines = (code[0] ?? prose).split('\n').filter((each) => each.trim() !== '');
  return {
    iteration: reply.iteration,
    what: `${lines[0] ?? '(empty reply)'}${lines.length > 1 ? ` … ${lines.length} lines` : ''}`,
  };
}

/** Turns that both have from the same records: of runs of which one was forked from the other. */
function sharedTurns(a: readonly ChainRecord[], b: readonly ChainRecord[]): number {
  // A record names the one before it: those of the same parent and kind at the same place are of one trajectory.
  const length = a.findIndex((record, at) => JSON.stringify(record) !== JSON.stringify(b[at]));
  return a.slice(0, length === -1 ? a.length : length).filter(({ kind }) => kind === 'reply').length;
}

function tableOf(a: ComparedRun, b: ComparedRun, shared: number): string[] {
  const rows: readonly (readonly [string, (run: ComparedRun) => string])[] = [
    ['run', ({ document }) => document.run_id],
    ['status', ({ document }) => document.status],
    ['model', ({ model }) => model],
    ['iterations', ({ turns }) => String(turns.length)],
    ['agents', ({ document }) => String(document.agents)],
    ['tokens', ({ document: { usage } }) => formatCount(usage.input_tokens + usage.output_tokens)],
    ['cost', ({ document }) => formatCost(document.usage.cost) || '-'],
    ['time', ({ document }) => formatClock(document.execution_time * 1000)],
    ['patch', ({ document }) => patchSize(document)],
    ['answer', ({ document }) => (document.answer === null ? '-' : oneLine(answerText(document.answer)).slice(0, 60))],
  ];
  const lines = rows.map(([name, of]) => line(name, of(a), of(b)));
  const turns = Math.max(a.turns.length, b.turns.length);
  const ways = Array.from({ length: turns }, (_, at) => at)
    .slice(shared)
    .map((at) => line(String(a.turns[at]?.iteration ?? b.turns[at]?.iteration), a.turns[at]?.what, b.turns[at]?.what));
  return [
    ...lines,
    '',
    shared === 0 ? 'They share no iteration.' : `Iterations 1 to ${shared} are shared.`,
    ...(ways.length === 0 ? [] : ['', ...ways]),
  ];
}

function patchSize({ patch }: RunDocument): string {
  if (patch === null) return '-';
  const count = (sign: string): number =>
    patch.split('\n').filter((each) => each.startsWith(sign) && !each.startsWith(sign.repeat(3))).length;
  return `+${count('+')} -${count('-')}`;
}

const NAME = 11;
const COLUMN = 62;

function line(name: string, a = '', b = ''): string {
  const cut = (text: string): string => oneLine(text).slice(0, COLUMN - 2);
  return `${name.padEnd(NAME)}${cut(a).padEnd(COLUMN)}${cut(b)}`.trimEnd();
}

function jsonOf(a: ComparedRun, b: ComparedRun, shared: number): object {
  const of = ({ document, model, turns }: ComparedRun): object => ({ ...document, model, turns: turns.slice(shared) });
  return { shared_turns: shared, runs: [of(a), of(b)] };
}
