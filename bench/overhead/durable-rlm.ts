import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Client } from '@temporalio/client';
import { openEnvironment, type Environment } from '../../src/client/environment.ts';
import { planRun, withGrant } from '../../src/client/start-run.ts';
import { createTemporalRuns } from '../../src/client/temporal-runs.ts';
import { cacheDirectory } from '../../src/config/directories.ts';
import { parseConfig } from '../../src/config/load-config.ts';
import type { RunConfig } from '../../src/domain/config.ts';
import type { RunOutcome } from '../../src/domain/records.ts';
import { connect, embeddedTarget } from '../../src/temporal/connection.ts';
import { defaultDatabaseFile, devServerStatus, stopDevServer } from '../../src/temporal/dev-server.ts';
import { findTemporalCli } from '../../src/temporal/find-cli.ts';
import type { Contestant, Performance } from './contestant.ts';
import { availableMemory, childrenOf, cpuTime, peakMemory, resetPeakMemory, threadTimes } from './process-usage.ts';
import { ROOT_TASK, type Scenario } from './scenarios.ts';

const MAIN = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
/** Milliseconds in which `rlm up` must work; a first one may have to install Temporal. */
const START_TIME = 300_000;
/** Milliseconds for one run. */
const RUN_TIME = 300_000;

export interface DurableRlmOptions {
  /** For state, cache and home; the caller's to remove. */
  readonly folder: string;
  readonly repository: string;
  readonly modelUrl: string;
  /** Where Node writes CPU profiles of the worker's process. Default: there are none. */
  readonly profiles?: string;
}

/** A server and worker as a person has them, and what its processes have done. */
export interface DurableRlm extends Contestant {
  /** CPU seconds so far of the worker's threads, by their names. */
  threads(): ReadonlyMap<string, number>;
}

/** Starts `rlm up` in a process of its own, with state and caches in the folder. */
export async function startDurableRlm(options: DurableRlmOptions): Promise<DurableRlm> {
  const temporal = await findTemporalCli({ cacheDirectory: cacheDirectory(process.env), log: console.error });
  const state = join(options.folder, 'state');
  const env = {
    PATH: [dirname(temporal), dirname(process.execPath), process.env['PATH']].join(delimiter),
    HOME: options.folder,
    DURABLE_RLM_STATE: state,
    DURABLE_RLM_CACHE: join(options.folder, 'cache'),
    LLM_API_KEY: 'scripted',
    NO_COLOR: '1',
    // For trying things out: preloaded modules, flags of V8.
    ...(process.env['BENCH_NODE_OPTIONS'] === undefined ? {} : { NODE_OPTIONS: process.env['BENCH_NODE_OPTIONS'] }),
  };
  mkdirSync(join(options.folder, 'cache'), { recursive: true });
  const up = spawn(process.execPath, [...profiling(options.profiles), MAIN, 'up'], {
    cwd: options.folder,
    env,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  // However this process ends: it stops its server itself.
  process.once('exit', () => up.kill('SIGTERM'));
  const databaseFile = defaultDatabaseFile(state);
  const close = async (): Promise<void> => {
    await end(up);
    await stopDevServer({ databaseFile, force: true });
  };
  try {
    await untilItWorks(up);
    const server = devServerStatus(databaseFile).server;
    if (server === undefined) throw new Error('rlm up runs without its Temporal server');
    const connection = await connect(embeddedTarget({ ...server, namespace: 'default' }));
    const { client } = connection;
    const environment = await openEnvironment({ env, cwd: options.folder, config: parseConfig({}) });
    let closing: Promise<void> | undefined;
    // The relay's only child.
    const pids = { server: childrenOf(server.process.pid)[0]?.pid ?? 0, worker: up.pid ?? 0 };
    return {
      name: 'durable-rlm',
      how: '`rlm up` (embedded server on a database file, worker) in processes of their own, isolated sandboxes',
      play: (scenario) => play({ ...options, environment, client, pids }, scenario),
      threads: () => threadTimes(pids.worker),
      close: () => (closing ??= connection.close().then(close)),
    };
  } catch (error) {
    await close();
    throw error;
  }
}

function profiling(folder: string | undefined): string[] {
  return folder === undefined ? [] : ['--cpu-prof', '--cpu-prof-interval=500', `--cpu-prof-dir=${folder}`];
}

/** Its standard error goes on to be read: a full pipe would stop it. */
async function untilItWorks(up: ChildProcess): Promise<void> {
  const said: string[] = [];
  const working = Promise.withResolvers<void>();
  if (up.stderr === null) throw new Error('rlm up was started without a pipe');
  const lines = createInterface({ input: up.stderr });
  lines.on('line', (line) => {
    said.push(line);
    if (line.startsWith('Working on task queue')) working.resolve();
  });
  lines.once('close', () => working.reject(new Error(`rlm up ended:\n${said.join('\n')}`)));
  const timer = setTimeout(() => working.reject(new Error(`rlm up does not start:\n${said.join('\n')}`)), START_TIME);
  try {
    await working.promise;
  } finally {
    clearTimeout(timer);
  }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGTERM');
  // Twice as long as it grants its activities, and the time to write profiles.
  const timer = setTimeout(() => child.kill('SIGKILL'), 30_000);
  await exited;
  clearTimeout(timer);
}

interface Stage extends DurableRlmOptions {
  readonly environment: Environment;
  readonly client: Client;
  readonly pids: { readonly server: number; readonly worker: number };
}

async function play(stage: Stage, scenario: Scenario): Promise<Performance> {
  const config = parseConfig({
    model: { name: `openai/durable-rlm/${scenario.name}`, base_url: stage.modelUrl },
    rlm: scenario.limits,
  });
  const before = cpuOf(stage.pids);
  const memory = watchMemory(stage.pids);
  try {
    const { outcome, seconds } = await run(stage, scenario, config);
    if (outcome.status !== 'completed') throw new Error(`the run ${outcome.status}: ${outcome.error}`);
    await untilSandboxesEnded(stage.pids.worker);
    const answer = await answerOf(stage.environment, outcome);
    return { seconds, answer, cpu: subtract(cpuOf(stage.pids), before), memory: memory.peaks() };
  } finally {
    memory.stop();
  }
}

/** Timed from the workflow's start to its result; packing the repository comes before. */
async function run(
  { environment, client, repository }: Stage,
  scenario: Scenario,
  config: RunConfig,
): Promise<{ outcome: RunOutcome; seconds: number }> {
  const plan = planRun(environment, { repo: repository, prompt: ROOT_TASK }, config);
  if (plan.prepared === undefined) throw new Error('a run without an id is prepared when it is planned');
  const start = await withGrant(environment, plan.run, await plan.prepared);
  const runs = createTemporalRuns({ client, taskQueue: config.temporal.task_queue });
  const began = performance.now();
  const { execution } = await runs.start({ run: plan.run, digest: 'bench', summary: scenario.title, start });
  const ended = await runs.end(plan.run, { execution, signal: AbortSignal.timeout(RUN_TIME) });
  const seconds = (performance.now() - began) / 1000;
  if (!('outcome' in ended)) throw new Error(`the run ${ended.status}: ${ended.error}`);
  return { outcome: ended.outcome, seconds };
}

async function answerOf({ blobs }: Environment, { answer_ref }: RunOutcome): Promise<string | undefined> {
  if (answer_ref === null) return undefined;
  const answer: unknown = JSON.parse(Buffer.from(await blobs.get(answer_ref)).toString());
  return typeof answer === 'string' ? answer : JSON.stringify(answer);
}

/** What has ended below the launcher are sandboxes, with all that ran in them. */
function cpuOf({ server, worker }: Stage['pids']): Record<string, number> {
  const launcher = launcherOf(worker);
  const launched = launcher === undefined ? { own: 0, children: 0 } : cpuTime(launcher);
  return {
    server: cpuTime(server).own,
    worker: cpuTime(worker).own,
    launcher: launched.own,
    sandboxes: launched.children,
  };
}

function launcherOf(worker: number): number | undefined {
  return childrenOf(worker).find(({ command }) => command.includes('rlm_launcher'))?.pid;
}

/** Only then their CPU time is counted. */
async function untilSandboxesEnded(worker: number): Promise<void> {
  const launcher = launcherOf(worker);
  if (launcher === undefined) return;
  const deadline = Date.now() + 5000;
  while (childrenOf(launcher).length > 0 && Date.now() < deadline) await delay(20);
}

function subtract(after: Readonly<Record<string, number>>, before: Readonly<Record<string, number>>) {
  return Object.fromEntries(Object.entries(after).map(([part, time]) => [part, time - (before[part] ?? 0)]));
}

/** The sandboxes' memory is known only as what the whole machine lacks; a look costs a tenth of a millisecond. */
function watchMemory(pids: Stage['pids']): { peaks(): Record<string, number>; stop(): void } {
  const available = availableMemory();
  let least = available;
  const timer = setInterval(() => (least = Math.min(least, availableMemory())), 50);
  for (const pid of Object.values(pids)) resetPeakMemory(pid);
  return {
    peaks: () => ({ server: peakMemory(pids.server), worker: peakMemory(pids.worker), 'all, more': available - least }),
    stop: () => clearInterval(timer),
  };
}
