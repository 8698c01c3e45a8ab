import type { ChildProcess } from 'node:child_process';
import { connect as connectSocket } from 'node:net';
import { basename } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type DevServerSettings, devServerArguments, DYNAMIC_CONFIG } from './dev-server-arguments.ts';
import { type DevServerFiles, type DevServerRecord, readRecord } from './dev-server-files.ts';
import { launchDevServer, LOCK_IS_HELD, NO_NAMESPACE, SERVER_ENVIRONMENT } from './dev-server-launcher.ts';
import { prepareSockets } from './dev-server-sockets.ts';
import { isAlive, type ProcessIdentity, signal } from './process-identity.ts';

/** Milliseconds in which a server must answer after its start, and a running one at all. */
export const ANSWER_TIME = 20_000;
/** Milliseconds between two looks. */
export const POLL = 10;

export interface Start extends Pick<DevServerSettings, 'namespace' | 'sync'> {
  readonly executable: string;
  /** Beside those of every embedded server. */
  readonly dynamicConfig: Readonly<Record<string, string>>;
}

/**
 * Starts a server. Its sockets are always at the same place, so clients that were connected to the last one find it.
 *
 * @returns `held` when another server has the database file, `refused` where no network namespace can be made, `failed`
 *   when this one ended or did not answer.
 */
export async function startServer(
  files: DevServerFiles,
  { executable, namespace, sync, dynamicConfig }: Start,
): Promise<DevServerRecord | 'held' | 'refused' | 'failed'> {
  // The folder of the database is the server's current one: no character of the path can mean something to SQLite.
  const databaseFile = basename(files.databaseFile);
  const serverArguments = devServerArguments(
    { databaseFile, namespace, sync },
    { ...DYNAMIC_CONFIG, ...dynamicConfig },
  );
  const child = launchDevServer(files, {
    executable,
    serverArguments,
    sockets: prepareSockets(files),
    environment: SERVER_ENVIRONMENT,
  });
  const exited = new Promise<void>((resolve) => {
    child.once('error', () => resolve());
    child.once('exit', () => resolve());
  });
  const deadline = Date.now() + ANSWER_TIME;
  while (isRunning(child) && Date.now() < deadline) {
    const record = readRecord(files);
    if (record !== undefined && record.process.pid === child.pid && (await accepts(record)) && isRunning(child)) {
      return record;
    }
    await Promise.race([exited, delay(POLL)]);
  }
  if (!isRunning(child)) {
    if (child.exitCode === LOCK_IS_HELD) return 'held';
    return child.exitCode === NO_NAMESPACE ? 'refused' : 'failed';
  }
  child.kill('SIGKILL');
  await exited;
  return 'failed';
}

/** Waits until a running server, which may still be starting, accepts connections. */
export async function untilItAnswers(record: DevServerRecord): Promise<'answers' | 'ended' | 'silent'> {
  const deadline = Date.now() + ANSWER_TIME;
  while (isAlive(record.process)) {
    if (await accepts(record)) return 'answers';
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

/** The relay listens once the server does. */
function accepts({ socket: path }: DevServerRecord): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connectSocket({ path, timeout: 1000 });
    const settle = (answer: boolean): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.once('connect', () => settle(true));
    socket.once('error', () => settle(false));
    socket.once('timeout', () => settle(false));
  });
}
