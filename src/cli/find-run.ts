import type { TemporalRun } from '../client/temporal-runs.ts';
import type { RunReference } from '../domain/records.ts';
import { findRun } from '../results/find-run.ts';
import { withoutOldOutcome } from '../results/run-snapshot.ts';
import { EXIT_FAILED } from './exit-codes.ts';
import { noSuchRun, startServerIfNeeded } from './look.ts';
import { CommandError } from './report-error.ts';
import type { OpenTemporal, Session } from './session.ts';

export interface FoundRun extends OpenTemporal {
  readonly known: TemporalRun;
  /** Undefined as long as it has stored nothing. */
  readonly stored: RunReference | undefined;
}

/** What is stored of a run, without the outcome of before where Temporal knows that it has begun again since. */
export async function findStoredRun(session: Session, run: string): Promise<RunReference | undefined> {
  const stored = await findRun(session.blobs, run);
  if (stored?.outcome === undefined) return stored;
  // Where no server runs, what is recorded is what there is.
  const known = await (await session.findTemporal().catch(() => undefined))?.runs.describe(run);
  return withoutOldOutcome(stored, known?.startedAt);
}

/**
 * A run that has not ended. The embedded server is started where it does not run: a run may be suspended in its
 * database.
 *
 * @throws CommandError
 */
export async function findOpenRun(session: Session, run: string, log: (line: string) => void): Promise<FoundRun> {
  const stored = await findStoredRun(session, run);
  if (stored?.outcome !== undefined) throw hasEnded(run);
  const opened = (await session.findTemporal()) ?? (await startServerIfNeeded(session, log));
  const known = await opened?.runs.describe(run);
  if (opened === undefined || known === undefined) throw await noSuchRun(run, session.blobs);
  if (known.status !== 'running') throw hasEnded(run);
  return { ...opened, known, stored };
}

/**
 * A run to follow to its end, as `findOpenRun`; undefined where its outcome is there already, also since a moment ago.
 *
 * @throws CommandError
 */
export async function findUnendedRun(
  session: Session,
  run: string,
  log: (line: string) => void,
): Promise<FoundRun | undefined> {
  const isRecorded = async (): Promise<boolean> => (await findStoredRun(session, run))?.outcome !== undefined;
  if (await isRecorded()) return undefined;
  try {
    return await findOpenRun(session, run, log);
  } catch (error) {
    if (await isRecorded()) return undefined;
    throw error;
  }
}

export function hasEnded(run: string): CommandError {
  return new CommandError(`Run ${run} has ended already: rlm result ${run} shows how.`, EXIT_FAILED);
}
