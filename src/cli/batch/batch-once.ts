import { basename, extname, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { checkBeforeRun } from '../../client/check-models.ts';
import { createTemporalBatches, type BatchEnd, type TemporalBatches } from '../../client/temporal-batches.ts';
import type { BatchInput, BatchReport, BatchState } from '../../domain/batch.ts';
import { ANALYSIS_DEFAULTS } from '../../domain/config.ts';
import { runIdProblem } from '../../domain/ids.ts';
import { createChains } from '../../storage/chain.ts';
import { ensureBackground } from '../background.ts';
import { EXIT_CANCELLED, EXIT_DONE, EXIT_FAILED } from '../exit-codes.ts';
import { hostWorker } from '../host-worker.ts';
import { catchInterrupts } from '../interrupts.ts';
import { say, writeResult, type Io } from '../io.ts';
import { formatClock, plural } from '../live/format.ts';
import type { JsonOption, TalkOptions, TemporalOptions } from '../options.ts';
import { checkWritable, writeOutput } from '../output-file.ts';
import { CommandError } from '../report-error.ts';
import { openSession, type Session } from '../session.ts';
import { confirmCost, describeEstimate, estimateCost } from './estimate.ts';
import { planItems, withItemLimit, type ItemOptions } from './plan-items.ts';
import { describeProgress, progressLine } from './progress-line.ts';
import { readItems, sharedIds } from './read-items.ts';
import { hasFailures, lastReport, renderReport, reportFormat, summaryOf } from './report.ts';

/** What says which runs a batch has. */
export interface BatchDefinition extends ItemOptions {
  readonly concurrency?: number;
  readonly maxCost?: number;
}

export interface BatchOptions extends BatchDefinition, TemporalOptions, TalkOptions, JsonOption {
  readonly id?: string;
  readonly retryFailed?: boolean;
  readonly report?: readonly string[];
  readonly yes?: boolean;
  readonly askAbove: number;
  readonly detach?: boolean;
  readonly worker: boolean;
}

/** `rlm batch`. @returns the exit code: 1 where an item failed */
export async function batchOnce(io: Io, file: string, options: BatchOptions): Promise<number> {
  const batch = options.id ?? batchName(file);
  const problem = runIdProblem(batch, 'the name of a batch');
  if (problem !== undefined) throw new CommandError(`${problem} Give it one with --id.`);
  const type = options.signature === undefined ? 'investigate' : 'analyze';
  const session = await openSession(io, options, {}, type === 'analyze' ? ANALYSIS_DEFAULTS : {});
  try {
    for (const report of options.report ?? []) {
      reportFormat(report);
      // oxlint-disable-next-line no-await-in-loop -- the first fault is told
      await checkWritable(session.cwd, report);
    }
    await session.blobs.check();
    const items = await readItems(session.blobs, file, session);
    if (options.quiet !== true) for (const line of sharedIds(items)) say(io, line);
    const config = withItemLimit(session.config, options);
    if (options.worker) await checkBeforeRun(config, session, undefined);
    const onProgress = preparationLines(io, items.length, options);
    const input = await batchInput(session, items, options, { batch, onProgress });
    const estimate = await estimateCost(session.blobs, {
      type,
      config,
      count: items.length,
      maxCost: options.maxCost,
    });
    if (options.quiet !== true) say(io, describeEstimate(estimate, items.length));
    await confirmCost(io, estimate, { askAbove: options.askAbove, yes: options.yes === true });
    return await runBatch(io, session, { batch, input, options, count: items.length });
  } finally {
    await session.close();
  }
}

/** Where storing the items takes a while, a line now and then. */
function preparationLines(io: Io, total: number, { quiet }: TalkOptions): (planned: number) => void {
  const isTime = lineClock();
  return (planned) => {
    if (quiet !== true && planned < total && isTime(PREPARATION_LINE_MS))
      say(io, `${planned} of ${plural(total, 'item')} prepared`);
  };
}

const PREPARATION_LINE_MS = 3000;

/** @returns whether so long has passed since it last said so, or since the beginning */
function lineClock(): (intervalMs: number) => boolean {
  let last = Date.now();
  return (intervalMs) => {
    const now = Date.now();
    if (now - last < intervalMs) return false;
    last = now;
    return true;
  };
}

function batchName(file: string): string {
  return basename(file, extname(file)).replaceAll(/[^A-Za-z0-9._-]+/g, '-') || 'batch';
}

async function batchInput(
  session: Session,
  items: Awaited<ReturnType<typeof readItems>>,
  options: BatchOptions,
  { batch, onProgress }: { readonly batch: string; readonly onProgress: (planned: number) => void },
): Promise<BatchInput> {
  const { config, blobs } = session;
  const planned = await planItems(session, items, options, {
    configOf: () => config,
    owner: batch,
    bundle: true,
    onProgress,
  });
  const { concurrency, maxCost, retryFailed } = options;
  return {
    stored_items: await createChains(blobs).putJson(planned),
    ...(concurrency === undefined ? {} : { concurrency }),
    ...(maxCost === undefined ? {} : { max_cost: maxCost }),
    ...(retryFailed === true ? { retry_failed: true } : {}),
  };
}

interface BatchRun {
  readonly batch: string;
  readonly input: BatchInput;
  readonly options: BatchOptions;
  readonly count: number;
}

async function runBatch(io: Io, session: Session, { batch, input, options, count }: BatchRun): Promise<number> {
  const log = (line: string): void => say(io, line);
  if (options.detach === true && options.worker) await ensureBackground(session, options, log);
  const { temporal } = await session.openTemporal(options.quiet === true ? {} : { log });
  const batches = createTemporalBatches({ client: temporal.client, taskQueue: session.taskQueue });
  const isStarted = await batches.start(batch, input, `${count} items`);
  if (!isStarted) {
    const follows = options.detach === true ? '' : ': this follows it';
    say(io, `Batch ${batch} is running already${follows}. New items run when it is started again.`);
  }
  if (options.detach === true) {
    say(io, `Follow the batch with the same command; rlm cancel ${batch} ends it.`);
    await writeResult(io, `${batch}\n`);
    return EXIT_DONE;
  }
  const worker = options.worker ? await hostWorker(session, temporal, log, { servesOthers: false }) : undefined;
  const interrupts = catchInterrupts();
  try {
    const failed = worker?.running.then(() => new Promise<never>(() => undefined));
    const end = await Promise.race([
      follow(io, batches, batch, options),
      interrupts.next().then(() => 'left' as const),
      ...(failed === undefined ? [] : [failed]),
    ]);
    if (end === 'left') {
      say(
        io,
        `Batch ${batch} continues where there is a worker. The same command follows it; rlm cancel ${batch} ends it.`,
      );
      return EXIT_CANCELLED;
    }
    return await conclude(io, session, { batch, options, end });
  } finally {
    interrupts.close();
    await worker?.close().catch((error: unknown) => say(io, `The worker did not end well: ${String(error)}`));
  }
}

const LOOK_MS = 1000;
/** Of a batch that takes hours: a line is shown every second at first, and then ever less often. */
const MAX_LINE_MS = 30_000;
const LINES_PER_ELAPSED = 60;
/** How long no worker may answer before that is said. */
const SILENCE_MS = 10_000;
const NO_WORKER = 'no worker answers: rlm worker, or rlm up, continues it';

async function follow(io: Io, batches: TemporalBatches, batch: string, { quiet }: TalkOptions): Promise<BatchEnd> {
  const stop = new AbortController();
  const ended = batches.end(batch).finally(() => stop.abort());
  if (quiet === true) return ended;
  const started = Date.now();
  const isTime = lineClock();
  let answered = started;
  let shown = '';
  let first: BatchState | undefined;
  while (!stop.signal.aborted) {
    // oxlint-disable-next-line no-await-in-loop -- one look after another
    const state = await batches.state(batch);
    const elapsed = Date.now() - started;
    if (state !== undefined && state.status !== 'starting') first ??= state;
    if (state !== undefined) answered = Date.now();
    const isSilent = state === undefined && Date.now() - answered > SILENCE_MS;
    const news = state !== undefined ? describeProgress(state) : isSilent ? NO_WORKER : shown;
    if (news !== shown && isTime(Math.min(MAX_LINE_MS, elapsed / LINES_PER_ELAPSED))) {
      say(io, `[${formatClock(elapsed)}] ${state === undefined ? news : progressLine(state, first, elapsed)}`);
      shown = news;
    }
    // oxlint-disable-next-line no-await-in-loop -- as above
    await delay(LOOK_MS, undefined, { signal: stop.signal }).catch(() => undefined);
  }
  return ended;
}

async function conclude(
  io: Io,
  { blobs, cwd }: Session,
  { batch, options, end }: { readonly batch: string; readonly options: BatchOptions; readonly end: BatchEnd },
): Promise<number> {
  if (end.kind === 'failed' || end.kind === 'terminated')
    throw new CommandError(`Batch ${batch} has no report: ${end.error}`, EXIT_FAILED);
  const report = end.kind === 'ended' ? await reportOf(blobs, end) : await lastReport(blobs, batch);
  if (report === undefined)
    throw new CommandError(`The report of batch ${batch} is not in this blob store.`, EXIT_FAILED);
  for (const file of options.report ?? []) {
    // oxlint-disable-next-line no-await-in-loop -- few
    await writeOutput(cwd, file, Buffer.from(renderReport(report, reportFormat(file))));
    say(io, `The report is in ${resolve(cwd, file)}.`);
  }
  if (options.quiet !== true) say(io, summaryOf(report));
  if (options.json === true) await writeResult(io, renderReport(report, 'json'));
  else if ((options.report ?? []).length === 0) await writeResult(io, renderReport(report, 'md'));
  if (report.counts.kept_failed > 0 && options.quiet !== true)
    say(io, 'The same command with --retry-failed runs those again that failed.');
  if (end.kind === 'cancelled') return EXIT_CANCELLED;
  return hasFailures(report) ? EXIT_FAILED : EXIT_DONE;
}

async function reportOf(
  blobs: Session['blobs'],
  { outcome }: Extract<BatchEnd, { kind: 'ended' }>,
): Promise<BatchReport | undefined> {
  if (outcome.report_ref === null) return lastReport(blobs, outcome.batch);
  return (await createChains(blobs).getJson(outcome.report_ref)) as BatchReport;
}
