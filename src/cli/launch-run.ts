import { resolve } from 'node:path';
import type { RunOrigin } from '../client/run-arguments.ts';
import type { ConfigInput } from '../config/schema.ts';
import type { RunDocument } from '../results/run-document.ts';
import { startRun, type RunPlan, type StartResult } from '../client/start-run.ts';
import type { TemporalRuns } from '../client/temporal-runs.ts';
import { watchRun } from './watch-run.ts';
import { ensureBackground } from './background.ts';
import { shellWord } from './command-name.ts';
import { EXIT_DONE } from './exit-codes.ts';
import type { HostOptions } from './host-worker.ts';
import { hostWorkerFor } from './other-runs.ts';
import { say, writeJson, writeResult, type Io } from './io.ts';
import type { JsonOption, TalkOptions, TemporalOptions } from './options.ts';
import { cassetteOf, checkCassette } from './cassette-file.ts';
import { checkWritable } from './output-file.ts';
import { CommandError } from './report-error.ts';
import { writableResultsFolder } from './results-folder.ts';
import type { Session } from './session.ts';
import type { SettingOptions } from './settings.ts';

/** Options of every command that starts runs. */
export interface LaunchOptions extends TemporalOptions, TalkOptions, JsonOption, SettingOptions {
  /** As it was typed; absent for an analysis. */
  readonly repo?: string;
  readonly output?: string;
  readonly id?: string;
  readonly detach?: boolean;
  readonly traceFile?: string;
  readonly record?: string;
  readonly replay?: string;
  /** False: no worker in this process. */
  readonly worker: boolean;
  readonly results: string;
}

export interface Launch {
  readonly io: Io;
  readonly session: Session;
  readonly plan: RunPlan;
  readonly options: LaunchOptions;
  /** What won over the configuration files. */
  readonly settings: ConfigInput;
  /** What to type to come back to the run. Default: by what was typed. */
  readonly resumeCommand?: string | undefined;
  /** Of the worker in this process. */
  readonly host?: Pick<HostOptions, 'tools'>;
  /** Prints what came of it. Default: `presentRun`. */
  readonly present?: (document: RunDocument) => Promise<number>;
}

/** Starts a planned run, or finds it again, and sees it through. @returns the exit code */
export async function launchRun(launch: Launch): Promise<number> {
  const { io, session, options } = launch;
  const plan = { ...launch.plan, origin: originOf(session, launch) };
  const resumeCommand = launch.resumeCommand ?? commandToResume(session.cwd, options, plan.run);
  return options.detach === true
    ? await startDetached(io, session, plan, options)
    : await startAttached({ ...launch, plan }, resumeCommand);
}

/** So that who resumes the run finds its settings again. */
function originOf({ cwd }: Session, { options, settings }: Launch): RunOrigin {
  return {
    ...(options.config === undefined ? {} : { config_file: resolve(cwd, options.config) }),
    ...(Object.keys(settings).length === 0 ? {} : { settings }),
  };
}

/**
 * What can be found wrong with the options at once, before a provider is asked or anything is started.
 *
 * @throws CommandError
 */
export async function checkLaunch(session: Session, options: LaunchOptions): Promise<void> {
  refuseDetachedOutput(options);
  await checkCassette(session.cwd, options);
  writableResultsFolder(session.cwd, options.results);
  await session.blobs.check();
  if (options.output !== undefined) await checkWritable(session.cwd, options.output);
}

function refuseDetachedOutput({ detach, output, id = '<run>' }: LaunchOptions): void {
  if (detach !== true || output === undefined) return;
  throw new CommandError(
    `--detach returns before there is anything to write to ${output}. Leave -o out; when the run has ended, ` +
      `rlm patch ${id} -o ${shellWord(output)} writes its patch, rlm result ${id} -o ${shellWord(output)} its answer (--json: all of it).`,
  );
}

async function startDetached(io: Io, session: Session, plan: RunPlan, options: LaunchOptions): Promise<number> {
  // What is wrong with the repository is found before anything is started.
  await plan.prepared;
  const background = options.worker ? await ensureBackground(session, options, (line) => say(io, line)) : undefined;
  const { runs } = await session.openTemporal({ log: (line) => say(io, line) });
  const started = await startRun(session, runs, plan);
  if (!started.isNew) await runs.resume(started.run);
  for (const warning of started.warnings) say(io, `Note: ${warning}`);
  if (options.quiet !== true) {
    if (background !== undefined) say(io, `A worker is in the background (log: ${background.log}); rlm down stops it.`);
    say(io, `Follow the run with rlm watch ${started.run}; its result comes with rlm result ${started.run}.`);
  }
  if (options.json === true) await writeJson(io, { run_id: started.run, status: 'running' });
  else await writeResult(io, `${started.run}\n`);
  return EXIT_DONE;
}

async function startAttached(
  { io, session, plan, options, host, present }: Launch,
  resumeCommand: string,
): Promise<number> {
  const log = (line: string): void => say(io, line);
  const { temporal, runs } = await session.openTemporal(options.quiet === true ? {} : { log });
  if (options.verbose === true) say(io, `Temporal: ${temporal.address}, namespace ${temporal.namespace}`);
  const watching = { io, session, runs, options, resumeCommand, ...(present === undefined ? {} : { present }) };
  if (!options.worker) {
    const started = await startOrResume(io, session, runs, plan);
    return watchRun({ ...watching, started, worker: undefined });
  }
  const lines = createLateLines(log);
  // What it was given for this run is not for others of the task queue.
  const own = {
    run: plan.run,
    log: lines.log,
    notice: log,
    ...host,
    traceFile: options.traceFile,
    cassette: cassetteOf(session.cwd, options),
  };
  const hosting = hostWorkerFor(session, { temporal, runs }, own);
  try {
    // Both take about half a second.
    const [started, worker] = await Promise.all([startOrResume(io, session, runs, plan), hosting]);
    return await watchRun({ ...watching, started, worker, onDisplay: lines.redirect });
  } catch (error) {
    await hosting.then((worker) => worker.close()).catch(() => undefined);
    throw error;
  }
}

async function startOrResume(io: Io, session: Session, runs: TemporalRuns, plan: RunPlan): Promise<StartResult> {
  const started = await startRun(session, runs, plan);
  // A run that had paused continues when its command is repeated; for any other this means nothing.
  if (!started.isNew) await runs.resume(started.run);
  for (const warning of started.warnings) say(io, `Note: ${warning}`);
  return started;
}

/** The worker begins to speak before there is a display to speak through. */
function createLateLines(first: (line: string) => void): {
  log: (line: string) => void;
  redirect: (to: (line: string) => void) => void;
} {
  let target = first;
  return { log: (line) => target(line), redirect: (to) => (target = to) };
}

/** What to type to come back to a run, wherever that is typed. */
function commandToResume(
  cwd: string,
  options: TemporalOptions & { readonly tools?: readonly string[] },
  run: string,
): string {
  const { config, address, namespace, profile, tools = [] } = options;
  const given = [
    ...tools.map((file) => ['--tools', resolve(cwd, file)]),
    ...(config === undefined ? [] : [['-c', resolve(cwd, config)]]),
    ...Object.entries({ address, namespace, profile }).map(([name, value]) => [`--${name}`, value]),
  ].filter((pair): pair is [string, string] => pair[1] !== undefined);
  return ['rlm resume', run, ...given.flatMap(([name, value]) => [name, shellWord(value)])].join(' ');
}
