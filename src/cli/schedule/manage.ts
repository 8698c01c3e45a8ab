import { createHash } from 'node:crypto';
import { hostname } from 'node:os';
import { statSync } from 'node:fs';
import { isAbsolute } from 'node:path';
import type { ScheduleDescription, ScheduleOverlapPolicy } from '@temporalio/client';
import { lacksWorker } from '../../client/connect.ts';
import { planAnalysis } from '../../client/start-analysis.ts';
import { portableConfig } from '../../client/run-arguments.ts';
import { withGrant } from '../../client/start-run.ts';
import { createTemporalRuns, type WorkflowStart } from '../../client/temporal-runs.ts';
import {
  createTemporalSchedules,
  type ScheduledWork,
  type ScheduleTimes,
  type TemporalSchedules,
} from '../../client/temporal-schedules.ts';
import { ANALYSIS_DEFAULTS, type RunConfig } from '../../domain/config.ts';
import { runIdProblem } from '../../domain/ids.ts';
import { canonicalJson } from '../../domain/records.ts';
import { truncate } from '../../domain/truncate.ts';
import { readInputs } from '../../inputs/index.ts';
import { hostIdentity } from '../../sandbox/host/host-identity.ts';
import { locateRepository } from '../../repository-reference.ts';
import { RepositoryCache } from '../../sandbox/repository/repository-cache.ts';
import { parseRepositoryName } from '../../sandbox/repository/repository-name.ts';
import { createChains } from '../../storage/chain.ts';
import type { ResolvedTemporal } from '../../temporal/connection.ts';
import type { BatchDefinition } from '../batch/batch-once.ts';
import { idOf, planItems } from '../batch/plan-items.ts';
import { readItems, type FileItem } from '../batch/read-items.ts';
import { EXIT_DONE } from '../exit-codes.ts';
import { say, writeJson, type Io } from '../io.ts';
import type { JsonOption, TemporalOptions } from '../options.ts';
import { CommandError } from '../report-error.ts';
import { openSession, type Session } from '../session.ts';
import { readInstructions, signatureForm } from '../signature-form.ts';
import { healthOf, renderHealth, renderSchedule, shortTime } from './health.ts';

export interface TimesOptions extends TemporalOptions {
  readonly cron?: readonly string[];
  readonly every?: readonly string[];
  readonly timezone?: string;
  readonly jitter?: string;
  readonly overlap?: string;
  readonly catchup?: string;
  readonly pauseOnFailure?: boolean;
}

export interface CreateOptions extends TimesOptions, BatchDefinition {
  readonly batch?: string;
  readonly onlyIfChanged?: boolean;
}

export interface NoteOptions extends TemporalOptions {
  readonly note?: string;
}

export interface BackfillOptions extends TimesOptions {
  readonly from: string;
  readonly to?: string;
}

export interface ShowOptions extends TemporalOptions, JsonOption {}

/** `rlm schedule create`. */
export function createSchedule(io: Io, name: string, options: CreateOptions): Promise<number> {
  const problem = runIdProblem(name, 'the name of a schedule');
  if (problem !== undefined) throw new CommandError(problem);
  if (options.cron === undefined && options.every === undefined)
    throw new CommandError('Say when: --cron "0 3 * * *", or --every 6h.');
  return withSchedules(io, options, async (session, schedules) => {
    await session.blobs.check();
    const work = await workOf(session, name, options);
    const isNew = await schedules.create(name, timesOf(options), work);
    if (!isNew) {
      throw new CommandError(
        `There is a schedule ${name} already: rlm schedule show ${name} shows it, rlm schedule update ${name} changes its times, rlm schedule delete ${name} removes it.`,
      );
    }
    const [next] = (await schedules.describe(name))?.info.nextActionTimes ?? [];
    say(
      io,
      `Schedule ${name} is there; it next runs ${next === undefined ? 'never' : `at ${shortTime(next.toISOString())} UTC`}. A worker must be there then:`,
    );
    say(io, `rlm up, or rlm worker. rlm schedule list shows whether it does what it should.`);
    return EXIT_DONE;
  });
}

async function workOf(session: Session, name: string, options: CreateOptions): Promise<ScheduledWork> {
  if (options.onlyIfChanged === true && options.signature !== undefined)
    throw new CommandError('--only-if-changed is for runs on a repository: an analysis has no commit.');
  if (options.batch !== undefined) return batchWork(session, name, options.batch, options);
  const { signature, repo, prompt } = options;
  if (signature !== undefined) return analysisWork(session, name, signature, options);
  if (repo === undefined || prompt === undefined)
    throw new CommandError('Say what to run: --repo and -p, or -s with -i for an analysis, or --batch with a file.');
  const place = parseRepositoryName(repo, session.cwd);
  const { branch } = options;
  if (place.kind === 'path') await checkFolder(session, place.path, branch);
  const input = {
    repo: place.kind === 'url' ? place.url : place.path,
    prompt,
    ...(branch === undefined ? {} : { branch }),
    config: portableConfig(inSeries(session.config, name)),
    ...occurrence(session, name, options, place.kind === 'path'),
  };
  return granted(
    session,
    name,
    { type: 'investigate', input },
    truncate(`${place.kind === 'url' ? repo : place.path}: ${prompt}`, 200),
  );
}

/** An occurrence that fails at night is noticed late. */
async function checkFolder({ cacheDirectory }: Session, path: string, branch: string | undefined): Promise<void> {
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory() !== true)
    throw new CommandError(`There is no folder ${path}.`);
  const cache = new RepositoryCache(cacheDirectory);
  await locateRepository(cache, { repo: path, ...(branch === undefined ? {} : { branch }) });
}

/** Runs of the same series are compared with each other. */
function inSeries(config: RunConfig, series: string): RunConfig {
  const { findings } = config.rlm;
  if (findings === undefined || findings.series !== undefined) return config;
  return { ...config, rlm: { ...config.rlm, findings: { ...findings, series } } };
}

/** Series of their own for the items of a batch: each is compared with itself at the occurrence before. */
function itemSeries(name: string, items: readonly FileItem[]): string[] {
  const taken = new Map<string, number>();
  return items.map((item, index) => {
    const id = idOf(item, index).id ?? createHash('sha256').update(canonicalJson(item)).digest('hex').slice(0, 10);
    const count = (taken.get(id) ?? 0) + 1;
    taken.set(id, count);
    return `${name}.${id}${count === 1 ? '' : `-${count}`}`;
  });
}

/** What is known at an occurrence only. */
function occurrence(
  { env, stateDirectory }: Session,
  name: string,
  { onlyIfChanged }: CreateOptions,
  isFolder: boolean,
): { readonly schedule?: string; readonly host?: string } {
  return {
    ...(onlyIfChanged === true ? { only_if_changed: name } : {}),
    ...(isFolder ? { host: hostIdentity(env['DURABLE_RLM_HOST'] || hostname(), stateDirectory) } : {}),
  };
}

async function batchWork(session: Session, name: string, file: string, options: CreateOptions): Promise<ScheduledWork> {
  const items = await readItems(session.blobs, file, session);
  const series = itemSeries(name, items);
  const checked = new Map<string, Promise<void>>();
  const planned = await planItems(session, items, options, {
    configOf: (index) => inSeries(session.config, series[index] ?? name),
    owner: name,
    bundle: false,
    async extra({ repo, branch }) {
      const isFolder = repo !== undefined && isAbsolute(repo);
      if (isFolder) {
        const key = JSON.stringify([repo, branch]);
        const check = checked.get(key) ?? checkFolder(session, repo, branch);
        checked.set(key, check);
        await check;
      }
      return occurrence(session, name, options, isFolder);
    },
  });
  const { concurrency, maxCost } = options;
  const input = {
    stored_items: await createChains(session.blobs).putJson(planned),
    ...(concurrency === undefined ? {} : { concurrency }),
    ...(maxCost === undefined ? {} : { max_cost: maxCost }),
  };
  return { type: 'batch', input, summary: `batch of ${items.length} items of ${file}` };
}

async function analysisWork(
  session: Session,
  name: string,
  signature: string,
  { input = [], ...options }: CreateOptions,
): Promise<ScheduledWork> {
  const instructions = await readInstructions(session.cwd, options.instructions);
  const plan = planAnalysis(
    session,
    {
      signature: await signatureForm(session.cwd, { signature }),
      ...(instructions === undefined ? {} : { instructions }),
    },
    { store: (wanted) => readInputs(session.blobs, wanted, input, { cwd: session.cwd, stdin: process.stdin }) },
    { config: inSeries(session.config, name), tools: [] },
  );
  const { type, input: start, summary } = await plan.prepare();
  return granted(session, name, { type, input: start }, summary);
}

/** The grant of this user is for the runs of the schedule, and for what it starts only. */
async function granted(session: Session, name: string, start: WorkflowStart, summary: string): Promise<ScheduledWork> {
  const owned = { ...start, input: { ...start.input, grant_for: name } } as WorkflowStart;
  const { type, input } = await withGrant(session, name, owned);
  return { type, input, summary };
}

/** `rlm schedule list`. */
export function listSchedules(io: Io, options: ShowOptions): Promise<number> {
  return withSchedules(io, options, async (session, schedules, runs) => {
    const found = await schedules.list();
    const health = await Promise.all(found.map((schedule) => healthOf(schedule, session.blobs, runs)));
    if (options.json === true) await writeJson(io, health);
    else if (health.length === 0)
      say(io, 'There are no schedules yet: rlm schedule create --help shows how to make one.');
    else for (const line of renderHealth(health, io)) io.stdout.write(`${line}\n`);
    return EXIT_DONE;
  });
}

/** `rlm schedule show`. */
export function showSchedule(io: Io, name: string, options: ShowOptions): Promise<number> {
  return withSchedules(io, options, async (session, schedules, runs) => {
    const schedule = must(name, await schedules.describe(name));
    const health = await healthOf(schedule, session.blobs, runs);
    if (options.json === true) await writeJson(io, health);
    else for (const line of renderSchedule(schedule, health, io)) io.stdout.write(`${line}\n`);
    return EXIT_DONE;
  });
}

/** `rlm schedule update`. */
export function updateSchedule(io: Io, name: string, options: TimesOptions): Promise<number> {
  const times = timesOf(options);
  if (Object.keys(times).length === 0)
    throw new CommandError('Say what to change: --cron, --every, --overlap, --catchup ...');
  return change(io, name, options, (schedules) => schedules.update(name, times, undefined), 'is changed');
}

/** `rlm schedule pause` and `resume`. */
export function setPaused(io: Io, name: string, paused: boolean, options: NoteOptions): Promise<number> {
  const { note } = options;
  return change(
    io,
    name,
    options,
    (schedules) => (paused ? schedules.pause(name, note) : schedules.resume(name, note)),
    paused ? `is paused. Resume it with rlm schedule resume ${name}` : 'runs again at its times',
  );
}

/** `rlm schedule trigger`. */
export function triggerSchedule(io: Io, name: string, options: TimesOptions): Promise<number> {
  return change(io, name, options, (schedules) => schedules.trigger(name, overlapOf(options)), 'starts a run now', {
    needsWorker: true,
  });
}

/** `rlm schedule backfill`. */
export function backfillSchedule(io: Io, name: string, options: BackfillOptions): Promise<number> {
  const [from, to] = [
    timeOf('--from', options.from),
    options.to === undefined ? new Date() : timeOf('--to', options.to),
  ];
  if (from >= to) throw new CommandError('--from must be before --to.');
  const overlap = overlapOf(options) ?? 'BUFFER_ALL';
  return change(
    io,
    name,
    options,
    (schedules) => schedules.backfill(name, from, to, overlap),
    `starts the runs from ${from.toISOString()} to ${to.toISOString()}`,
    { needsWorker: true },
  );
}

/** `rlm schedule delete`. */
export function deleteSchedule(io: Io, name: string, options: NoteOptions): Promise<number> {
  return change(
    io,
    name,
    options,
    (schedules) => schedules.delete(name),
    'is deleted; its runs and their results stay',
  );
}

function timeOf(option: string, text: string): Date {
  const time = new Date(text);
  if (Number.isNaN(time.getTime()))
    throw new CommandError(`${option} must be a time such as 2026-01-31 or 2026-01-31T03:00:00Z, not "${text}".`);
  return time;
}

function change(
  io: Io,
  name: string,
  options: TemporalOptions,
  act: (schedules: TemporalSchedules) => Promise<boolean>,
  what: string,
  { needsWorker = false }: { readonly needsWorker?: boolean } = {},
): Promise<number> {
  return withSchedules(io, options, async ({ taskQueue }, schedules, _runs, temporal) => {
    if (!(await act(schedules))) throw noSuchSchedule(name);
    const isWaiting = needsWorker && (await lacksWorker(temporal, taskQueue));
    say(io, `Schedule ${name} ${what}.${isWaiting ? ' No worker is there: rlm up starts one.' : ''}`);
    return EXIT_DONE;
  });
}

function must(name: string, schedule: ScheduleDescription | undefined): ScheduleDescription {
  if (schedule === undefined) throw noSuchSchedule(name);
  return schedule;
}

function noSuchSchedule(name: string): CommandError {
  return new CommandError(`There is no schedule "${name}": rlm schedule list shows those there are.`);
}

function timesOf(options: TimesOptions): ScheduleTimes {
  const { cron, every, timezone, jitter, catchup, pauseOnFailure } = options;
  const overlap = overlapOf(options);
  return {
    ...(cron === undefined ? {} : { cron }),
    ...(every === undefined ? {} : { every }),
    ...(timezone === undefined ? {} : { timezone }),
    ...(jitter === undefined ? {} : { jitter }),
    ...(catchup === undefined ? {} : { catchup }),
    ...(overlap === undefined ? {} : { overlap }),
    ...(pauseOnFailure === undefined ? {} : { pauseOnFailure }),
  };
}

function overlapOf({ overlap }: TimesOptions): ScheduleOverlapPolicy | undefined {
  return overlap?.toUpperCase() as ScheduleOverlapPolicy | undefined;
}

async function withSchedules(
  io: Io,
  options: TemporalOptions & { readonly signature?: string },
  work: (
    session: Session,
    schedules: TemporalSchedules,
    runs: ReturnType<typeof createTemporalRuns>,
    temporal: ResolvedTemporal,
  ) => Promise<number>,
): Promise<number> {
  const session = await openSession(io, options, {}, options.signature === undefined ? {} : ANALYSIS_DEFAULTS);
  try {
    const { temporal, runs } = await session.openTemporal({ log: (line) => say(io, line) });
    return await work(
      session,
      createTemporalSchedules({ client: temporal.client, taskQueue: session.taskQueue }),
      runs,
      temporal,
    );
  } finally {
    await session.close();
  }
}
