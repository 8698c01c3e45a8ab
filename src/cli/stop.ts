import { devServerStatus, stopDevServer } from '../temporal/dev-server.ts';
import { listBackgrounds, stopBackground } from './background.ts';
import { EXIT_DONE, EXIT_FAILED } from './exit-codes.ts';
import { say, type Io } from './io.ts';
import { plural } from './live/format.ts';
import type { TemporalOptions } from './options.ts';
import { withSession } from './session.ts';

export interface StopOptions extends TemporalOptions {
  readonly force?: boolean;
}

/** `rlm down`: runs sleep until a worker takes them up again; nothing of them is lost. */
export function stop(io: Io, { force = false, ...options }: StopOptions): Promise<number> {
  return withSession(io, options, async ({ stateDirectory, databaseFile }) => {
    const running = devServerStatus(databaseFile).server;
    const backgrounds = listBackgrounds(stateDirectory);
    for (const background of backgrounds) {
      const pid = background.process.pid;
      const willingly = await stopBackground(background);
      say(
        io,
        `The worker for ${background.serves} (pid ${pid}) was ${willingly ? 'stopped' : 'killed: it did not end'}.`,
      );
    }
    const { stopped, users } = await stopDevServer({ databaseFile, force });
    const gone = stopped || (running !== undefined && devServerStatus(databaseFile).server === undefined);
    if (gone) say(io, 'The Temporal server was stopped; its database is kept.');
    else if (users.length > 0) {
      say(
        io,
        `The Temporal server is used by ${plural(users.length, 'other process', 'other processes')} (${users.join(', ')}): rlm down --force stops it all the same.`,
      );
      return EXIT_FAILED;
    } else if (backgrounds.length === 0) say(io, 'Nothing runs in the background.');
    return EXIT_DONE;
  });
}
