import type { TemporalRun } from '../client/temporal-runs.ts';
import type { RunReference } from '../domain/records.ts';
import { findRun } from '../results/find-run.ts';
import { EXIT_FAILED } from './exit-codes.ts';
import { noSuchRun, startServerIfNeeded } from './look.ts';
import { CommandError } from './report-error.ts';
import type { OpenTemporal, Session } from './session.ts';

export interface FoundRun extends OpenTemporal {
  readonly known: TemporalRun;
  /** Undefined as long as it has stored nothing. */
  readonly stored: RunReference | undefined;
}

/**
 * A run that has not ended. The embedded server is started where it does not run: a run may be suspended in its
 * database.
 *
 * @throws CommandError
 */
export async function findOpenRun(session: Session, run: string, log: (line: string) => void): Promise<FoundRun> {
  const stored = await findRun(session.blobs, run);
  if (stored?.outcome !== undefined) throw hasEnded(run);
  const opened = (await session.findTemporal()) ?? (await startServerIfNeeded(session, log));
  const known = await opened?.runs.describe(run);
  if (opened === undefined || known === undefined) throw noSuchRun(run);
  if (known.status !== 'running') throw hasEnded(run);
  return { ...opened, known, stored };
}

export function hasEnded(run: string): CommandError {
  return new CommandError(`Run ${run} has ended already: rlm result ${run} shows how.`, EXIT_FAILED);
}
