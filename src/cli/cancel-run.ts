import { createChains } from '../storage/chain.ts';
import { findRun } from '../results/find-run.ts';
import { lastReport } from './batch/report.ts';
import { EXIT_CANCELLED, EXIT_DONE, EXIT_FAILED } from './exit-codes.ts';
import { findOpenRun, hasEnded } from './find-run.ts';
import { say, type Io } from './io.ts';
import type { AttachOptions } from './options.ts';
import { hostWorkerFor } from './other-runs.ts';
import { withSession } from './session.ts';
import { watchRun } from './watch-run.ts';

/** `rlm cancel`: waits until the run has ended and cleaned up, with a worker of its own where there is none. */
export function cancelRun(
  io: Io,
  run: string,
  options: AttachOptions & { readonly discard?: boolean },
): Promise<number> {
  return withSession(io, options, async (session) => {
    const log = (line: string): void => say(io, line);
    const found = await findOpenRun(session, run, log);
    const { runs, known } = found;
    if (options.discard === true) {
      if (!(await runs.discard(run))) throw hasEnded(run);
      say(io, `Run ${run} has ended without a result; its agents remove their sandboxes.`);
      return EXIT_DONE;
    }
    if (!(await runs.cancel(run))) throw hasEnded(run);
    const hasWorker = await runs.hasWorker(run);
    const worker = hasWorker ? undefined : await hostWorkerFor(session, found, { run, log });
    const exitCode = await watchRun({
      io,
      session,
      runs,
      options: { ...options, quiet: options.verbose !== true },
      started: known,
      worker,
      resumeCommand: `rlm cancel ${run}`,
      endOnPause: false,
      interruptible: 'leave',
      silentResult: true,
    });
    if (exitCode !== EXIT_CANCELLED) return exitCode === EXIT_DONE ? EXIT_DONE : EXIT_FAILED;
    if ((await lastReport(session.blobs, run)) !== undefined) {
      say(io, `Batch ${run} is cancelled; rlm result ${run} shows how far it came.`);
      return EXIT_DONE;
    }
    const begun = await findRun(session.blobs, run);
    const { type } = begun === undefined ? {} : await createChains(session.blobs).specification(begun.spec);
    const shown = type === 'analyze' ? `rlm result ${run} shows` : `rlm result ${run} and rlm patch ${run} show`;
    say(io, `Run ${run} is cancelled; ${shown} what it had so far.`);
    return EXIT_DONE;
  });
}
