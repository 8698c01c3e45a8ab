import type { TemporalRun, TemporalRuns } from '../client/temporal-runs.ts';
import { KEY_VARIABLE, KeyMissing } from '../domain/key-missing.ts';
import type { RunReference } from '../domain/records.ts';
import { readableRuns } from '../results/find-run.ts';
import { createRunReader } from '../results/run-reader.ts';
import { currentSnapshot, elapsedSeconds, runTotals } from '../results/run-snapshot.ts';
import { EXIT_DONE } from './exit-codes.ts';
import { say, writeJson, type Io } from './io.ts';
import { formatClock, formatCost, plural } from './live/format.ts';
import { columnsOf } from './live/screen.ts';
import { fit, oneLine, padEnd } from './live/text.ts';
import type { JsonOption, TemporalOptions } from './options.ts';
import { CommandError } from './report-error.ts';
import { withSession, type Session } from './session.ts';

export interface ListOptions extends TemporalOptions, JsonOption {
  readonly limit: string;
}

interface ListedRun {
  readonly run_id: string;
  readonly status: string;
  /** ISO 8601. */
  readonly started_at: string;
  /** Seconds; so far for one that has not ended. */
  readonly execution_time: number;
  readonly agents: number;
  readonly cost: number;
  readonly repository: string | null;
  readonly prompt: string | null;
  /** The schedule that started it, or its batch. */
  readonly schedule: string | null;
}

/** `rlm list`: what the blob store knows, and what Temporal knows of runs that have stored nothing yet. */
export async function showList(io: Io, options: ListOptions): Promise<number> {
  const limit = Number(options.limit);
  if (!Number.isInteger(limit) || limit < 1)
    throw new CommandError(`--limit takes a whole number above 0, not "${options.limit}".`);
  return withSession(io, options, async (session) => {
    const found = await session.findTemporal();
    const { runs, unreadable } = await collect(session, found?.runs, limit);
    if (options.json === true) await writeJson(io, runs);
    else if (runs.length === 0) say(io, 'There are no runs yet: rlm run <repo> -p "..." starts one.');
    else for (const line of table(runs, columnsOf(io.stdout, 160))) io.stdout.write(`${line}\n`);
    if (unreadable.length > 0) say(io, describeUnreadable(unreadable));
    if (options.json !== true && runs.some(({ status }) => status === 'paused' || status === 'suspended'))
      say(io, 'rlm resume <run> continues one that is paused or suspended; rlm status <run> says why it is.');
    return EXIT_DONE;
  });
}

async function collect(session: Session, runs: TemporalRuns | undefined, limit: number): Promise<Collected> {
  const [{ runs: stored, unreadable }, known] = await Promise.all([
    readableRuns(session.blobs),
    runs?.list(limit) ?? [],
  ]);
  const byId = new Map(known.map((run) => [run.run, run]));
  const storedIds = new Set(stored.map(({ run }) => run));
  const listed = await Promise.all([
    ...stored.slice(0, limit).map((run) => fromStore(session, run, byId.get(run.run), runs !== undefined)),
    ...known.filter(({ run }) => !storedIds.has(run)).map(fromTemporal),
  ]);
  const newest = listed.toSorted((a, b) => (a.run.started_at < b.run.started_at ? 1 : -1)).slice(0, limit);
  const states = runs === undefined ? new Map<string, string>() : await statesOf(newest, runs, new Set(unreadable));
  return { runs: newest.map(({ run, timeIn }) => withStatus(run, states.get(run.run_id), timeIn)), unreadable };
}

function withStatus(run: ListedRun, status: string | undefined, timeIn: LookedAtRun['timeIn']): ListedRun {
  return status === undefined ? run : { ...run, status, execution_time: timeIn(status) };
}

interface LookedAtRun {
  readonly run: ListedRun;
  /** Seconds that it has taken, when this is its status. */
  readonly timeIn: (status: string) => number;
}

interface Collected {
  readonly runs: readonly ListedRun[];
  /** Ids of those that cannot be read without a key. */
  readonly unreadable: readonly string[];
}

function describeUnreadable(runs: readonly string[]): string {
  const named = runs.slice(0, MAX_NAMED).map(oneLine).join(', ');
  const more = runs.length > MAX_NAMED ? ', ...' : '';
  return `${plural(runs.length, 'run')} cannot be read without the key that encrypted ${runs.length === 1 ? 'it' : 'them'}: ${named}${more}. Put it into ${KEY_VARIABLE}.`;
}

/** Unreadable runs that are named. */
const MAX_NAMED = 5;
/** Open runs asked how they stand, and milliseconds in which they answer where a worker is there. */
const MAX_ASKED = 20;
const ANSWER = 1000;

/** What Temporal calls running may be paused, or nobody may be at work on it: the newest of them are asked. */
async function statesOf(
  listed: readonly LookedAtRun[],
  runs: TemporalRuns,
  unreadable: ReadonlySet<string>,
): Promise<ReadonlyMap<string, string>> {
  const open = listed
    .filter(({ run: { run_id, status } }) => status === 'running' && !unreadable.has(run_id))
    .slice(0, MAX_ASKED);
  return new Map(
    await Promise.all(
      open.map(async ({ run: { run_id: run } }) => {
        const state = await runs.state(run, ANSWER);
        return [run, state?.status ?? 'suspended'] as const;
      }),
    ),
  );
}

async function fromStore(
  session: Session,
  stored: RunReference,
  known: TemporalRun | undefined,
  reachable: boolean,
): Promise<LookedAtRun> {
  const reader = createRunReader(session.blobs, stored);
  const [recorded, specification] = await Promise.all([
    reader.snapshot().catch(undefinedWithoutKey),
    reader.specification(stored).catch(() => undefined),
  ]);
  const snapshot = currentSnapshot(recorded ?? { run: stored, agents: [] }, known?.startedAt);
  const { run } = snapshot;
  const { agents, usage } = runTotals(snapshot);
  const status = run.outcome?.status ?? unendedStatus(known, reachable);
  const timeIn = (now: string): number => elapsedSeconds(snapshot, now, Date.now());
  const listed = {
    run_id: run.run,
    status,
    started_at: new Date(run.started_at).toISOString(),
    execution_time: timeIn(status),
    agents,
    cost: usage.cost,
    repository: specification?.repository?.name ?? null,
    prompt: specification?.prompt ?? null,
    schedule: run.schedule ?? known?.schedule ?? null,
  };
  return { run: listed, timeIn };
}

/** A run that was begun without a key may be continued by a worker that has one. */
function undefinedWithoutKey(error: unknown): undefined {
  if (!(error instanceof KeyMissing)) throw error;
}

/** As far as Temporal knows without a worker. */
function unendedStatus(known: TemporalRun | undefined, reachable: boolean): string {
  if (known !== undefined) return known.status === 'ended' ? 'completed' : known.status;
  return reachable ? 'unknown' : 'suspended';
}

async function fromTemporal({ run, status, startedAt, schedule }: TemporalRun): Promise<LookedAtRun> {
  const listed = {
    run_id: run,
    status: status === 'ended' ? 'completed' : status,
    started_at: new Date(startedAt).toISOString(),
    execution_time: 0,
    agents: 0,
    cost: 0,
    repository: null,
    prompt: null,
    schedule: schedule ?? null,
  };
  return { run: listed, timeIn: () => 0 };
}

function table(runs: readonly ListedRun[], columns: number): string[] {
  const isScheduled = runs.some(({ schedule }) => schedule !== null);
  const rows = [
    ['RUN', 'STATUS', 'STARTED', 'TIME', 'AGENTS', 'COST', ...(isScheduled ? ['SCHEDULE'] : []), 'PROMPT'],
    ...runs.map((run) => [
      oneLine(run.run_id),
      run.status,
      localTime(run.started_at),
      formatClock(run.execution_time * 1000),
      String(run.agents),
      formatCost(run.cost),
      ...(isScheduled ? [oneLine(run.schedule ?? '')] : []),
      oneLine(run.prompt ?? ''),
    ]),
  ];
  const widths = Array.from({ length: isScheduled ? 7 : 6 }, (_, column) =>
    Math.max(...rows.map((row) => row[column]?.length ?? 0)),
  );
  return rows.map((row) =>
    fit(row.map((cell, column) => padEnd(cell, widths[column] ?? 0)).join('  '), columns).trimEnd(),
  );
}

/** `2026-01-02 03:04`. */
function localTime(iso: string): string {
  const date = new Date(iso);
  const local = new Date(date.getTime() - date.getTimezoneOffset() * 60_000);
  return local.toISOString().slice(0, 16).replace('T', ' ');
}
