import type { ChildProcess } from 'node:child_process';
import { createHash } from 'node:crypto';
import { connect as connectSocket } from 'node:net';
import { basename } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type DevServerSettings, devServerArguments, DYNAMIC_CONFIG, LOOPBACK } from './dev-server-arguments.ts';
import { type DevServerFiles, type DevServerRecord, readRecord } from './dev-server-files.ts';
import { freePort, launchDevServer, LOCK_IS_HELD } from './dev-server-launcher.ts';
import { isAlive, type ProcessIdentity, signal } from './process-identity.ts';

/** Milliseconds in which a server must answer after its start, and a running one at all. */
export const ANSWER_TIME = 20_000;
/** Milliseconds between two looks. */
export const POLL = 10;

export interface Start extends Pick<DevServerSettings, 'namespace' | 'sync'> {
  readonly executable: string;
  readonly ui: boolean;
  /** Beside those of every embedded server. */
  readonly dynamicConfig: Readonly<Record<string, string>>;
}

/**
 * Starts a server where the last one listened, so that clients that were connected to it find it again.
 *
 * @returns `held` when another server has the database file, `failed` when this one ended or did not answer.
 */
export async function startServer(
  files: DevServerFiles,
  previous: DevServerRecord | undefined,
  { executable, ui, namespace, sync, dynamicConfig }: Start,
): Promise<DevServerRecord | 'held' | 'failed'> {
  const port = await freePort(previous === undefined ? usualPorts(files) : [previous.port, ...usualPorts(files)]);
  const uiPort = ui ? await freePort([port + 10_000]) : undefined;
  // The folder of the database is the server's current one: no character of the path can mean something to SQLite.
  const databaseFile = basename(files.databaseFile);
  const serverArguments = devServerArguments(
    { databaseFile, port, uiPort, namespace, sync },
    { ...DYNAMIC_CONFIG, ...dynamicConfig },
  );
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

/** Waits until a running server, which may still be starting, accepts connections. */
export async function untilItAnswers({
  process: server,
  port,
}: DevServerRecord): Promise<'answers' | 'ended' | 'silent'> {
  const deadline = Date.now() + ANSWER_TIME;
  while (isAlive(server)) {
    if (await accepts(port)) return 'answers';
    if (Date.now() > deadline) return 'silent';
    await delay(POLL);
  }
  return 'ended';
}

/** Sees a server through to its end: asks it, and kills it after `patience` milliseconds; its database survives that. */
export async function endServer(server: ProcessIdentity, patience: number): Promise<void> {
  signal(server, 'SIGTERM');
  const deadline = Date.now() + patience;
  while (isAlive(server)) {
    if (Date.now() > deadline) signal(server, 'SIGKILL');
    await delay(POLL);
  }
}

function isRunning(child: ChildProcess): boolean {
  return child.pid !== undefined && child.exitCode === null && child.signalCode === null;
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
