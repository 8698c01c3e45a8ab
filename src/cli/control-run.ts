import { Writable } from 'node:stream';
import { planFork } from '../client/start-fork.ts';
import { findEndedRun, retryRun } from '../client/retry-run.ts';
import { startRun } from '../client/start-run.ts';
import { TypedError } from '../domain/failures.ts';
import { findRun } from '../results/find-run.ts';
import { withoutOldOutcome } from '../results/run-snapshot.ts';
import type { ControlOutcome } from '../viewer/model.ts';
import type { ControlOrder } from '../viewer/orders.ts';
import { asTyped } from './command-name.ts';
import { hasEnded, type FoundRun } from './find-run.ts';
import type { Io } from './io.ts';
import { noSuchRun } from './look.ts';
import type { TemporalOptions } from './options.ts';
import { CommandError } from './report-error.ts';
import { goOn } from './resume-run.ts';
import type { OpenTemporal, Session } from './session.ts';
import { setLimits } from './set-budget.ts';
import { whatCameOf } from './steer.ts';
import { settingsForRetry } from './take-settings.ts';

export interface ControlContext {
  readonly io: Io;
  readonly session: Session;
  readonly opened: OpenTemporal;
  /** Those of the command that serves the page. */
  readonly options: TemporalOptions;
}

/**
 * Does what a page asks for as the commands of the same names do it, but starts no worker: where none is, the run waits
 * for one.
 *
 * @throws TypedError `Input.Invalid` with what the run, or the command, says against it
 */
export async function controlRun(context: ControlContext, run: string, order: ControlOrder): Promise<ControlOutcome> {
  const { lines, io } = listen(context.io);
  try {
    const { said, ...outcome } = await perform({ ...context, io }, run, order);
    return { ...outcome, said: [...lines(), ...said].map((line) => asTyped(line, io.env)) };
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    throw new TypedError('Input.Invalid', asTyped([...lines(), error.message].join(' '), io.env), { cause: error });
  }
}

function perform(context: ControlContext, run: string, order: ControlOrder): Promise<ControlOutcome> {
  switch (order.kind) {
    case 'retry':
      return retry(context, run, order);
    case 'fork':
      return fork(context, run, order);
    default:
      return tell(context, run, order);
  }
}

/** An order to a run that is open. */
async function tell(
  { io, session, opened, options }: ControlContext,
  run: string,
  order: Exclude<ControlOrder, { kind: 'retry' | 'fork' }>,
): Promise<ControlOutcome> {
  const found = await openRun(session, opened, run);
  const { runs } = opened;
  const said = (...lines: string[]): ControlOutcome => ({ said: lines });
  switch (order.kind) {
    case 'pause':
      if (!(await runs.pause(run))) throw hasEnded(run);
      return said('Pausing: calls in progress finish, nothing new starts.');
    case 'resume':
      if (await runs.hasWorker(run)) await goOn(io, session, found, options);
      else if (!(await runs.resume(run))) throw hasEnded(run);
      else return said(`It resumes when a worker runs: rlm resume ${run} starts one.`);
      return said('Resuming.');
    case 'cancel':
      if (!(await runs.cancel(run))) throw hasEnded(run);
      if (await runs.hasWorker(run)) return said('Cancelling: its agents clean up.');
      return said(`It ends when a worker runs: rlm cancel ${run} starts one.`);
    case 'budget': {
      const { kind: _, ...limits } = order;
      return said(await setLimits(session, found, given(limits)));
    }
    case 'steer': {
      const { kind: name, agent = '0', message } = order;
      const told = await runs.tell(run, { name, message, agent });
      return said(whatCameOf(run, told, `Agent ${agent} is shown the message at its next iteration.`));
    }
    default: {
      const { kind: name, ...decision } = order;
      const told = await runs.tell(run, { name, ...given(decision) });
      const what = order.question ?? 'All that was asked';
      return said(whatCameOf(run, told, `${what} is ${name === 'approve' ? 'approved' : 'rejected'}.`));
    }
  }
}

async function openRun(session: Session, opened: OpenTemporal, run: string): Promise<FoundRun> {
  const [stored, known] = await Promise.all([findRun(session.blobs, run), opened.runs.describe(run)]);
  if (known === undefined && stored === undefined) throw await noSuchRun(run, session.blobs);
  if (known === undefined)
    throw new CommandError('Temporal has no such workflow: it is on another server, or was deleted there.');
  if (known.status !== 'running') throw hasEnded(run);
  return { ...opened, known, stored: stored === undefined ? stored : withoutOldOutcome(stored, known.startedAt) };
}

async function retry(
  { io, session, opened, options }: ControlContext,
  run: string,
  { model }: Extract<ControlOrder, { kind: 'retry' }>,
): Promise<ControlOutcome> {
  const ended = await findEndedRun(session.blobs, opened.runs, run);
  const overrides = model === undefined ? {} : { model: { name: model } };
  const config = await settingsForRetry(io, session, ended, { ...options, overrides });
  await retryRun(session, opened.runs, ended, () => config);
  return { said: ['It begins again where it ended.', ...(await missingWorker(opened, run))] };
}

async function fork(
  { session, opened }: ControlContext,
  run: string,
  { kind, model, ...from }: Extract<ControlOrder, { kind: 'fork' }>,
): Promise<ControlOutcome> {
  const config = model === undefined ? {} : { config: { model: { name: model } } };
  const { plan } = await planFork(session.blobs, { run, ...given(from), ...config }, kind);
  const started = await startRun(session, opened.runs, plan);
  const what = started.isNew ? `Run ${started.run} has begun.` : `Run ${started.run} was there already.`;
  return {
    run: started.run,
    said: [what, ...started.warnings, ...(await missingWorker(opened, started.run))],
  };
}

async function missingWorker({ runs }: OpenTemporal, run: string): Promise<string[]> {
  if (await runs.hasWorker(run)) return [];
  return [`No worker is running yet: rlm resume ${run} starts one for this run, rlm up one for all.`];
}

/** Without the fields that are undefined. */
function given<T extends object>(fields: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what is undefined is left out
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]: Exclude<T[K], undefined>;
  };
}

/** What is said to the person at the command goes to the page instead. */
function listen(io: Io): { readonly io: Io; readonly lines: () => string[] } {
  let text = '';
  const stderr = new Writable({
    write(chunk: Buffer, _encoding, done) {
      text += chunk.toString('utf8');
      done();
    },
  });
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- only ever written to
  return { io: { ...io, stderr: stderr as unknown as Io['stderr'] }, lines: () => text.split('\n').filter(Boolean) };
}
