import type { RunLimits } from '../domain/budget.ts';
import { reasonNow, type RunState } from '../domain/messages.ts';
import type { RunOutcome, RunReference } from '../domain/records.ts';
import { findRun } from '../results/find-run.ts';
import { createRunReader, type RunReader } from '../results/run-reader.ts';
import type { RunDocument } from '../results/run-document.ts';
import { currentSnapshot, type RunSnapshot } from '../results/run-snapshot.ts';
import type { BlobStore } from '../storage/blob-store.ts';
import { describePendingFailure } from './pending-failure.ts';
import type { RunEnd, TemporalRun, TemporalRuns } from './temporal-runs.ts';

/** How a run stands, from its references and, where it can be reached, from Temporal. */
export interface RunReport {
  readonly run: string;
  readonly execution: string;
  readonly status: RunDocument['status'];
  /** Why it is paused, suspended or failed. */
  readonly reason: string | null;
  /** What to type, a phrase for a person; null where the reason says it, or nothing helps. */
  readonly next: string | null;
  /** Undefined as long as it has stored nothing. */
  readonly snapshot: RunSnapshot | undefined;
  /** As the run says them itself; absent where it does not answer. */
  readonly limits?: RunLimits;
  /** Undefined where Temporal cannot be reached. */
  readonly runs: TemporalRuns | undefined;
  readonly reader: RunReader;
}

function noServer(run: string): string {
  return `no Temporal server is running here. rlm resume ${run} starts one and continues this run, rlm up all of them`;
}

/** Why nothing happens to a run that does not answer; one that nobody has begun has stored nothing. */
export function unansweredReason(run: string, { isStored }: { readonly isStored: boolean }): string {
  if (isStored) return `no worker is running. rlm resume ${run} starts one for this run, rlm up one for all`;
  return `no worker has started it yet. rlm resume ${run} starts one for this run; rlm up starts one for all`;
}

/** Why a run is paused, and what to type where that is known. */
export function pauseReason(run: string, pause: Pause): string {
  const raise = raiseCommand(run, pause);
  return raise === undefined ? pause.reason : `${pause.reason}; raise it with ${raise}`;
}

/** The command for a run that is paused because its money is used up; undefined for another cause, and where it has more since. */
export function raiseCommand(run: string, { failure, isRaised }: Pause): string | undefined {
  return failure === 'Budget.Exhausted' && !isRaised
    ? `rlm budget ${run} --max-cost <more> && rlm resume ${run}`
    : undefined;
}

/** Why a run is paused, as it says itself. */
export interface Pause {
  readonly reason: string;
  /** Type of the failure that paused it; null when a person did. */
  readonly failure: string | null;
  /** Its money was used up, and a person has given it more since. */
  readonly isRaised: boolean;
}

/** The pause of a run that is paused. */
export function pauseOf(state: Pick<RunState, 'reason' | 'failure' | 'raised_to'>): Pause | undefined {
  const reason = reasonNow(state);
  return reason === null ? undefined : { reason, failure: state.failure, isRaised: state.raised_to !== null };
}

/** What to type for a run that is paused, or waits for a person; null where the reason says it, or nothing helps. */
export function nextStep(run: string, state: RunState): string | null {
  const { status, questions } = state;
  const [question] = questions;
  if (status !== 'paused' && question !== undefined)
    return `rlm approve ${run} ${question.id} allows it, rlm reject ${run} ${question.id} does not`;
  const pause = pauseOf(state);
  const isSaid = pause !== undefined && raiseCommand(run, pause) !== undefined;
  return status === 'paused' && !isSaid ? `rlm resume ${run} continues` : null;
}

/**
 * @param runs undefined where Temporal cannot be reached
 * @returns undefined for an unknown run
 */
export async function reportRun(
  {
    blobs,
    runs,
    answerTimeoutMs = 2500,
  }: { blobs: BlobStore; runs: TemporalRuns | undefined; answerTimeoutMs?: number },
  run: string,
): Promise<RunReport | undefined> {
  const [stored, known] = await Promise.all([findRun(blobs, run), runs?.describe(run)]);
  const execution = known?.execution ?? stored?.execution;
  if (execution === undefined) return undefined;
  const reader = createRunReader(blobs, { run, execution });
  const report = { run, execution, runs, reader, next: null };
  const recorded = await reader.snapshot();
  const snapshot = recorded === undefined ? undefined : currentSnapshot(recorded, known?.startedAt);
  if (snapshot?.run.outcome !== undefined) {
    const { status, error } = snapshot.run.outcome;
    return { ...report, snapshot, status, reason: error };
  }
  if (known === undefined || runs === undefined) {
    const reason =
      runs === undefined
        ? noServer(run)
        : 'Temporal has no such workflow. Was its database deleted, or is it on another server?';
    return { ...report, snapshot, status: 'suspended', reason };
  }
  if (known.status === 'running') {
    const state = await runs.state(run, answerTimeoutMs);
    if (state === undefined)
      return {
        ...report,
        snapshot,
        status: 'suspended',
        reason: unansweredReason(run, { isStored: snapshot !== undefined }),
      };
    const pause = pauseOf(state);
    const reason =
      (await preparationFailure(runs, run, state)) ?? (pause === undefined ? null : pauseReason(run, pause));
    const { status, limits } = state;
    const next = nextStep(run, state);
    return { ...report, snapshot, status, reason, next, ...(limits === null ? {} : { limits }) };
  }
  return { ...report, ...endedReport(snapshot, await endOf(runs, known)) };
}

/** What keeps a run from starting: its repository cannot be reached, say, and is tried again. */
async function preparationFailure(runs: TemporalRuns, run: string, { status }: RunState): Promise<string | null> {
  if (status !== 'starting') return null;
  const [failure] = await runs.pendingFailures(run, []).catch(() => []);
  return failure === undefined ? null : describePendingFailure(failure);
}

function endOf(runs: TemporalRuns, known: TemporalRun): Promise<RunEnd> {
  return runs.end(known.run, { runId: known.runId, signal: AbortSignal.timeout(10_000) });
}

function outcomeOf(snapshot: RunSnapshot | undefined, end: RunEnd): RunOutcome | undefined {
  if ('outcome' in end) return end.outcome;
  return end.status === 'cancelled' ? snapshot?.run.outcome : undefined;
}

function withoutOutcome(end: RunEnd): Pick<RunReport, 'status' | 'reason'> {
  return 'outcome' in end
    ? { status: end.outcome.status, reason: end.outcome.error }
    : { status: end.status, reason: end.error };
}

/** Of a run whose workflow has ended so: with its outcome, or as its blob store has it. */
export function endedReport(
  snapshot: RunSnapshot | undefined,
  end: RunEnd,
): Pick<RunReport, 'snapshot' | 'status' | 'reason'> {
  const outcome = outcomeOf(snapshot, end);
  if (outcome === undefined) return { snapshot, ...withoutOutcome(end) };
  const run: RunReference | undefined = snapshot === undefined ? undefined : { ...snapshot.run, outcome };
  return {
    snapshot: run === undefined || snapshot === undefined ? undefined : { ...snapshot, run },
    status: outcome.status,
    reason: outcome.error,
  };
}
