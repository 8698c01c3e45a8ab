import { createHash } from 'node:crypto';
import type { ChildProcess } from 'node:child_process';
import { rmSync } from 'node:fs';
import { connect as connectSocket } from 'node:net';
import { basename, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { devServerArguments, LOOPBACK } from './dev-server-arguments.ts';
import {
  type DevServerFiles,
  type DevServerRecord,
  devServerFiles,
  livingProcesses,
  logTail,
  markEnding,
  readRecord,
  register,
} from './dev-server-files.ts';
import { freePort, launchDevServer, LOCK_IS_HELD } from './dev-server-launcher.ts';
import { TemporalSetupError } from './errors.ts';
import { findTemporalCli } from './find-cli.ts';
import { ensureNamespace } from './namespace.ts';
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
  /** Serve Temporal's web interface; counts for the command that starts the server. Default: false. */
  readonly ui?: boolean;
  /** The `temporal` to start; default: what `findTemporalCli` finds. */
  readonly executable?: string;
  /** Start the server again on its port when it ends while this handle is held. Default: true. */
  readonly restart?: boolean;
  /** Gets lines for a person: what is installed, started, waited for. */
  readonly log?: (line: string) => void;
}

export interface DevServer {
  /** `host:port` of the frontend. */
  readonly address: string;
  /** Of the web interface, where it is served. */
  readonly uiAddress: string | undefined;
  readonly namespace: string;
  readonly databaseFile: string;
  readonly process: ProcessIdentity;
  /** False when the server ran already. */
  readonly startedByUs: boolean;
  /**
   * Says that this process no longer uses the server. The last user stops it: it is told to end, which takes it
   * one to two seconds; `wait: true` waits until it has. A command that comes meanwhile waits and starts it again.
   */
  release(options?: { readonly wait?: boolean }): Promise<void>;
}

export type RunningDevServer = Pick<DevServer, 'address' | 'uiAddress' | 'process'>;

export interface DevServerStatus {
  readonly databaseFile: string;
  /** Undefined when no server runs. */
  readonly server: RunningDevServer | undefined;
  /** Pids of the processes that use it. */
  readonly users: readonly number[];
}

/** Milliseconds in which a server must answer after its start, and a running one at all. */
const ANSWER_TIME = 20_000;
/** Milliseconds for everything: another process may be starting or ending the server. */
const START_TIME = 60_000;
/** Milliseconds after which a server that does not heed SIGTERM is killed; its database survives that. */
const END_TIME = 10_000;
/** The same while a command waits to start it again: a graceful end takes over a second and brings it nothing. */
const HURRIED_END_TIME = 200;
const POLL = 10;

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
  const files = devServerFiles(options.databaseFile ?? defaultDatabaseFile(options.stateDirectory));
  const namespace = options.namespace ?? 'default';
  // Registered before looking: whoever stops the server looks for users after announcing it.
  const unregister = register(files.users);
  try {
    const { record, startedByUs } = await ensureRunning(files, options);
    rmSync(files.making, { force: true });
    const address = `${LOOPBACK}:${record.port}`;
    await ensureNamespace(address, namespace, ANSWER_TIME);
    const stopWatching = options.restart === false ? () => Promise.resolve() : keepRunning(files, record, options);
    return {
      address,
      uiAddress: uiAddressOf(record),
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
    unregister();
    await stopUnlessUsed(files, { force: false, wait: false });
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
  const record = readRecord(files);
  const running = record !== undefined && record.ending !== true && isAlive(record.process);
  return {
    databaseFile: files.databaseFile,
    server: running
      ? { address: `${LOOPBACK}:${record.port}`, uiAddress: uiAddressOf(record), process: record.process }
      : undefined,
    users: livingProcesses(files.users).map(({ pid }) => pid),
  };
}

interface Running {
  readonly record: DevServerRecord;
  readonly startedByUs: boolean;
}

async function ensureRunning(files: DevServerFiles, options: DevServerOptions): Promise<Running> {
  const deadline = Date.now() + START_TIME;
  let failures = 0;
  for (;;) {
    if (Date.now() > deadline) throw stuck(files);
    const record = readRecord(files);
    if (livingProcesses(files.stoppers).length > 0) {
      await delay(POLL);
    } else if (record !== undefined && isAlive(record.process)) {
      if (record.ending === true) await end(record.process, HURRIED_END_TIME);
      else return { record: await answering(files, record), startedByUs: false };
    } else {
      const launched = await launch(files, record, options);
      if (launched === 'held') await delay(POLL);
      else if (launched !== 'failed') return { record: launched, startedByUs: true };
      else if (++failures === 3) throw notStarting(files);
    }
  }
}

/** Starts a server where the last one listened, so that clients that were connected to it find it again. */
async function launch(
  files: DevServerFiles,
  previous: DevServerRecord | undefined,
  options: DevServerOptions,
): Promise<DevServerRecord | 'held' | 'failed'> {
  const log = options.log ?? (() => undefined);
  const executable = options.executable ?? (await findTemporalCli({ cacheDirectory: options.cacheDirectory, log }));
  const port = await freePort(previous === undefined ? usualPorts(files) : [previous.port, ...usualPorts(files)]);
  const uiPort = options.ui === true ? await freePort([port + 10_000]) : undefined;
  const serverArguments = devServerArguments({
    // Its folder is the server's current one, so that no character of the path can mean something to SQLite.
    databaseFile: basename(files.databaseFile),
    port,
    uiPort,
    namespace: options.namespace ?? 'default',
    sync: options.sync ?? 'normal',
  });
  const child = launchDevServer(files, { executable, serverArguments, port, uiPort });
  const exited = new Promise<void>((resolve) => {
    child.once('error', () => resolve());
    child.once('exit', () => resolve());
  });
  const deadline = Date.now() + ANSWER_TIME;
  while (isRunning(child) && Date.now() < deadline) {
    const record = readRecord(files);
    if (record !== undefined && record.process.pid === child.pid && (await accepts(port)) && isRunning(child)) {
      return record;
    }
    await Promise.race([exited, delay(POLL)]);
  }
  if (!isRunning(child)) return child.exitCode === LOCK_IS_HELD ? 'held' : 'failed';
  child.kill('SIGKILL');
  await exited;
  return 'failed';
}

function isRunning(child: ChildProcess): boolean {
  return child.pid !== undefined && child.exitCode === null && child.signalCode === null;
}

/** A running server that may still be starting: waits until it accepts connections. */
async function answering(files: DevServerFiles, record: DevServerRecord): Promise<DevServerRecord> {
  const deadline = Date.now() + ANSWER_TIME;
  while (isAlive(record.process)) {
    if (await accepts(record.port)) return record;
    if (Date.now() > deadline) throw stuck(files);
    await delay(POLL);
  }
  throw notStarting(files);
}

/** Watches the server and starts it again when it ended without having been told to. */
function keepRunning(files: DevServerFiles, first: DevServerRecord, options: DevServerOptions): () => Promise<void> {
  const log = options.log ?? (() => undefined);
  let restart: Promise<void> | undefined;
  const restartOnPort = async (port: number): Promise<void> => {
    try {
      const { record } = await ensureRunning(files, options);
      if (record.port !== port) log(`Temporal's port ${port} was taken meanwhile: run the same command again.`);
    } catch (error) {
      log(error instanceof Error ? error.message : String(error));
    }
  };
  const look = (): void => {
    const record = readRecord(files) ?? first;
    if (restart !== undefined || record.ending === true || isAlive(record.process)) return;
    log('The Temporal server has ended unexpectedly; starting it again on the same database.');
    restart = restartOnPort(first.port).finally(() => (restart = undefined));
  };
  const timer = setInterval(look, 500);
  timer.unref();
  return async () => {
    clearInterval(timer);
    await restart;
  };
}

/**
 * Announce, look for users, then stop: whoever comes registers before looking for an announcement, so at least
 * one of the two sees the other, and nobody gets a server that is about to end.
 */
async function stopUnlessUsed(
  files: DevServerFiles,
  { force, wait }: { readonly force: boolean; readonly wait: boolean },
): Promise<{ stopped: boolean; users: readonly number[] }> {
  const withdraw = register(files.stoppers);
  try {
    const users = livingProcesses(files.users).map(({ pid }) => pid);
    const record = readRecord(files);
    if (record === undefined || !isAlive(record.process)) return { stopped: false, users };
    if (users.length > 0 && !force) return { stopped: false, users };
    markEnding(files, record);
    signal(record.process, 'SIGTERM');
    if (wait) await end(record.process, END_TIME);
    return { stopped: true, users };
  } finally {
    withdraw();
  }
}

/** Sees a server that was told to end through to its end. */
async function end(server: ProcessIdentity, patience: number): Promise<void> {
  signal(server, 'SIGTERM');
  const deadline = Date.now() + patience;
  while (isAlive(server)) {
    if (Date.now() > deadline) signal(server, 'SIGKILL');
    await delay(POLL);
  }
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connectSocket({ port, host: LOOPBACK, timeout: 1000 });
    const settle = (answer: boolean): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.once('connect', () => settle(true));
    socket.once('error', () => settle(false));
    socket.once('timeout', () => settle(false));
  });
}

/** Ports of its own for each database file, below the range of outgoing connections. */
function usualPorts(files: DevServerFiles): readonly number[] {
  const first = createHash('sha256').update(files.databaseFile).digest().readUInt16BE(0) % 9000;
  return Array.from({ length: 10 }, (_, index) => 14_000 + first + index);
}

function uiAddressOf(record: DevServerRecord): string | undefined {
  return record.uiPort === null ? undefined : `http://${LOOPBACK}:${record.uiPort}`;
}

function notStarting(files: DevServerFiles): TemporalSetupError {
  return new TemporalSetupError(
    `The embedded Temporal server does not start. Its log is ${files.log}; its last lines:\n${logTail(files)}`,
  );
}

function stuck(files: DevServerFiles): TemporalSetupError {
  const pid = readRecord(files)?.process.pid;
  return new TemporalSetupError(
    `A Temporal server${pid === undefined ? '' : ` (pid ${pid})`} holds ${files.databaseFile} but does not answer. ` +
      `End it (rlm down --force, or kill the process) and try again, or give --address of another server. ` +
      `Its log is ${files.log}.`,
  );
}
