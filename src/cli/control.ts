import type { TemporalRun } from '../client/temporal-runs.ts';
import type { RunReference } from '../domain/records.ts';
import { findRun } from '../results/find-run.ts';
import { createGrants, grantBudget } from '../grants.ts';
import { createRunReader } from '../results/run-reader.ts';
import { runTotals } from '../results/run-snapshot.ts';
import { watchRun } from './watch-run.ts';
import { createChains } from '../storage/chain.ts';
import { EXIT_DONE, EXIT_FAILED, EXIT_CANCELLED, EXIT_USAGE } from './exit-codes.ts';
import { hostWorker } from './host-worker.ts';
import { formatCost } from './live/format.ts';
import { say, type Io } from './io.ts';
import { startServerIfNeeded, noSuchRun } from './look.ts';
import type { JsonOption, TalkOptions, TemporalOptions } from './options.ts';
import { checkWritable } from './output-file.ts';
import { presentStored } from './present-stored.ts';
import { CommandError } from './report-error.ts';
import { withSession, type OpenTemporal, type Session } from './session.ts';

export interface AttachOptions extends TemporalOptions, TalkOptions, JsonOption {
  readonly tools?: readonly string[];
  readonly results?: string;
  readonly output?: string;
}

export interface PauseOptions extends TemporalOptions {
  readonly reason?: string;
}

export interface BudgetOptions extends TemporalOptions {
  readonly maxCost?: number;
  readonly maxSandboxes?: number;
  readonly maxLlmCalls?: number;
}

/** Milliseconds in which a worker that is there answers for a run. */
const WORKER_ANSWERS = 4000;
/** The same for one that has just begun, and replays it. */
const AWAKES = 10_000;

/** `rlm watch`. */
export function watch(io: Io, run: string, options: AttachOptions): Promise<number> {
  return withSession(io, options, async (session) => {
    const stored = await findRun(session.blobs, run);
    if (stored?.outcome !== undefined) return presentStored(io, session, run, options);
    const { runs, known } = await mustFind(session, run);
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

/** `rlm pause`. */
export function pause(io: Io, run: string, options: PauseOptions): Promise<number> {
  return withSession(io, options, async (session) => {
    const { runs } = await mustFind(session, run);
    if (!(await runs.pause(run, options.reason))) throw hasEnded(run);
    say(io, `Run ${run} is pausing: calls in progress finish, nothing new starts. Resume it with rlm resume ${run}.`);
    return EXIT_DONE;
  });
}

/** `rlm budget`. */
export function budget(io: Io, run: string, options: BudgetOptions): Promise<number> {
  return withSession(io, options, async (session) => {
    const limits = {
      ...(options.maxCost === undefined ? {} : { max_cost: options.maxCost }),
      ...(options.maxSandboxes === undefined ? {} : { max_sandboxes: options.maxSandboxes }),
      ...(options.maxLlmCalls === undefined ? {} : { max_llm_calls: options.maxLlmCalls }),
    };
    if (Object.keys(limits).length === 0) {
      throw new CommandError('Say what to change: --max-cost, --max-sandboxes or --max-llm-calls.', EXIT_USAGE);
    }
    const stored = await findRun(session.blobs, run);
    if (stored?.outcome !== undefined) throw hasEnded(run);
    const began = stored === undefined ? undefined : await createChains(session.blobs).specification(stored.spec);
    if (limits.max_cost !== undefined && began !== undefined && began.config.rlm.max_cost === undefined) {
      throw new CommandError(
        `Run ${run} began without rlm.max_cost, so nothing limits its cost and nothing can be raised.`,
        EXIT_USAGE,
      );
    }
    // Also of a run that sleeps: with what it has it would only pause again.
    const { runs } = await openFor(session, run, (line) => say(io, line));
    const message = await grantBudget(createGrants(session.stateDirectory), run, limits);
    if (!(await runs.setBudget(run, message))) throw hasEnded(run);
    const said = Object.entries(limits).map(([name, value]) => `rlm.${name} ${value}`);
    const spent = stored === undefined ? 0 : await spentBy(session, stored);
    const advice =
      limits.max_cost !== undefined && spent >= limits.max_cost
        ? `It has spent ${formatCost(spent)} already, so it pauses at once: give more to let it go on.`
        : `If it is paused, resume it with rlm resume ${run}.`;
    say(io, `Run ${run} has new limits: ${said.join(', ')}. ${advice}`);
    return EXIT_DONE;
  });
}

/** USD over the whole tree so far. */
async function spentBy({ blobs }: Session, run: RunReference): Promise<number> {
  const snapshot = await createRunReader(blobs, run).snapshot();
  return snapshot === undefined ? 0 : runTotals(snapshot).usage.cost;
}

/** `rlm resume`: tells the run, and works on it where nobody else does. */
export function resume(io: Io, run: string, options: AttachOptions): Promise<number> {
  return withSession(io, options, async (session) => {
    const stored = await findRun(session.blobs, run);
    if (stored?.outcome !== undefined) return presentStored(io, session, run, options);
    if (options.output !== undefined) await checkWritable(session.cwd, options.output);
    const { runs, known, temporal } = await openFor(session, run, (line) => say(io, line));
    if (known.status !== 'running') throw hasEnded(run);
    const watching = { io, session, runs, options, started: known, resumeCommand: `rlm resume ${run}` };
    if ((await runs.state(run, WORKER_ANSWERS)) !== undefined) {
      if (!(await runs.resume(run))) throw hasEnded(run);
      // What it comes to is there only at its end.
      if (options.output !== undefined || options.json === true)
        return watchRun({ ...watching, worker: undefined, interruptible: 'leave' });
      say(io, `Run ${run} resumes. Follow it with rlm watch ${run}.`);
      return EXIT_DONE;
    }
    const worker = await hostWorker(session, temporal, (line) => say(io, line), {
      toolFiles: options.tools,
      servesOthers: false,
    });
    // What it was told while it slept, such as a larger budget, takes effect before it goes on.
    await runs.state(run, AWAKES);
    await runs.resume(run);
    return watchRun({ ...watching, worker });
  });
}

/** `rlm cancel`: waits until the run has ended and cleaned up, with a worker of its own where there is none. */
export function cancel(io: Io, run: string, options: AttachOptions): Promise<number> {
  return withSession(io, options, async (session) => {
    const stored = await findRun(session.blobs, run);
    if (stored?.outcome !== undefined) throw hasEnded(run);
    const { runs, known, temporal } = await openFor(session, run, (line) => say(io, line));
    if (!(await runs.cancel(run))) throw hasEnded(run);
    const hasWorker = (await runs.state(run, WORKER_ANSWERS)) !== undefined;
    const worker = hasWorker
      ? undefined
      : await hostWorker(session, temporal, (line) => say(io, line), { servesOthers: false });
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
    const begun = await findRun(session.blobs, run);
    const { type } = begun === undefined ? {} : await createChains(session.blobs).specification(begun.spec);
    const shown = type === 'analyze' ? `rlm result ${run} shows` : `rlm result ${run} and rlm patch ${run} show`;
    say(io, `Run ${run} is cancelled; ${shown} what it had so far.`);
    return EXIT_DONE;
  });
}

interface FoundRun extends OpenTemporal {
  readonly known: TemporalRun;
}

/** On a server that runs. */
async function mustFind(session: Session, run: string): Promise<FoundRun> {
  const stored = await findRun(session.blobs, run);
  if (stored?.outcome !== undefined) throw hasEnded(run);
  const found = await session.findTemporal();
  const known = await found?.runs.describe(run);
  if (found !== undefined && known !== undefined) return { ...found, known };
  const awoken = found === undefined && stored === undefined ? await startServerIfNeeded(session) : undefined;
  const waiting = await awoken?.runs.describe(run);
  if (awoken !== undefined && waiting !== undefined) return { ...awoken, known: waiting };
  if (found === undefined && stored !== undefined) {
    throw new CommandError(
      `Run ${run} is suspended: no Temporal server is running here. Resume it with rlm resume ${run}.`,
      EXIT_FAILED,
    );
  }
  throw noSuchRun(run);
}

/** The same, but the embedded server is started: a run may sleep in its database. */
async function openFor(session: Session, run: string, log: (line: string) => void): Promise<FoundRun> {
  const opened = await session.openTemporal({ log });
  const known = await opened.runs.describe(run);
  if (known === undefined) throw noSuchRun(run);
  return { ...opened, known };
}

function hasEnded(run: string): CommandError {
  return new CommandError(`Run ${run} has ended already: rlm result ${run} shows how.`, EXIT_FAILED);
}
