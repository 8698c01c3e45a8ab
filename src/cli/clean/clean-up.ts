import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { errorMessage } from '../../domain/error-message.ts';
import { KeyMissing } from '../../domain/key-missing.ts';
import { listCaches, removeCache } from '../../sandbox/local/caches.ts';
import { removeResults } from '../../results/results-files.ts';
import { lookAtSandboxes } from '../../sandbox/local/look-at-sandboxes.ts';
import { sweepBlobs } from '../../storage/sweep-blobs.ts';
import type { TemporalConnection } from '../../temporal/connection.ts';
import { EXIT_DONE, EXIT_FAILED } from '../exit-codes.ts';
import { say, writeJson, type Io } from '../io.ts';
import { plural } from '../live/format.ts';
import { columnsOf } from '../live/screen.ts';
import type { JsonOption, TemporalOptions } from '../options.ts';
import { CommandError } from '../report-error.ts';
import { withSession, type Session } from '../session.ts';
import { reportTable, type BlobReport, type CleanReport, type OldCache, type OldRun } from './report.ts';
import { findLeftGrants } from './grants.ts';
import { forgetRun, judgeRuns, openSpans, planForgetting, referencesOf } from './runs.ts';
import { findLeftSandboxes, removeSandboxes } from './sandboxes.ts';
import { findTemporary, removeTemporary } from './temporary.ts';

/** Times in milliseconds. */
export interface CleanOptions extends TemporalOptions, JsonOption {
  readonly yes?: boolean;
  readonly caches?: boolean;
  readonly unusedFor: number;
  readonly blobs?: boolean;
  readonly olderThan?: number;
  readonly allServers?: boolean;
  /** Folder of results files. */
  readonly results: string;
}

const DAY = 24 * 60 * 60_000;

/** `rlm clean`. */
export function cleanUp(io: Io, options: CleanOptions): Promise<number> {
  return withSession(io, options, async (session) => {
    const { temporal, why, isStartable = false } = await reachTemporal(session, options);
    const findings = { notes: why === undefined ? [] : [why], failures: [] as string[] };
    const context: Context = { session, options, temporal, isStartable, findings };
    const sandboxes = await cleanSandboxes(context);
    const temporary = await cleanTemporary(context);
    const caches = await cleanCaches(context);
    const stored = await cleanStored(context);
    const report: CleanReport = { sandboxes, temporary, caches, ...stored, ...findings };
    if (options.json === true) await writeJson(io, report);
    else present(io, report, options);
    return report.failures.length === 0 ? EXIT_DONE : EXIT_FAILED;
  });
}

interface Context {
  readonly session: Session;
  readonly options: CleanOptions;
  /** Undefined: what needs it is not judged. */
  readonly temporal: TemporalConnection | undefined;
  /** The embedded server does not run, and has a database. */
  readonly isStartable: boolean;
  readonly findings: { readonly notes: string[]; readonly failures: string[] };
}

/**
 * The server that says what still runs. To look, the one that runs will do; the embedded one is started where something is
 * to be deleted that only it can judge. A database that does not exist knows of nothing.
 */
async function reachTemporal(
  session: Session,
  options: CleanOptions,
): Promise<{ temporal?: TemporalConnection | undefined; why?: string; isStartable?: boolean }> {
  const { yes, blobs, olderThan } = options;
  const isNeeded = blobs === true || olderThan !== undefined;
  try {
    const found = await session.findTemporal();
    if (found !== undefined) return { temporal: found.temporal };
  } catch (error) {
    if (isNeeded || !(error instanceof Error) || error.name !== 'TemporalSetupError') throw error;
    return { why: `What needs a Temporal server was not judged: ${error.message}` };
  }
  const isWanted = isNeeded || (yes === true && (await lookAtSandboxes(session.stateDirectory)).length > 0);
  if (isWanted && existsSync(session.databaseFile)) return { temporal: (await session.openTemporal()).temporal };
  if (isNeeded)
    throw new CommandError(
      'Which runs have ended is asked of their Temporal server, and none was ever started here: name it with --address.',
    );
  return { isStartable: existsSync(session.databaseFile) };
}

async function cleanSandboxes({ session, options, temporal, findings }: Context): Promise<CleanReport['sandboxes']> {
  const failed = (why: string): void => void findings.failures.push(why);
  const { left, notes } = await findLeftSandboxes(session, temporal, failed);
  findings.notes.push(...notes);
  return options.yes === true ? removeSandboxes(session, temporal, left, failed) : left;
}

async function cleanTemporary({ session, options, findings }: Context): Promise<CleanReport['temporary']> {
  const found = await findTemporary(session);
  if (options.yes !== true) return found;
  return Promise.all(found.map((file) => removeTemporary(file).catch(failing(findings, file))));
}

async function cleanCaches({ session, options, findings }: Context): Promise<OldCache[]> {
  const { cacheDirectory, stateDirectory } = session;
  const wanted = Date.now() - options.unusedFor;
  // What a sandbox lies on was used when it was made.
  const made = (await lookAtSandboxes(stateDirectory)).map(({ created }) => (created ?? 0) - DAY);
  const before = Math.min(wanted, ...made);
  const caches: OldCache[] = [];
  for (const entry of await listCaches(cacheDirectory)) {
    const { kind, path, bytes, lastUsed } = entry;
    const unused = lastUsed < before;
    const cache = { kind, path, bytes, last_used: new Date(lastUsed).toISOString(), unused, deleted: false };
    const remove = async (): Promise<OldCache> => ({
      ...cache,
      deleted: await removeCache(entry, cacheDirectory, before),
    });
    const asked = options.yes === true && options.caches === true && unused;
    // oxlint-disable-next-line no-await-in-loop -- repositories after what borrows from them
    caches.push(asked ? await remove().catch(failing(findings, cache)) : cache);
  }
  return caches;
}

/** Runs and blobs. */
async function cleanStored(context: Context): Promise<Pick<CleanReport, 'runs' | 'grants' | 'blobs'>> {
  const { session, options, temporal, isStartable, findings } = context;
  const { yes = false, olderThan, results } = options;
  const alsoBlobs = options.blobs === true || olderThan !== undefined;
  if (temporal === undefined) {
    const start = isStartable ? ', because no Temporal server is running: rlm clean --blobs starts it' : '';
    findings.notes.push(`Runs and blobs were not looked at${start}.`);
    return { runs: [], grants: null, blobs: null };
  }
  const { blobs } = session;
  const { client, clusterId: cluster, namespace } = temporal;
  const owner = options.allServers === true ? undefined : { cluster, namespace };
  const judged = await judgeRuns(blobs, client);
  const before = olderThan === undefined ? undefined : Date.now() - olderThan;
  const forgetting =
    before === undefined
      ? { runs: [], bundles: [], notes: [] }
      : await planForgetting(blobs, client, judged, { before, owner });
  const { runs: forgotten } = forgetting;
  const left =
    before === undefined
      ? []
      : await findLeftGrants(session.stateDirectory, { client, runs: judged.runs, forgotten, before });
  findings.notes.push(...forgetting.notes);
  const names = await Promise.all(forgetting.runs.map(({ reference }) => referencesOf(blobs, reference)));
  const ignored = new Set([...forgetting.bundles, ...names.flat()]);
  const runs: OldRun[] = [];
  if (yes) for (const bundle of forgetting.bundles) await blobs.deleteReference(bundle);
  for (const { reference, endedAt } of forgetting.runs) {
    const { run: run_id, execution } = reference;
    // oxlint-disable-next-line no-await-in-loop -- one after another: what is cut off is gone on with
    if (yes) {
      // oxlint-disable-next-line no-await-in-loop -- as above
      await forgetRun(blobs, reference);
      // oxlint-disable-next-line no-await-in-loop -- as above
      await removeResults(resolve(session.cwd, results), run_id);
    }
    runs.push({ run_id, execution, ended_at: new Date(endedAt).toISOString(), deleted: yes });
  }
  if (yes) for (const grant of left) await grant.remove();
  const grants = { grants: left.length, deleted: yes };
  // To delete other things, nobody waits until every record was read.
  if (yes && !alsoBlobs) return { runs, grants, blobs: null };
  return { runs, grants, blobs: await cleanBlobs(context, { spans: openSpans(judged), ignored }) };
}

async function cleanBlobs(
  { session: { blobs }, options, findings }: Context,
  kept: Pick<Parameters<typeof sweepBlobs>[0], 'spans' | 'ignored'>,
): Promise<BlobReport | null> {
  const deleted = options.yes === true && (options.blobs === true || options.olderThan !== undefined);
  try {
    return { ...(await sweepBlobs({ blobs, before: Date.now() - DAY, ...kept, delete: deleted })), deleted };
  } catch (error) {
    const isBroken = error instanceof Error && ['Storage.Missing', 'Storage.Damaged'].includes(error.name);
    if (!isBroken) throw error;
    // Without the key it is unknown what encrypted runs refer to: no blob is deleted.
    const isNote = error instanceof KeyMissing && options.blobs !== true && options.olderThan === undefined;
    (isNote ? findings.notes : findings.failures).push(error.message);
    return null;
  }
}

function failing<T>({ failures }: Context['findings'], item: T & { readonly path: string }): (error: unknown) => T {
  return (error) => {
    failures.push(`${item.path}: ${errorMessage(error)}`);
    return item;
  };
}

function present(io: Io, report: CleanReport, options: CleanOptions): void {
  const lines = reportTable(report, columnsOf(io.stdout, 160));
  for (const line of lines) io.stdout.write(`${line}\n`);
  for (const note of report.notes) say(io, note);
  for (const failure of report.failures) say(io, `rlm: ${failure}`);
  if (lines.length === 0) say(io, 'Nothing was left behind.');
  else if (options.yes !== true) for (const hint of hints(report)) say(io, hint);
}

/** How to delete what is shown. */
function hints({ sandboxes, temporary, caches, runs, grants, blobs }: CleanReport): string[] {
  const unused = caches.filter((cache) => cache.unused).length;
  const always = [
    ...(sandboxes.length === 0 ? [] : [plural(sandboxes.length, 'sandbox', 'sandboxes')]),
    ...(temporary.length === 0 ? [] : [plural(temporary.length, 'temporary file')]),
    ...(runs.length === 0 ? [] : [`all that is known of ${plural(runs.length, 'run')}`]),
    ...(grants === null || grants.grants === 0 ? [] : [plural(grants.grants, 'grant')]),
  ];
  const also = [
    ...(unused === 0 ? [] : [`${plural(unused, 'cache')} with --caches`]),
    ...(blobs === null || blobs.abandoned.blobs === 0 ? [] : [`${plural(blobs.abandoned.blobs, 'blob')} with --blobs`]),
  ];
  const all = [...always, ...also];
  return all.length === 0 ? [] : [`Nothing was deleted. rlm clean --yes deletes ${all.join(', ')}.`];
}
