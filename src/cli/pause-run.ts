import { EXIT_DONE } from './exit-codes.ts';
import { findOpenRun, hasEnded } from './find-run.ts';
import { say, type Io } from './io.ts';
import type { TemporalOptions } from './options.ts';
import { withSession } from './session.ts';
import { whatCameOf } from './steer.ts';

export interface PauseOptions extends TemporalOptions {
  readonly reason?: string;
  readonly agent?: string;
}

/** `rlm pause`. */
export function pauseRun(io: Io, run: string, options: PauseOptions): Promise<number> {
  return withSession(io, options, async (session) => {
    const { runs } = await findOpenRun(session, run, (line) => say(io, line));
    const { agent, reason } = options;
    if (agent !== undefined) {
      const told = await runs.tell(run, { name: 'pause', agent, ...(reason === undefined ? {} : { reason }) });
      const accepted = `Agent ${agent} of run ${run} is pausing. Resume it with rlm resume ${run} --agent ${agent}.`;
      say(io, whatCameOf(run, told, accepted));
      return EXIT_DONE;
    }
    if (!(await runs.pause(run, reason))) throw hasEnded(run);
    const hasWorker = await runs.hasWorker(run);
    say(
      io,
      hasWorker
        ? `Run ${run} is pausing: calls in progress finish, nothing new starts. Resume it with rlm resume ${run}.`
        : `Run ${run} is suspended, because no worker is running, and stays paused when one is. Resume it with rlm resume ${run}.`,
    );
    return EXIT_DONE;
  });
}
