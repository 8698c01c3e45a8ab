import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { cacheDirectory } from '../../src/config/directories.ts';
import { findTemporalCli } from '../../src/temporal/find-cli.ts';
import type { RunReply, RunRequest } from './build-client.ts';
import type { Contestant, Performance } from './contestant.ts';
import { type LineProcess, startLineProcess } from './line-process.ts';
import {
  availableMemory,
  childrenOf,
  cpuTime,
  machineCpuTime,
  peakMemory,
  processes,
  resetPeakMemory,
  threadTimes,
  workingFolder,
} from './process-usage.ts';
import { ROOT_TASK, type Scenario } from './scenarios.ts';

const run = promisify(execFile);
const CLIENT = fileURLToPath(new URL('build-client.ts', import.meta.url));
/** Milliseconds in which `rlm up` must work; a first one may have to install Temporal. */
const START_TIME = 300_000;

/** A checkout of durable-rlm whose `dist` is built. */
export interface Build {
  readonly role: 'own' | 'before';
  readonly checkout: string;
}

export const OWN_BUILD: Build = { role: 'own', checkout: fileURLToPath(new URL('../..', import.meta.url)) };

/** @throws Error when nothing is built there */
export function otherBuild(checkout: string): Build {
  for (const file of ['dist/client.js', 'dist/cli/main.js', 'dist/workflow-bundle.js'])
    if (!existsSync(join(checkout, file)))
      throw new Error(`--against ${checkout}: there is no ${file}. Build that checkout first: npm ci && npm run build`);
  return { role: 'before', checkout };
}

export interface DurableRlmOptions {
  readonly build: Build;
  /** For its state, cache and home; the caller's to remove. */
  readonly folder: string;
  readonly repository: string;
  readonly model: { readonly url: string; readonly pid: number };
  /** Where Node writes CPU profiles of the worker's process. Default: there are none. */
  readonly profiles?: string;
}

/** A server and worker as a person has them, and what its processes have done. */
export interface DurableRlm extends Contestant {
  /** CPU seconds so far of the worker's threads, by their names. */
  threads(): ReadonlyMap<string, number>;
}

/** Starts `rlm up` of the build, and a program that uses its client, in processes of their own. */
export async function startDurableRlm(options: DurableRlmOptions): Promise<DurableRlm> {
  const { build, folder } = options;
  const temporal = await findTemporalCli({ cacheDirectory: cacheDirectory(process.env), log: console.error });
  const state = join(folder, 'state');
  const env = {
    PATH: [dirname(temporal), dirname(process.execPath), process.env['PATH']].join(delimiter),
    HOME: folder,
    DURABLE_RLM_STATE: state,
    DURABLE_RLM_CACHE: join(folder, 'cache'),
    LLM_API_KEY: 'scripted',
    NO_COLOR: '1',
    // For trying things out: preloaded modules, flags of V8.
    ...(process.env['BENCH_NODE_OPTIONS'] === undefined ? {} : { NODE_OPTIONS: process.env['BENCH_NODE_OPTIONS'] }),
  };
  mkdirSync(join(folder, 'cache'), { recursive: true });
  const main = join(build.checkout, 'dist', 'cli', 'main.js');
  const up = spawn(process.execPath, [...profiling(options.profiles), main, 'up'], {
    cwd: folder,
    env,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  // However this process ends: it stops its server itself.
  process.once('exit', () => up.kill('SIGTERM'));
  let client: LineProcess | undefined;
  const close = async (): Promise<void> => {
    await client?.end();
    await end(up);
    await run(process.execPath, [main, 'down', '--force'], { cwd: folder, env });
  };
  try {
    await untilItWorks(up);
    client = startLineProcess({
      command: [process.execPath, CLIENT, build.checkout],
      env,
      cwd: folder,
      stderr: 'inherit',
    });
    const pids = {
      servers: serversOf(state),
      worker: up.pid ?? 0,
      bench: [process.pid, options.model.pid, client.pid],
    };
    if (pids.servers.length === 0) throw new Error('rlm up runs without its Temporal server');
    const stage: Stage = { ...options, client, pids };
    let closing: Promise<void> | undefined;
    return {
      ...describe(build),
      play: (scenario) => play(stage, scenario),
      threads: () => threadTimes(pids.worker),
      close: () => (closing ??= close()),
    };
  } catch (error) {
    await close();
    throw error;
  }
}

function describe({ role, checkout }: Build): Pick<Contestant, 'name' | 'role' | 'how'> {
  const how = '`rlm up` (embedded server on a database file, worker) in processes of their own, isolated sandboxes';
  if (role === 'own') return { name: 'durable-rlm', role, how };
  const commit = execFileSync('git', ['-C', checkout, 'describe', '--always', '--dirty'], { encoding: 'utf8' }).trim();
  return { name: 'before', role, how: `the same of commit ${commit}` };
}

/** The Temporal server that works in the state folder, and what relays to it. */
function serversOf(state: string): number[] {
  return processes()
    .filter(
      ({ pid, command }) => command.includes('start-dev') && (workingFolder(pid) === state || command.includes(state)),
    )
    .map(({ pid }) => pid);
}

function profiling(folder: string | undefined): string[] {
  return folder === undefined ? [] : ['--cpu-prof', '--cpu-prof-interval=500', `--cpu-prof-dir=${folder}`];
}

/** Its standard error continues to be read: a full pipe would stop it. */
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
  readonly client: LineProcess;
  readonly pids: Pids;
}

interface Pids {
  readonly servers: readonly number[];
  readonly worker: number;
  /** The bench itself, its client and the scripted model. */
  readonly bench: readonly number[];
}

async function play({ client, pids, repository, model }: Stage, scenario: Scenario): Promise<Performance> {
  const request: RunRequest = {
    repo: repository,
    prompt: ROOT_TASK,
    config: {
      model: { name: `openai/durable-rlm/${scenario.name}`, base_url: model.url },
      rlm: scenario.limits,
    },
  };
  const before = { parts: cpuOf(pids), machine: machineCpuOf(pids) };
  const memory = watchMemory(pids);
  try {
    const reply: RunReply = JSON.parse(await client.ask(JSON.stringify(request)));
    if (reply.kind === 'failed') throw new Error(reply.error);
    await untilSandboxesEnded(pids.worker);
    return {
      seconds: reply.seconds,
      answer: reply.answer,
      cpu: subtract(cpuOf(pids), before.parts),
      machineCpu: machineCpuOf(pids) - before.machine,
      memory: memory.peaks(),
    };
  } finally {
    memory.stop();
  }
}

/** What has ended below the launcher are sandboxes, with all that ran in them. */
function cpuOf({ servers, worker }: Pids): Record<string, number> {
  const launcher = launcherOf(worker);
  const launched = launcher === undefined ? { own: 0, children: 0 } : cpuTime(launcher);
  return {
    server: total(servers),
    worker: total([worker]),
    launcher: launched.own,
    sandboxes: launched.children,
  };
}

function machineCpuOf({ bench }: Pids): number {
  return machineCpuTime() - total(bench);
}

/** With the programs that the processes have run. */
function total(pids: readonly number[]): number {
  return pids.map(cpuTime).reduce((sum, { own, children }) => sum + own + children, 0);
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
function watchMemory({ servers, worker }: Pids): { peaks(): Record<string, number>; stop(): void } {
  const available = availableMemory();
  let least = available;
  const timer = setInterval(() => (least = Math.min(least, availableMemory())), 50);
  for (const pid of [...servers, worker]) resetPeakMemory(pid);
  return {
    peaks: () => ({
      server: servers.map(peakMemory).reduce((sum, peak) => sum + peak, 0),
      worker: peakMemory(worker),
      'all, more': available - least,
    }),
    stop: () => clearInterval(timer),
  };
}
