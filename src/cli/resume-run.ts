import { runSettings } from '../client/change-settings.ts';
import { createGrants, grantBudget } from '../grants.ts';
import { EXIT_DONE } from './exit-codes.ts';
import { findStoredRun, findUnendedRun, hasEnded, type FoundRun } from './find-run.ts';
import { say, type Io } from './io.ts';
import type { AttachOptions } from './options.ts';
import { hostWorkerFor } from './other-runs.ts';
import { checkWritable } from './output-file.ts';
import { writableResultsFolder } from './results-folder.ts';
import { presentStored } from './present-stored.ts';
import { retry } from './retry-run.ts';
import { afterStart } from './report-error.ts';
import { withSession, type Session } from './session.ts';
import { whatCameOf } from './steer.ts';
import { takeSettings } from './take-settings.ts';
import { watchRun } from './watch-run.ts';

export interface ResumeOptions extends AttachOptions {
  /** Seconds that the run gets beside those it had. */
  readonly moreTime?: number;
  readonly agent?: string;
}

/** Milliseconds in which a worker that has just begun, and replays the run, answers for it. */
const WORKER_BEGINS_MS = 10_000;

/** `rlm resume`: tells the run, and works on it where nobody else does. */
export function resumeRun(io: Io, run: string, options: ResumeOptions): Promise<number> {
  return withSession(io, options, async (session) => {
    const { moreTime } = options;
    const ended = (await findStoredRun(session, run))?.outcome;
    if (ended?.status === 'timed_out' && moreTime !== undefined)
      return retry(io, session, run, { ...options, timeout: moreTime });
    if (ended !== undefined) return presentStored(io, session, run, options);
    if (options.output !== undefined) await checkWritable(session.cwd, options.output);
    if (options.results !== undefined) writableResultsFolder(session.cwd, options.results);
    const log = (line: string): void => say(io, line);
    const found = await findUnendedRun(session, run, log);
    if (found === undefined) return presentStored(io, session, run, options);
    const { runs, known } = found;
    const { agent } = options;
    if (agent !== undefined) {
      say(
        io,
        whatCameOf(run, await runs.tell(run, { name: 'resume', agent }), `Agent ${agent} of run ${run} resumes.`),
      );
      return EXIT_DONE;
    }
    const watching = { io, session, runs, options, started: known, resumeCommand: `rlm resume ${run}` };
    if (await runs.hasWorker(run)) {
      await goOn(io, session, found, options);
      // What it comes to is there only at its end.
      if (options.output !== undefined || options.json === true)
        return watchRun({ ...watching, worker: undefined, interruptible: 'leave' });
      say(io, `Run ${run} resumes. Follow it with rlm watch ${run}.`);
      return EXIT_DONE;
    }
    const worker = await hostWorkerFor(session, found, { run, log, toolFiles: options.tools });
    try {
      await afterStart(() => goOn(io, session, found, options));
    } catch (error) {
      await worker.close().catch(() => undefined);
      throw error;
    }
    return watchRun({ ...watching, worker });
  });
}

/** With the configuration and the limits of now: what it was told while it was suspended takes effect before. */
export async function goOn(io: Io, session: Session, found: FoundRun, options: ResumeOptions): Promise<void> {
  const { runs, known, stored } = found;
  const { run } = known;
  const state = await runs.state(run, WORKER_BEGINS_MS);
  await takeSettings(io, session, found, options);
  if (options.moreTime !== undefined) {
    const begun = stored === undefined ? undefined : await runSettings(session.blobs, stored);
    const before =
      state?.limits?.global_timeout ?? begun?.config.rlm.global_timeout ?? session.config.rlm.global_timeout;
    const limit = before + options.moreTime;
    await runs.setBudget(run, await grantBudget(createGrants(session.stateDirectory), run, { global_timeout: limit }));
    say(io, `Run ${run} has ${options.moreTime} seconds more: rlm.global_timeout is ${limit} now.`);
  }
  if (!(await runs.resume(run))) throw hasEnded(run);
}
