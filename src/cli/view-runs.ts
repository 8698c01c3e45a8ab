import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { KeyMissing } from '../domain/key-missing.ts';
import { errorMessage } from '../domain/error-message.ts';
import { runIdProblem } from '../domain/ids.ts';
import { openResults } from '../viewer/results-folder.ts';
import type { RunSource } from '../viewer/run-source.ts';
import { createStoredRuns } from '../viewer/stored-runs.ts';
import { startViewer } from '../viewer/viewer-server.ts';
import { EXIT_DONE, EXIT_FAILED } from './exit-codes.ts';
import { catchInterrupts } from './interrupts.ts';
import { say, type Io } from './io.ts';
import { createLiveRuns } from './live-runs.ts';
import { noSuchRun } from './look.ts';
import type { TemporalOptions } from './options.ts';
import { CommandError } from './report-error.ts';
import { withSession, type Session } from './session.ts';

export interface ViewOptions extends TemporalOptions {
  readonly port?: number;
  readonly open: boolean;
}

/** `rlm view`. */
export function viewRuns(io: Io, run: string | undefined, options: ViewOptions): Promise<number> {
  return withSession(io, options, async (session) => {
    const { source, shown } = await openSource(io, session, run, options);
    const viewer = await startViewer(source, { port: options.port ?? 0 }).catch((error: unknown) => {
      throw new CommandError(
        `Port ${options.port} of 127.0.0.1 cannot be used (${errorMessage(error)}): choose another with --port.`,
        EXIT_FAILED,
      );
    });
    const interrupts = catchInterrupts();
    try {
      const link = viewer.link(shown);
      say(io, `Open this link; it is for you alone, and works while this command runs (Ctrl-C ends it):`);
      io.stdout.write(`${link}\n`);
      if (options.open && io.stdout.isTTY) openBrowser(io, link);
      await interrupts.next();
    } finally {
      interrupts.close();
      await viewer.close();
    }
    return EXIT_DONE;
  });
}

/**
 * Where a run is read: from results files where a file or folder is named, else from the blob store.
 *
 * @throws CommandError where there is no such run
 */
export async function openSource(
  io: Io,
  session: Session,
  named: string | undefined,
  options: TemporalOptions,
): Promise<{ readonly source: RunSource; readonly shown: string | undefined }> {
  const stored = createStoredRuns({ blobs: session.blobs, live: createLiveRuns({ io, session, options }) });
  if (named === undefined) return { source: stored, shown: undefined };
  const view = runIdProblem(named) === undefined ? stored.view(named) : Promise.resolve(undefined);
  const isRun = (await view.catch(undefinedUnlessEncrypted)) !== undefined;
  if (isRun) return { source: stored, shown: named };
  const path = resolve(session.cwd, named);
  if (!existsSync(path)) throw await noSuchRun(named, session.blobs);
  const source = await openResults(path);
  const { runs, problems } = await source.list(2);
  const [first] = runs;
  if (first === undefined) {
    const why = problems.length === 0 ? 'it has no results files' : problems.slice(0, 3).join('; ');
    throw new CommandError(`Nothing in ${named} can be shown: ${why}.`);
  }
  return { source, shown: runs.length === 1 ? first.run : undefined };
}

/** Where there is none, the link is printed all the same. */
function openBrowser({ env }: Io, link: string): void {
  const command = process.platform === 'darwin' ? 'open' : 'xdg-open';
  const child = spawn(command, [link], { detached: true, stdio: 'ignore', env });
  child.on('error', () => undefined);
  child.unref();
}

function undefinedUnlessEncrypted(error: unknown): undefined {
  if (error instanceof KeyMissing) throw error;
}
