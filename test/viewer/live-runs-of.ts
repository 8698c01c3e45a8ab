import { join } from 'node:path';
import { cacheDirectory } from '../../src/config/directories.ts';
import { createLiveRuns } from '../../src/cli/live-runs.ts';
import { processIo } from '../../src/cli/io.ts';
import { openSession } from '../../src/cli/session.ts';
import type { LiveRuns } from '../../src/viewer/standings.ts';
import type { World } from '../e2e/world.ts';

/** What `rlm view` gives its page, typed in the folder of a world: its server is found by its state folder. */
export async function liveRunsOf({
  folder,
}: World): Promise<{ readonly live: LiveRuns; readonly close: () => Promise<void> }> {
  const env = {
    PATH: process.env['PATH'],
    HOME: folder,
    DURABLE_RLM_STATE: join(folder, 'state'),
    DURABLE_RLM_CACHE: cacheDirectory(process.env),
  };
  const io = { ...processIo(), env, cwd: folder };
  const session = await openSession(io, {});
  // Until it is closed it holds the server.
  return { live: createLiveRuns({ io, session, options: {} }), close: () => session.close() };
}
