import { findUnendedRun } from './find-run.ts';
import { say, type Io } from './io.ts';
import type { AttachOptions } from './options.ts';
import { presentStored } from './present-stored.ts';
import { withSession } from './session.ts';
import { watchRun } from './watch-run.ts';

/** `rlm watch`. */
export function watch(io: Io, run: string, options: AttachOptions): Promise<number> {
  return withSession(io, options, async (session) => {
    const found = await findUnendedRun(session, run, (line) => say(io, line));
    if (found === undefined) return presentStored(io, session, run, options);
    const { runs, known } = found;
    return watchRun({
      io,
      session,
      runs,
      options,
      started: known,
      worker: undefined,
      resumeCommand: `rlm resume ${run}`,
      endOnPause: false,
      interruptible: 'leave',
    });
  });
}
