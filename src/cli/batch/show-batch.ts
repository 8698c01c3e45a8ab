import { createTemporalBatches } from '../../client/temporal-batches.ts';
import { EXIT_DONE, EXIT_FAILED } from '../exit-codes.ts';
import { say, writeJson, writeResult, type Io } from '../io.ts';
import type { JsonOption } from '../options.ts';
import { CommandError } from '../report-error.ts';
import type { OpenTemporal, Session } from '../session.ts';
import { progressLine } from './progress-line.ts';
import { hasFailures, lastReport, renderReport, summaryOf } from './report.ts';

/** What a command shows of a batch. @returns its exit code; undefined where the name is not a batch's */
export type ShowBatch = (
  io: Io,
  session: Session,
  of: { readonly name: string; readonly found: OpenTemporal | undefined; readonly options: JsonOption },
) => Promise<number | undefined>;

/** `rlm status`: one line. */
export const showBatchStatus: ShowBatch = async (io, session, { name, found, options }) => {
  const running = await runningBatch(session, name, found);
  if (running !== undefined) {
    const { state } = running;
    if (options.json === true) await writeJson(io, state ?? null);
    else await writeResult(io, `${name} · ${describeState(state)}\n`);
    return EXIT_DONE;
  }
  const report = await lastReport(session.blobs, name);
  if (report === undefined) {
    const ended = await endedAs(session, name, found);
    if (ended === undefined) return undefined;
    if (options.json === true) await writeJson(io, { batch: name, ...ended });
    else await writeResult(io, `${withoutReport(name, ended)}\n`);
    return EXIT_DONE;
  }
  const { items: _, ...rest } = report;
  if (options.json === true) await writeJson(io, rest);
  else await writeResult(io, `${name} · ${summaryOf(report)}\n`);
  return EXIT_DONE;
};

/** `rlm result`: the report. */
export const showBatchResult: ShowBatch = async (io, session, { name, found, options }) => {
  const running = await runningBatch(session, name, found);
  if (running !== undefined) {
    say(io, `Batch ${name} has not ended: ${describeState(running.state)}. rlm result <run> shows an item that has.`);
    return EXIT_FAILED;
  }
  const report = await lastReport(session.blobs, name);
  if (report === undefined) {
    const ended = await endedAs(session, name, found);
    if (ended === undefined) return undefined;
    say(io, withoutReport(name, ended));
    return EXIT_FAILED;
  }
  await writeResult(io, renderReport(report, options.json === true ? 'json' : 'md'));
  return hasFailures(report) ? EXIT_FAILED : EXIT_DONE;
};

/** Of commands that are about a single run. @throws CommandError for a batch */
export const refuseBatch: ShowBatch = async (_io, session, { name, found }) => {
  const isBatch =
    (await runningBatch(session, name, found)) !== undefined ||
    (await lastReport(session.blobs, name)) !== undefined ||
    (await endedAs(session, name, found)) !== undefined;
  if (isBatch) throw new CommandError(`${name} is a batch: rlm result ${name} lists its runs.`);
  return undefined;
};

interface RunningBatch {
  /** Undefined where no worker answers. */
  readonly state: Parameters<typeof progressLine>[0] | undefined;
}

async function runningBatch(
  { taskQueue }: Session,
  name: string,
  found: OpenTemporal | undefined,
): Promise<RunningBatch | undefined> {
  if (found === undefined) return undefined;
  const batches = createTemporalBatches({ client: found.temporal.client, taskQueue });
  return (await batches.isRunning(name)) ? { state: await batches.state(name) } : undefined;
}

/** Of a batch that Temporal ended, such as by `temporal workflow terminate`. */
async function endedAs(
  { taskQueue }: Session,
  name: string,
  found: OpenTemporal | undefined,
): Promise<EndedBatch | undefined> {
  if (found === undefined) return undefined;
  const batches = createTemporalBatches({ client: found.temporal.client, taskQueue });
  const status = await batches.endedAs(name);
  if (status === undefined) return undefined;
  const end = await batches.end(name);
  return { status, error: end.kind === 'failed' ? end.error : null };
}

interface EndedBatch {
  readonly status: string;
  /** Why it failed. */
  readonly error: string | null;
}

function withoutReport(name: string, { status, error }: EndedBatch): string {
  if (error !== null) return `${name} · batch, ${status}: ${error}`;
  return `${name} · batch, ${status} before it could write its report. What its runs did is kept (rlm list): started again, it does the others only.`;
}

function describeState(state: RunningBatch['state']): string {
  return state === undefined ? 'no worker answers' : progressLine(state, undefined, 0);
}
