import { join } from 'node:path';
import { emptyDocument } from '../client/empty-document.ts';
import { endedReport, pauseReason, raiseCommand } from '../client/report-run.ts';
import type { StartedRun, TemporalRuns } from '../client/temporal-runs.ts';
import { ROOT_AGENT } from '../domain/ids.ts';
import { createResultsWriter } from '../results/results-files.ts';
import { runDocument, type RunDocument } from '../results/run-document.ts';
import { createRunReader } from '../results/run-reader.ts';
import { findBackground } from './background.ts';
import { EXIT_CANCELLED, exitCodeOf } from './exit-codes.ts';
import { followRun, type Followed } from './follow-run.ts';
import type { HostedWorker } from './host-worker.ts';
import { catchInterrupts } from './interrupts.ts';
import { say, type Io } from './io.ts';
import { createDisplay } from './live/display.ts';
import { createTranscript } from './live/transcript.ts';
import type { JsonOption, TalkOptions, TemporalOptions } from './options.ts';
import { presentRun } from './present-run.ts';
import { afterStart, CommandError } from './report-error.ts';
import { resultsFolder } from './results-folder.ts';
import type { Session } from './session.ts';

export interface WatchOptions {
  readonly io: Io;
  readonly session: Session;
  readonly runs: TemporalRuns;
  readonly started: Pick<StartedRun, 'run' | 'execution' | 'runId' | 'startedAt'>;
  /** In this process; closed in the end. */
  readonly worker: HostedWorker | undefined;
  readonly options: TemporalOptions &
    TalkOptions &
    JsonOption & { readonly output?: string; readonly results?: string; readonly repo?: string };
  /** What to type to come back to the run. */
  readonly resumeCommand: string;
  /** A pause ends the following, with exit code 1. Default true. */
  readonly endOnPause?: boolean;
  readonly interruptible?: 'detach-or-cancel' | 'leave';
  /** Prints what came of the run. Default: `presentRun`. @returns the exit code */
  readonly present?: (document: RunDocument) => Promise<number>;
  /** What came of the run is not printed. */
  readonly silentResult?: boolean;
  /** Gets a way to print lines above the display. */
  readonly onDisplay?: (note: (line: string) => void) => void;
}

/** Follows a run to its end and prints what came of it. @returns the exit code */
export function watchRun(watching: WatchOptions): Promise<number> {
  return afterStart(async () => {
    const interrupts = catchInterrupts();
    try {
      const { io, worker } = watching;
      const { followed, document } = await follow(watching, interrupts);
      // Of a run that was left it can be told only then who else is at work on it.
      const exitCode = followed.kind === 'detached' ? undefined : await conclude(watching, followed, document);
      if (worker !== undefined) {
        // Handing work over takes a moment; who cannot wait presses again.
        void interrupts.next().then(() => process.exit(EXIT_CANCELLED));
        await worker.close().catch((error: unknown) => say(io, `The worker did not end well: ${String(error)}`));
      }
      return exitCode ?? (await printDetached(watching));
    } finally {
      interrupts.close();
    }
  });
}

async function follow(
  watching: WatchOptions,
  interrupts: ReturnType<typeof catchInterrupts>,
): Promise<{ followed: Followed; document: RunDocument }> {
  const { io, session, started, worker, options } = watching;
  const { run, execution } = started;
  const { blobs } = session;
  const reader = createRunReader(blobs, { run, execution });
  const results =
    options.results === undefined
      ? undefined
      : createResultsWriter({ blobs, reader, folder: resultsFolder(session.cwd, options.results), run });
  const { quiet = false, verbose = false } = options;
  const display = createDisplay({ stream: io.stderr, env: io.env, run, quiet, verbose });
  watching.onDisplay?.((line) => display.note(line));
  const followed = await followRun({
    runs: watching.runs,
    reader,
    run,
    runId: started.runId,
    startedAt: started.startedAt,
    display,
    interrupts,
    endOnPause: watching.endOnPause ?? true,
    interruptible: watching.interruptible ?? 'detach-or-cancel',
    ...(results === undefined ? {} : { results }),
    ...(verbose ? { transcript: createTranscript(ROOT_AGENT, (line) => display.note(line)) } : {}),
    ...(worker === undefined ? {} : { worker }),
  });
  const end = followed.kind === 'ended' ? followed.end : undefined;
  const stored = await reader.snapshot();
  const { snapshot, status, reason } =
    end === undefined ? { snapshot: stored, status: unendedStatus(followed), reason: null } : endedReport(stored, end);
  if (snapshot === undefined) return { followed, document: emptyDocument(run, status, end) };
  const written = options.results === undefined ? null : join(options.results, `${run}.detail.json`);
  return {
    followed,
    document: await runDocument(blobs, snapshot, {
      status,
      reason: followed.kind === 'paused' ? pauseReason(run, followed.pause) : reason,
      results: written,
      now: Date.now(),
    }),
  };
}

function unendedStatus(followed: Followed): RunDocument['status'] {
  return followed.kind === 'paused' ? 'paused' : 'running';
}

/** Milliseconds in which a worker that continues a run answers. */
const ANSWER = 1500;

/** Says whether somebody else is at work on the run. The worker of this process has been closed. */
async function printDetached({ io, session, runs, options, started, resumeCommand }: WatchOptions): Promise<number> {
  const { run } = started;
  const goesOn = (await runs.state(run, ANSWER)) !== undefined || findBackground(session, options)?.ready === true;
  if (goesOn) {
    say(io, `Run ${run} continues on its workers. Follow it with rlm watch ${run};`);
    say(io, `rlm result ${run} prints its result, rlm cancel ${run} cancels it.`);
  } else {
    say(io, `No worker is running; run ${run} is suspended. Resume it with ${resumeCommand};`);
    say(io, `rlm up starts a worker for it, rlm watch ${run} follows it, rlm cancel ${run} cancels it.`);
  }
  return EXIT_CANCELLED;
}

async function conclude(watching: WatchOptions, followed: Followed, document: RunDocument): Promise<number> {
  const { io, session, options, started, resumeCommand } = watching;
  const { run } = started;
  if (followed.kind === 'worker-failed') {
    const why = followed.error instanceof Error ? followed.error.message : String(followed.error);
    throw new CommandError(
      `The worker failed: ${why}\nThe run keeps everything it has recorded. Resume it with ${resumeCommand}.`,
      1,
    );
  }
  if (followed.kind === 'paused') {
    const raise = raiseCommand(run, followed.pause);
    say(io, `Run ${run} is paused: ${followed.pause.reason.replace(/\.$/, '')}.`);
    // A person who paused it has nothing to put right.
    const cause = raise === undefined && followed.pause.failure !== null ? 'Fix the cause, then resume' : 'Resume';
    const goOn = `${cause} it with ${raise ?? resumeCommand}`;
    say(io, `The run keeps everything it has recorded. ${goOn}.`);
  }
  if (watching.silentResult === true) return exitCodeOf(document);
  if (watching.present !== undefined) return watching.present(document);
  return presentRun(io, session.cwd, document, options);
}
