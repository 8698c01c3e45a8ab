import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { stringify } from 'yaml';
import { EXIT_CANCELLED } from '../../src/cli/exit-codes.ts';
import { listBackgrounds } from '../../src/cli/background.ts';
import type { ProcessIdentity } from '../../src/sandbox/host/processes.ts';
import type { SandboxRecord } from '../../src/sandbox/local/records.ts';
import { defaultDatabaseFile, devServerStatus } from '../../src/temporal/dev-server.ts';
import {
  killSwitchEnvironment,
  startScriptedModel,
  type PlannedKill,
  type ScriptedModel,
} from '../../src/testing/index.ts';
import { createDesk, type Desk, type Finished, type RunningCommand } from '../e2e/command.ts';
import { PROMPT } from '../e2e/inventory-tree.ts';
import { startModelProxy, type ModelProxy } from './model-proxy.ts';
import { childrenOf, commandLine, familyOf, isStopped, signal } from './processes.ts';
import { watchProgress, type Progress } from './progress.ts';
import { patientTree } from './tree.ts';

const LATENCY = 300;
const PARALLEL = 6;

/** attached: `rlm run` with its worker, to the end. detached: a worker in the background, and a command that follows. */
export type Manner = 'attached' | 'detached';

export interface SceneOptions {
  readonly id: string;
  readonly repository: string;
  readonly manner: Manner;
  /** Sandboxes kept ready. */
  readonly pool: number;
  /** MiB of a file system of its own for the state folder; absent: the disk's. */
  readonly diskMb?: number;
  /** Milliseconds the model takes for a reply. Default: 300. */
  readonly latency?: number;
  /** Settings of the run besides its own. */
  readonly rlm?: Readonly<Record<string, number>>;
  readonly sandbox?: Readonly<Record<string, number>>;
}

/** One run in a world of its own, with everything that can be broken within reach. */
export interface Scene {
  readonly id: string;
  readonly manner: Manner;
  readonly desk: Desk;
  readonly model: ScriptedModel;
  readonly proxy: ModelProxy;
  readonly progress: Progress;
  /** Every process that was part of it at some time. */
  readonly seen: readonly ProcessIdentity[];
  /** Commands that ended by themselves, and not well. */
  readonly complaints: readonly string[];
  /** The command that ended with a result, once one has. */
  readonly result: () => Finished | undefined;
  /** The first time, and whenever something has ended it: the same command. */
  begin(): Promise<void>;
  /** Processes with a worker in them. */
  workers(): number[];
  launchers(): number[];
  server(): number | undefined;
  sandboxes(): SandboxRecord[];
  /** Kills whatever hosts the newest worker: a whole process group. */
  killWorker(): void;
  /** Remembers what runs now, for finding what outlives it. */
  look(): void;
  /** Holds a worker where it comes to the point. @returns its pid; undefined when the run ended first, or time did */
  hold(planned: Omit<PlannedKill, 'signal'>, patience: number): Promise<number | undefined>;
  /** Every command has ended; those that have not within half a minute are killed. */
  settled(): Promise<void>;
  /** Ends everything. */
  close(options: { readonly keep: boolean }): Promise<void>;
}

/** How often a command that gave up is given again. */
const AGAIN = 20;
/** Milliseconds before that. */
const RELUCTANCE = 1000;
/** Milliseconds that commands get to end after their run. */
const SETTLING = 30_000;

export async function openScene(options: SceneOptions): Promise<Scene> {
  const { id, repository, manner } = options;
  const desk = await createDesk('local');
  const temporary = join(desk.folder, 'tmp');
  const plan = join(desk.folder, 'kills.json');
  mkdirSync(temporary);
  mkdirSync(desk.state, { recursive: true, mode: 0o700 });
  if (options.diskMb !== undefined)
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${options.diskMb}m,mode=700`, 'chaos', desk.state]);
  writePlan(plan, []);
  const model = await startScriptedModel({ scripts: patientTree, latencyMs: options.latency ?? LATENCY });
  const proxy = await startModelProxy(model.url);
  const progress = watchProgress(desk.state, id);
  const config = {
    model: { name: 'openai/scripted', base_url: proxy.url },
    // A few at a time: agents begin and end all through the run.
    rlm: { max_sandboxes: 300, max_parallel: PARALLEL, ...options.rlm },
    sandbox: { ...desk.settings.sandbox, pool: options.pool, ...options.sandbox },
  };
  desk.configure(stringify(config));
  const env = { ...killSwitchEnvironment(plan), TMPDIR: temporary };
  const command = ['run', repository, '-p', PROMPT, '--id', id];

  const seen = new Map<string, ProcessIdentity>();
  const complaints: string[] = [];
  const attached = new Set<RunningCommand>();
  let newest: RunningCommand | undefined;
  let result: Finished | undefined;
  let closing = false;

  function follow(args: readonly string[]): void {
    const running = desk.start([...args, '--json', '-q'], env);
    newest = running;
    attached.add(running);
    void running.finished.then(async (finished) => {
      attached.delete(running);
      if (finished.code === 0) result ??= finished;
      else if (finished.code === EXIT_CANCELLED) follow(args);
      else if (finished.code !== null) await gaveUp(finished, () => follow(goingOn(finished, args)));
    });
  }

  /** As a person would who reads what it says. */
  function goingOn({ stderr }: Finished, args: readonly string[]): readonly string[] {
    return manner === 'attached' && stderr.includes(' is paused: ') ? ['resume', id] : args;
  }

  async function gaveUp({ code, stderr }: Finished, again: () => void): Promise<void> {
    complaints.push(`exit ${code}: ${stderr.trim().slice(-600)}`);
    await delay(RELUCTANCE);
    if (closing || result !== undefined) return;
    if (complaints.length > AGAIN) result = { code, stdout: Buffer.alloc(0), stderr };
    else again();
  }

  async function detach(): Promise<void> {
    const finished = await desk.run([...command, '--detach', '-q'], env);
    if (finished.code !== 0 && finished.code !== null) await gaveUp(finished, () => void detach());
  }

  const backgrounds = (): number[] => listBackgrounds(desk.state).map(({ process: { pid } }) => pid);
  const workers = (): number[] =>
    manner === 'detached' ? backgrounds() : [...attached].map(({ pid }) => pid).filter((pid) => pid > 0);
  const server = (): number | undefined => devServerStatus(defaultDatabaseFile(desk.state)).server?.process.pid;
  const look = (): void => {
    const roots = [...workers(), ...[...attached].map(({ pid }) => pid), server() ?? 0].filter((pid) => pid > 0);
    for (const identity of roots.flatMap(familyOf)) seen.set(`${identity.pid}/${identity.start}`, identity);
  };

  return {
    id,
    manner,
    desk,
    model,
    proxy,
    progress,
    complaints,
    get seen() {
      return [...seen.values()];
    },
    result: () => result,
    async begin() {
      if (manner === 'attached') return follow(command);
      await detach();
      if (attached.size === 0 && result === undefined) follow([...command, '--no-worker']);
    },
    workers,
    launchers: () =>
      workers()
        .flatMap(childrenOf)
        .filter((pid) => commandLine(pid).includes('rlm_launcher')),
    server,
    sandboxes: () => sandboxRecords(join(desk.state, 'sandboxes')),
    killWorker() {
      look();
      if (manner === 'attached') newest?.kill();
      else for (const pid of backgrounds()) signal(pid, 'SIGKILL');
    },
    look,
    async hold(planned, patience) {
      writePlan(plan, [{ ...planned, signal: 'SIGSTOP' }]);
      const deadline = Date.now() + patience;
      const goesOn = (): boolean => result === undefined && Date.now() < deadline;
      while (goesOn()) {
        const held = readPlan(plan).length === 0 ? workers().find(isStopped) : undefined;
        if (held !== undefined) return held;
        await delay(5);
      }
      writePlan(plan, []);
      for (const pid of workers().filter(isStopped)) signal(pid, 'SIGCONT');
      return undefined;
    },
    async settled() {
      const patience = setTimeout(() => {
        for (const each of attached) {
          complaints.push(`pid ${each.pid} did not end with its run and was killed`);
          each.kill();
        }
      }, SETTLING);
      await Promise.all([...attached].map(({ finished }) => finished));
      clearTimeout(patience);
    },
    async close({ keep }) {
      closing = true;
      if (keep) cpSync(desk.folder, `${desk.folder}-kept`, { recursive: true });
      progress.close();
      for (const each of attached) each.kill();
      await proxy.close();
      await model.close({ check: false });
      for (const pid of backgrounds()) signal(pid, 'SIGKILL');
      if (options.diskMb !== undefined) await unmount(desk);
      await desk.close();
    },
  };
}

/** What keeps files on it open ends first. */
async function unmount(desk: Desk): Promise<void> {
  const server = devServerStatus(defaultDatabaseFile(desk.state)).server?.process.pid;
  if (server !== undefined) signal(server, 'SIGKILL');
  await delay(200);
  execFileSync('umount', ['--lazy', desk.state]);
}

function writePlan(file: string, kills: readonly PlannedKill[]): void {
  writeFileSync(`${file}.written`, JSON.stringify(kills));
  renameSync(`${file}.written`, file);
}

function readPlan(file: string): readonly PlannedKill[] {
  return JSON.parse(readFileSync(file, 'utf8')) as PlannedKill[];
}

/** Those that run. */
function sandboxRecords(folder: string): SandboxRecord[] {
  try {
    return readdirSync(folder).flatMap((name) => {
      if (name.startsWith('.')) return [];
      try {
        const record = JSON.parse(readFileSync(join(folder, name, 'record.json'), 'utf8')) as SandboxRecord;
        return record.running === undefined ? [] : [record];
      } catch {
        return []; // Being made, or removed.
      }
    });
  } catch {
    return [];
  }
}
