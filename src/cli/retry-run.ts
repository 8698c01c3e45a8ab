import { findEndedRun, retryRun } from '../client/retry-run.ts';
import type { ConfigInput } from '../config/schema.ts';
import { findRun } from '../results/find-run.ts';
import { say, type Io } from './io.ts';
import { noSuchRun } from './look.ts';
import type { AttachOptions } from './options.ts';
import { hostWorkerFor } from './other-runs.ts';
import { checkWritable } from './output-file.ts';
import { writableResultsFolder } from './results-folder.ts';
import { withSession, type Session } from './session.ts';
import { settingsOf, type SettingOptions } from './settings.ts';
import { settingsForRetry } from './take-settings.ts';
import { watchRun } from './watch-run.ts';

export interface RetryOptions extends AttachOptions, SettingOptions {}

/** `rlm retry`: runs one that has ended again, under its id, keeping what was paid for. */
export function retryEnded(io: Io, run: string, options: RetryOptions): Promise<number> {
  return withSession(io, options, (session) => retry(io, session, run, options));
}

export async function retry(io: Io, session: Session, run: string, options: RetryOptions): Promise<number> {
  if (options.output !== undefined) await checkWritable(session.cwd, options.output);
  if (options.results !== undefined) writableResultsFolder(session.cwd, options.results);
  const log = (line: string): void => say(io, line);
  const overrides: ConfigInput = settingsOf(options);
  if ((await findRun(session.blobs, run)) === undefined && (await session.findTemporal()) === undefined)
    throw await noSuchRun(run, session.blobs);
  const opened = await session.openTemporal({ log });
  const { runs } = opened;
  const ended = await findEndedRun(session.blobs, runs, run);
  const config = await settingsForRetry(io, session, ended, { ...options, overrides });
  const worker = await hostWorkerFor(session, opened, { run, log, toolFiles: options.tools });
  try {
    const started = await retryRun(session, runs, ended, () => config);
    say(io, `Run ${run} begins again where it ended (${ended.stored.outcome?.status ?? ended.known?.status}).`);
    return await watchRun({ io, session, runs, options, started, resumeCommand: `rlm resume ${run}`, worker });
  } catch (error) {
    await worker.close().catch(() => undefined);
    throw error;
  }
}
