import type { ScheduleDescription } from '@temporalio/client';
import type { TemporalRuns } from '../../client/temporal-runs.ts';
import { findRun } from '../../results/find-run.ts';
import type { BlobStore } from '../../storage/blob-store.ts';
import { lastReport } from '../batch/report.ts';
import type { Io } from '../io.ts';
import { wantsColor } from '../live/display.ts';
import { formatCost, plural } from '../live/format.ts';
import { padEnd } from '../live/text.ts';

/** How a schedule stands. */
export interface ScheduleHealth {
  readonly schedule: string;
  readonly paused: boolean;
  readonly note: string | null;
  /** ISO 8601; null before the first. */
  readonly last_run_at: string | null;
  readonly last_run: string | null;
  /** Of the last run: as `rlm status` says it. */
  readonly last_result: string | null;
  /** Why it does not begin; null where it has, or where that is not known. */
  readonly last_reason: string | null;
  readonly last_cost: number | null;
  readonly next_run_at: string | null;
  /** Occurrences that were not started: the server was away for longer than the catch-up window. */
  readonly missed: number;
  /** Occurrences that were not started because the run before was still at work. */
  readonly skipped: number;
  readonly running: number;
  readonly runs: number;
}

export async function healthOf(
  schedule: ScheduleDescription,
  blobs: BlobStore,
  runs: TemporalRuns,
): Promise<ScheduleHealth> {
  const { info, state } = schedule;
  const last = info.recentActions.toSorted((a, b) => a.takenAt.getTime() - b.takenAt.getTime()).at(-1);
  const run = last?.action.workflow.workflowId ?? null;
  const lastRun = run === null ? undefined : await standingOf(run, schedule, { blobs, runs });
  return {
    schedule: schedule.scheduleId,
    paused: state.paused,
    note: state.note ?? null,
    last_run_at: last?.takenAt.toISOString() ?? null,
    last_run: run,
    last_result: lastRun?.result ?? null,
    last_reason: lastRun?.reason ?? null,
    last_cost: lastRun?.cost ?? null,
    next_run_at: state.paused ? null : (info.nextActionTimes[0]?.toISOString() ?? null),
    missed: info.numActionsMissedCatchupWindow,
    skipped: info.numActionsSkippedOverlap,
    running: info.runningActions.length,
    runs: info.numActionsTaken,
  };
}

interface RunStanding {
  readonly result: string;
  readonly cost: number | null;
  readonly reason?: string;
}

async function standingOf(
  run: string,
  { action }: ScheduleDescription,
  { blobs, runs }: { readonly blobs: BlobStore; readonly runs: TemporalRuns },
): Promise<RunStanding> {
  if (action.workflowType === 'batch') {
    const report = await lastReport(blobs, run);
    if (report !== undefined) {
      const { counts, cost } = report;
      const failed = counts.failed + counts.kept_failed;
      return { result: failed === 0 ? 'completed' : `${failed} of ${report.total} failed`, cost };
    }
  }
  const outcome = (await findRun(blobs, run))?.outcome;
  if (outcome !== undefined) return { result: outcome.status, cost: outcome.usage.cost };
  const known = await runs.describe(run);
  if (known === undefined) return { result: 'forgotten', cost: null };
  if (known.status !== 'running') return { result: known.status === 'ended' ? 'completed' : known.status, cost: null };
  // What Temporal calls running may lie there without a worker, or without the one that has its folder.
  const state = await runs.state(run, 1000);
  if (state?.status === 'starting' && state.reason !== null)
    return { result: WAITING, cost: null, reason: state.reason };
  return { result: state?.status ?? WAITING, cost: null };
}

const WAITING = 'waiting for a worker';
const UNREMARKABLE: ReadonlySet<string> = new Set(['completed', 'starting', 'running', 'finishing']);

/** A table: what did not run stands out. */
export function renderHealth(all: readonly ScheduleHealth[], io: Io): string[] {
  const paint = painter(io);
  const rows = all.map((each): readonly string[] => [
    each.schedule,
    each.last_run_at === null ? 'never' : shortTime(each.last_run_at),
    each.last_result ?? '-',
    each.last_cost === null ? '-' : formatCost(each.last_cost) || '-',
    each.paused ? 'paused' : each.next_run_at === null ? 'never' : shortTime(each.next_run_at),
    String(each.missed),
    String(each.skipped),
  ]);
  const head = ['SCHEDULE', 'LAST RUN (UTC)', 'RESULT', 'COST', 'NEXT RUN (UTC)', 'MISSED', 'SKIPPED'];
  const widths = head.map((name, at) => Math.max(name.length, ...rows.map((row) => row[at]?.length ?? 0)) + 2);
  const line = (cells: readonly string[]): string[] => cells.map((cell, at) => padEnd(cell, widths[at] ?? 0));
  return [
    line(head).join('').trimEnd(),
    ...rows.map((row, at) => {
      const cells = line(row);
      const { missed, last_result: result } = all[at] as ScheduleHealth;
      if (missed > 0) cells[5] = paint('red', cells[5] ?? '');
      if (result !== null && !UNREMARKABLE.has(result)) cells[2] = paint('red', cells[2] ?? '');
      return cells.join('').trimEnd();
    }),
    ...all.filter(({ missed }) => missed > 0).map((each) => paint('red', missedLine(each))),
    ...all.flatMap(({ last_run, last_reason: why }) => (why === null ? [] : [paint('red', `${last_run}: ${why}.`)])),
  ];
}

function missedLine({ schedule, missed }: ScheduleHealth): string {
  const what = missed === 1 ? 'an occurrence was' : `${missed} occurrences were`;
  return `${schedule}: ${what} missed: no server was there within the catch-up window. rlm schedule backfill ${schedule} --from <time> makes up for it.`;
}

export function renderSchedule(schedule: ScheduleDescription, health: ScheduleHealth, io: Io): string[] {
  const { policies, info, state, action, spec } = schedule;
  const calendars = (spec.calendars ?? []).map(({ comment }) => comment ?? 'at set times');
  const zone = spec.timezone === undefined || spec.timezone === '' ? 'UTC' : spec.timezone;
  const times = [
    ...(spec.intervals ?? []).map(({ every }) => `every ${formatDuration(every)}`),
    ...calendars.map((calendar) => `${calendar} (${zone})`),
  ];
  const recent = info.recentActions
    .toSorted((a, b) => b.takenAt.getTime() - a.takenAt.getTime())
    .map(({ action: { workflow }, takenAt }) => `  ${shortTime(takenAt.toISOString())}  ${workflow.workflowId}`);
  return [
    ...renderHealth([health], io),
    '',
    `starts      ${action.workflowType}${action.staticSummary === undefined ? '' : `: ${action.staticSummary}`}`,
    `when        ${times.join(', ')}${spec.jitter === undefined ? '' : `, up to ${formatDuration(spec.jitter)} later`}`,
    `overlap     ${(policies.overlap ?? 'SKIP').toLowerCase()}`,
    `catch-up    ${formatDuration(policies.catchupWindow)}`,
    `on failure  ${policies.pauseOnFailure ? 'pauses' : 'continues'}`,
    ...(state.note === undefined || state.note === '' ? [] : [`note        ${state.note}`]),
    ...(recent.length === 0 ? [] : ['', 'latest runs (rlm result <run>):', ...recent]),
    '',
    'next runs:',
    ...info.nextActionTimes.slice(0, 3).map((time) => `  ${shortTime(time.toISOString())}`),
  ];
}

const UNITS = [
  ['day', 86_400_000],
  ['h', 3_600_000],
  ['min', 60_000],
  ['s', 1000],
] as const;

/** In the largest unit that leaves a whole number: `6 h`, `90 s`. */
function formatDuration(milliseconds: number): string {
  const [unit, size] = UNITS.find(([, each]) => milliseconds >= each && milliseconds % each === 0) ?? ['s', 1000];
  const count = milliseconds / size;
  return unit === 'day' ? plural(count, unit) : `${count} ${unit}`;
}

export function shortTime(iso: string): string {
  return iso.slice(0, 19).replace('T', ' ');
}

function painter(io: Io): (color: 'red', text: string) => string {
  const isColored = wantsColor(io.stdout, io.env);
  return (_color, text) => (isColored ? `\u001B[31m${text}\u001B[0m` : text);
}
