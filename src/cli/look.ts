import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { emptyDocument } from '../client/empty-document.ts';
import { reportRun, type RunReport } from '../client/report-run.ts';
import type { RunLimits } from '../domain/budget.ts';
import { nearestName } from '../domain/nearest-name.ts';
import { runIds } from '../results/find-run.ts';
import type { BlobStore } from '../storage/blob-store.ts';
import { createResultsWriter } from '../results/results-files.ts';
import { limitsOf, runDocument, type RunDocument } from '../results/run-document.ts';
import { asTyped } from './command-name.ts';
import { refuseBatch, showBatchResult, showBatchStatus, type ShowBatch } from './batch/show-batch.ts';
import { EXIT_DONE, EXIT_FAILED, exitCodeOf } from './exit-codes.ts';
import { say, writeJson, writeResult, type Io } from './io.ts';
import { wantsColor } from './live/display.ts';
import { countWorkingChildren } from './live/activity.ts';
import { columnsOf } from './live/screen.ts';
import { oneLine } from './live/text.ts';
import { renderTree } from './live/tree.ts';
import type { JsonOption, TemporalOptions } from './options.ts';
import { checkWritable, writeOutput } from './output-file.ts';
import { answerLines, patchBytes, printAnswer } from './present-run.ts';
import { CommandError } from './report-error.ts';
import { reasonWithNext, summaryLines, withoutPatch } from './summary-lines.ts';
import { withSession, type OpenTemporal, type Session } from './session.ts';

export interface LookOptions extends TemporalOptions, JsonOption {
  readonly results?: string;
  readonly output?: string;
}

/** `rlm status`. */
export function showStatus(io: Io, run: string, options: LookOptions): Promise<number> {
  return lookAt(io, { run, options, showBatch: showBatchStatus }, async (session, report) => {
    if (options.json === true) {
      await writeJson(io, await documentOf(session, report, null));
      return EXIT_DONE;
    }
    const { snapshot, status, reason, next } = report;
    const columns = columnsOf(io.stdout, 120);
    const color = wantsColor(io.stdout, io.env);
    const told = reasonWithNext(reason, next);
    const why = told === null ? null : asTyped(told, io.env);
    const limits = await limitsInForce(session, report);
    const size = { columns, rows: Number.MAX_SAFE_INTEGER };
    const standing = await pausedAgents(report);
    const view = { snapshot, run, status, reason: why, limits, standing, now: Date.now(), ...size, color };
    io.stdout.write(`${renderTree(view).join('\n')}\n`);
    return EXIT_DONE;
  });
}

/** Agents that are asked whether they are paused. */
const MAX_ASKED_AGENTS = 20;

/** Only an agent knows that it is paused, and only Temporal whether what it had begun continues. */
async function pausedAgents({ run, status, snapshot, runs }: RunReport): Promise<ReadonlyMap<string, string>> {
  if (runs === undefined || snapshot === undefined || !['running', 'paused'].includes(status)) return new Map();
  const parents = countWorkingChildren(snapshot.agents);
  const open = snapshot.agents.filter(({ agent, state }) => state !== 'done' && !parents.has(agent));
  return runs.pausedAgents(
    run,
    open.slice(0, MAX_ASKED_AGENTS).map(({ agent }) => agent),
  );
}

async function limitsInForce(
  { blobs }: Session,
  { limits, snapshot, reader }: RunReport,
): Promise<RunLimits | undefined> {
  if (limits !== undefined || snapshot === undefined) return limits;
  return limitsOf(blobs, snapshot.run, await reader.specification(snapshot.run));
}

/** `rlm result`: the answer, whole; of a run that has not ended the results so far are written all the same. */
export async function showResult(io: Io, run: string, options: LookOptions): Promise<number> {
  if (options.output !== undefined) await checkWritable(io.cwd, options.output);
  return lookAt(io, { run, options, showBatch: showBatchResult }, async (session, report) => {
    const document = await documentOf(session, report, await writeFiles(session, report, options.results));
    if (options.json === true) await writeJson(io, document);
    else for (const line of summaryLines(document)) say(io, line);
    if (options.output !== undefined) await saveAnswer(io, document, options.output);
    else if (options.json !== true) await printAnswer(io, document);
    return hasEnded(io, report) ? exitCodeOf(document) : EXIT_FAILED;
  });
}

async function saveAnswer(io: Io, document: RunDocument, file: string): Promise<void> {
  const text = answerLines(document);
  if (text === undefined) {
    say(io, `There is no answer, and nothing was written to ${file}.`);
    return;
  }
  await writeOutput(io.cwd, file, Buffer.from(text));
  say(io, `The answer is in ${file}.`);
}

/** `rlm patch`: bytes as they are, because files need not be UTF-8. */
export async function showPatch(io: Io, run: string, options: LookOptions): Promise<number> {
  if (options.output !== undefined) await checkWritable(io.cwd, options.output);
  return look(io, run, options, async (session, report) => {
    const document = await documentOf(session, report, null);
    if (document.type === 'analyze') {
      throw new CommandError(`Run ${run} is an analysis and has no patch: rlm result ${run} shows what it found.`);
    }
    const patch = patchBytes(document);
    if (!hasEnded(io, report)) return EXIT_FAILED;
    if (patch === undefined) say(io, withoutPatch(run, document.notes));
    if (options.output !== undefined) await writeOutput(io.cwd, options.output, patch ?? new Uint8Array());
    else if (patch !== undefined) await writeResult(io, patch);
    return EXIT_DONE;
  });
}

/** Opens what is known of a run, whether its server runs or not. @throws CommandError where nothing is, and for a batch */
export function look(
  io: Io,
  run: string,
  options: LookOptions,
  show: (session: Session, report: RunReport) => Promise<number>,
): Promise<number> {
  return lookAt(io, { run, options, showBatch: refuseBatch }, show);
}

interface LookedAt {
  readonly run: string;
  readonly options: LookOptions;
  /** Asked first: the name may be that of a batch. */
  readonly showBatch: ShowBatch;
}

function lookAt(
  io: Io,
  { run, options, showBatch }: LookedAt,
  show: (session: Session, report: RunReport) => Promise<number>,
): Promise<number> {
  return withSession(io, options, async (session) => {
    const { blobs } = session;
    const found = await session.findTemporal();
    const batch = await showBatch(io, session, { name: run, found, options });
    if (batch !== undefined) return batch;
    const report =
      (await reportRun({ blobs, runs: found?.runs }, run)) ??
      (found === undefined ? await reportAwoken(session, run) : undefined);
    if (report === undefined) throw await noSuchRun(run, session.blobs);
    // What failed has its error in Temporal, to be shown.
    if (report.snapshot === undefined && report.status === 'completed') throw nothingKept(run);
    return show(session, report);
  });
}

async function reportAwoken(session: Session, run: string): Promise<RunReport | undefined> {
  const runs = (await startServerIfNeeded(session))?.runs;
  return runs === undefined ? undefined : reportRun({ blobs: session.blobs, runs }, run);
}

/**
 * The embedded server, started to be asked for a run that has stored nothing: only its database knows one that no
 * worker has begun yet. Undefined where it never ran.
 */
export async function startServerIfNeeded(
  session: Session,
  log?: (line: string) => void,
): Promise<OpenTemporal | undefined> {
  if (!existsSync(session.databaseFile)) return undefined;
  return session.openTemporal(log === undefined ? {} : { log });
}

/** Temporal takes a while to forget a run that was deleted. */
function nothingKept(run: string): CommandError {
  return new CommandError(
    `Run ${run} has ended, and nothing of it is kept here: it was deleted, or its worker keeps runs elsewhere (storage).`,
  );
}

/** With the ids that may be meant: those that begin so, else the one that is spelt most like it. */
export async function noSuchRun(run: string, blobs: BlobStore): Promise<CommandError> {
  const ids = await runIds(blobs).catch(() => []);
  const longer = ids.filter((id) => run !== '' && id.startsWith(run)).toSorted();
  const nearest = longer.length > 0 ? undefined : nearestName(run, ids);
  const meant = nearest === undefined ? longer.slice(-MAX_MEANT) : [nearest];
  const question = meant.length === 0 ? '' : ` Did you mean ${meant.map(oneLine).join(' or ')}?`;
  return new CommandError(`There is no run "${run}": rlm list shows those there are.${question}`);
}

/** Ids that are named; the default ones end with the time, so that the last are the newest. */
const MAX_MEANT = 3;

async function documentOf(session: Session, report: RunReport, results: string | null): Promise<RunDocument> {
  const { snapshot, status, reason, run, limits } = report;
  if (snapshot === undefined) return { ...emptyDocument(run, status), error: reason };
  return runDocument(session.blobs, snapshot, { status, reason, results, limits, now: Date.now() });
}

async function writeFiles(
  session: Session,
  { snapshot, reader, run }: RunReport,
  folder: string | undefined,
): Promise<string | null> {
  if (snapshot === undefined || folder === undefined) return null;
  const writer = createResultsWriter({ blobs: session.blobs, reader, folder: resolve(session.cwd, folder), run });
  await writer.write(snapshot);
  return join(folder, `${run}.detail.json`);
}

/** Says so where it has not. */
function hasEnded(io: Io, { run, status }: RunReport): boolean {
  if (['completed', 'timed_out', 'cancelled', 'failed', 'terminated'].includes(status)) return true;
  const next =
    status === 'paused' || status === 'suspended' ? `rlm resume ${run} continues it` : `rlm watch ${run} follows it`;
  say(io, `Run ${run} has not ended (${status}): ${next}.`);
  return false;
}
