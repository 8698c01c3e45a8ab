import { rmSync, statfsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { errorMessage } from '../domain/error-message.ts';
import {
  announceStop,
  type DevServerFiles,
  type DevServerRecord,
  devServerFiles,
  livingProcesses,
  logTail,
  markEnding,
  readRecord,
  register,
} from './dev-server-files.ts';
import { ANSWER_TIME, endServer, POLL, startServer, untilItAnswers } from './dev-server-process.ts';
import { TemporalSetupError } from './errors.ts';
import { findTemporalCli } from './find-cli.ts';
import { namespaceFault } from './dev-server-launcher.ts';
import { ensureNamespace } from './namespace.ts';
import { waysToAllowUserNamespaces } from '../user-namespaces.ts';
import { isAlive, type ProcessIdentity, signal } from './process-identity.ts';

export interface DevServerOptions {
  /** Folder of the database, unless `databaseFile` names another place. Made when missing. */
  readonly stateDirectory: string;
  /** Where the Temporal CLI is kept, when it has to be installed. */
  readonly cacheDirectory: string;
  /** Default: `temporal.db` in the state directory. One server runs for each database file. */
  readonly databaseFile?: string;
  /** Made when missing. Default: `default`. */
  readonly namespace?: string;
  /** See `DevServerSettings.sync`. Counts for the command that starts the server. Default: `normal`. */
  readonly sync?: 'normal' | 'full';
  /** Further dynamic configuration of the server; used by the process that starts it. Default: none. */
  readonly dynamicConfig?: Readonly<Record<string, string>>;
  /** The `temporal` to start; default: what `findTemporalCli` finds. */
  readonly executable?: string;
  /** Start the server again when it ends while this handle is held. Default: true. */
  readonly restart?: boolean;
  /** Gets lines for a person: what is installed, started, waited for. */
  readonly log?: (line: string) => void;
  /** Gets one line for a person where a server that has been started has not answered for some seconds. */
  readonly onWaiting?: (line: string) => void;
}

export interface DevServer {
  /** `unix:///path` of the frontend, as Temporal's own command line takes it. Only the owner can connect to it. */
  readonly address: string;
  /** Path of a unix socket on which Temporal's web interface answers to its owner. */
  readonly uiSocket: string;
  /** Path of the `temporal` that runs it. */
  readonly executable: string;
  readonly namespace: string;
  readonly databaseFile: string;
  readonly process: ProcessIdentity;
  /** False when the server ran already. */
  readonly startedByUs: boolean;
  /**
   * Releases the server for this process. The last user stops it with a signal; stopping takes it
   * one to two seconds; `wait: true` waits until it has. A command that comes meanwhile waits and starts it again.
   */
  release(options?: { readonly wait?: boolean }): Promise<void>;
}

export type RunningDevServer = Pick<DevServer, 'address' | 'uiSocket' | 'process'>;

export interface DevServerStatus {
  readonly databaseFile: string;
  /** Undefined when no server runs. */
  readonly server: RunningDevServer | undefined;
  /** Pids of the processes that use it. */
  readonly users: readonly number[];
}

/** Milliseconds for everything but an installation and the start itself: another process may be starting or ending the server. */
const START_TIME = 60_000;
/** Milliseconds after which a person is told what is waited for. */
const WAITING_MS = 4000;
/** Milliseconds after which a server that does not heed SIGTERM is killed. */
const END_TIME = 10_000;
/** The same while a command waits to start it again: a graceful end takes over a second and brings it nothing. */
const HURRIED_END_TIME = 200;

/** A disk with fewer bytes left is full: that is why a server on it has not started. */
const NEEDED_SPACE = 1024 * 1024;

/** The database file that commands share when they name none. */
export function defaultDatabaseFile(stateDirectory: string): string {
  return join(stateDirectory, 'temporal.db');
}

/**
 * The server of a database file: the one that runs, or a new one. Any number of processes may call this at the
 * same time and get the same server.
 *
 * @throws TemporalSetupError when there is no Temporal CLI to be had, or the server does not start or answer.
 */
export async function startOrAttachDevServer(options: DevServerOptions): Promise<DevServer> {
  const files = filesOf(options);
  return use(files, options, () => ensureRunning(files, options));
}

/** The same, but where no server runs none is started: undefined then. */
export async function attachDevServer(options: DevServerOptions): Promise<DevServer | undefined> {
  const files = filesOf(options);
  if (runningRecord(files) === undefined) return undefined;
  try {
    return await use(files, options, async () => {
      const record = await attached(files);
      if (record === undefined) throw new NotRunning();
      return { record, startedByUs: false };
    });
  } catch (error) {
    if (error instanceof NotRunning) return undefined;
    throw error;
  }
}

/**
 * Stops the server of a database file and waits until it has ended. While other processes use it, nothing happens
 * unless `force`; the answer names them.
 */
export async function stopDevServer(options: {
  readonly databaseFile: string;
  readonly force?: boolean;
}): Promise<{ readonly stopped: boolean; readonly users: readonly number[] }> {
  return stopUnlessUsed(devServerFiles(options.databaseFile), { force: options.force ?? false, wait: true });
}

/** Whether a server runs on this database file, and who uses it. Starts nothing. */
export function devServerStatus(databaseFile: string): DevServerStatus {
  const files = devServerFiles(databaseFile);
  const record = runningRecord(files);
  return {
    databaseFile: files.databaseFile,
    server: record && { address: addressOf(record), uiSocket: record.uiSocket, process: record.process },
    users: livingProcesses(files.users).map(({ pid }) => pid),
  };
}

interface Running {
  readonly record: DevServerRecord;
  readonly startedByUs: boolean;
}

class NotRunning extends Error {}

/** Registers, gets at the server, and hands out what gives it back. */
async function use(
  files: DevServerFiles,
  options: DevServerOptions,
  reach: () => Promise<Running>,
): Promise<DevServer> {
  const namespace = options.namespace ?? 'default';
  // Registered before looking: the process that stops the server looks for users after announcing it.
  const unregister = register(files.users);
  let stopWatching = (): Promise<void> => Promise.resolve();
  const waiting = setTimeout(() => {
    // Without one, its program is being installed, or it is about to be started.
    const record = readRecord(files);
    if (record !== undefined && isAlive(record.process)) options.onWaiting?.(waitingLine(files));
  }, WAITING_MS);
  try {
    const { record, startedByUs } = await reach();
    rmSync(files.making, { force: true });
    const address = addressOf(record);
    // From now on: it may be killed before it has answered once.
    if (options.restart !== false) stopWatching = keepRunning(files, record, options);
    await ensureNamespace(address, namespace, ANSWER_TIME).catch((error: unknown) => {
      throw error instanceof TemporalSetupError && isAlive(record.process) ? stuck(files, error) : error;
    });
    return {
      address,
      uiSocket: record.uiSocket,
      executable: record.executable,
      namespace,
      databaseFile: files.databaseFile,
      process: record.process,
      startedByUs,
      release: async ({ wait = false } = {}) => {
        await stopWatching();
        unregister();
        await stopUnlessUsed(files, { force: false, wait });
      },
    };
  } catch (error) {
    await stopWatching();
    unregister();
    await stopUnlessUsed(files, { force: false, wait: false });
    throw error;
  } finally {
    clearTimeout(waiting);
  }
}

/** This process must be registered as a user. */
async function ensureRunning(files: DevServerFiles, options: DevServerOptions): Promise<Running> {
  const { namespace = 'default', sync = 'normal', dynamicConfig = {}, cacheDirectory, log } = options;
  if (process.platform !== 'linux') throw noNamespace(namespaceFault() ?? '');
  let executable = options.executable;
  let deadline: number | undefined;
  for (let failures = 0; failures < 3;) {
    const running = await attached(files);
    if (running !== undefined) return { record: running, startedByUs: false };
    executable ??= await findTemporalCli({ cacheDirectory, ...(log === undefined ? {} : { log }) });
    const started = await startServer(files, { executable, namespace, sync, dynamicConfig });
    if (started === 'refused') throw noNamespace(logTail(files, 1));
    if (started === 'failed') failures++;
    else if (started !== 'held') return { record: started, startedByUs: true };
    // The holder has yet to write where it listens; or it is out of sight, in another container.
    deadline ??= Date.now() + START_TIME;
    if (Date.now() > deadline) throw stuck(files);
    await delay(5 * POLL);
  }
  throw notStarting(files);
}

/** The running server, once it answers, unless it is being stopped; undefined when there is none and no process starts one. */
async function attached(files: DevServerFiles): Promise<DevServerRecord | undefined> {
  const deadline = Date.now() + START_TIME;
  while (Date.now() < deadline) {
    const record = readRecord(files);
    if (livingProcesses(files.stoppers).length > 0) {
      await delay(POLL);
    } else if (record === undefined || !isAlive(record.process)) {
      return undefined;
    } else if (record.ending === true) {
      await endServer(record.process, HURRIED_END_TIME);
    } else {
      const state = await untilItAnswers(record);
      if (state === 'answers') return record;
      if (state === 'silent') break;
    }
  }
  throw stuck(files);
}

/** Watches the server and restarts it when it ended without being stopped. */
function keepRunning(files: DevServerFiles, first: DevServerRecord, options: DevServerOptions): () => Promise<void> {
  const log = options.log ?? (() => undefined);
  let restart: Promise<void> | undefined;
  const startAgain = async (): Promise<void> => {
    try {
      await ensureRunning(files, options);
    } catch (error) {
      log(errorMessage(error));
    }
  };
  const look = (): void => {
    const record = readRecord(files) ?? first;
    if (restart !== undefined || record.ending === true || isAlive(record.process)) return;
    log('The Temporal server has ended unexpectedly; starting it again on the same database.');
    restart = startAgain().finally(() => (restart = undefined));
  };
  const timer = setInterval(look, 500);
  timer.unref();
  return async () => {
    clearInterval(timer);
    await restart;
  };
}

/**
 * Announce, look for users, then stop: a new user registers before looking for an announcement, so at least
 * one of the two sees the other, and no process gets a server that is about to end.
 */
async function stopUnlessUsed(
  files: DevServerFiles,
  { force, wait }: { readonly force: boolean; readonly wait: boolean },
): Promise<{ stopped: boolean; users: readonly number[] }> {
  const withdraw = announceStop(files);
  try {
    const users = livingProcesses(files.users).map(({ pid }) => pid);
    const record = readRecord(files);
    if (record === undefined || !isAlive(record.process)) return { stopped: false, users };
    if (users.length > 0 && !force) return { stopped: false, users };
    markEnding(files, record);
    signal(record.process, 'SIGTERM');
    if (wait) await endServer(record.process, END_TIME);
    return { stopped: true, users };
  } finally {
    withdraw();
  }
}

function filesOf(options: DevServerOptions): DevServerFiles {
  return devServerFiles(options.databaseFile ?? defaultDatabaseFile(options.stateDirectory));
}

function runningRecord(files: DevServerFiles): DevServerRecord | undefined {
  const record = readRecord(files);
  return record !== undefined && record.ending !== true && isAlive(record.process) ? record : undefined;
}

function addressOf(record: DevServerRecord): string {
  return `unix://${record.socket}`;
}

/** What to do where the server cannot be started for want of a network namespace, one way a line. */
export function waysWithoutNamespace(why: string): readonly string[] {
  return [...waysToAllowUserNamespaces(why), 'or give --address of a Temporal server of your own'];
}

/** @param why what the system said */
function noNamespace(why: string): TemporalSetupError {
  const ways = waysWithoutNamespace(why);
  return new TemporalSetupError(
    'The embedded Temporal server is not started: it does not ask its clients who they are, so it runs in a network ' +
      `namespace of its own or not at all. ${why}\n${ways.map((way) => `  - ${way}`).join('\n')}`,
  );
}

function notStarting(files: DevServerFiles): TemporalSetupError {
  const folder = dirname(files.databaseFile);
  if (freeSpaceOf(folder) < NEEDED_SPACE)
    return new TemporalSetupError(
      `The embedded Temporal server does not start, because the disk of ${folder} is full. Make room there ` +
        '(rlm clean shows what may go), and give the command again.',
    );
  return new TemporalSetupError(
    `The embedded Temporal server does not start. Its log is ${files.log}; its last lines:\n${logTail(files)}`,
  );
}

function freeSpaceOf(folder: string): number {
  const { bavail, bsize } = statfsSync(folder);
  return bavail * bsize;
}

function waitingLine(files: DevServerFiles): string {
  return (
    `Waiting for the Temporal server${pidOf(files)} of ${files.databaseFile}, which does not answer yet. Ctrl-C gives up; ` +
    `rlm down --force ends a server that hangs, and its log is ${files.log}.`
  );
}

function pidOf(files: DevServerFiles): string {
  const pid = readRecord(files)?.process.pid;
  return pid === undefined ? '' : ` (pid ${pid})`;
}

function stuck(files: DevServerFiles, cause?: Error): TemporalSetupError {
  return new TemporalSetupError(
    `A Temporal server${pidOf(files)} holds ${files.databaseFile} but does not answer. ` +
      `End it (rlm down --force, or kill the process) and try again, or give --address of another server. ` +
      `Its log is ${files.log}.`,
    cause === undefined ? {} : { cause },
  );
}
