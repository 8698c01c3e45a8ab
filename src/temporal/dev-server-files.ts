import { randomUUID } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, realpathSync, renameSync, rmSync, statSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { makePrivateFolder } from '../files/private-folder.ts';
import { writeAtomicallySync } from '../files/write-atomically.ts';
import { TemporalSetupError } from './errors.ts';
import { isAlive, ownIdentity, type ProcessIdentity } from './process-identity.ts';

/** Everything a server's users share, in a folder beside its database file. */
export interface DevServerFiles {
  readonly databaseFile: string;
  readonly folder: string;
  /** Held by the server for its whole life, as a lock of the kernel's. */
  readonly lock: string;
  readonly record: string;
  /** Present while the database is created for the first time: a half-created one is empty and is created again. */
  readonly making: string;
  readonly log: string;
  /** One file for each process that uses the server. */
  readonly users: string;
  /** One file for each process that considers to stop it. */
  readonly stoppers: string;
}

/** Where the server of a database file is; written by python/rlm_server before it starts the server. */
export interface DevServerRecord {
  /** The relay's, which lives as long as the server. */
  readonly process: ProcessIdentity;
  /** Unix sockets that lead to the frontend and to the web interface. */
  readonly socket: string;
  readonly uiSocket: string;
  readonly executable: string;
  /** It is being stopped: no process may start to use it. */
  readonly ending?: boolean;
}

/**
 * The same folder for every way to write the path of the same database file. Makes nothing.
 *
 * @throws TemporalSetupError when SQLite would take the name for another.
 */
export function devServerFiles(databaseFile: string): DevServerFiles {
  const file = realPath(resolve(databaseFile));
  if (/[?#%]/.test(basename(file))) {
    throw new TemporalSetupError(`The name of a database file must not hold ?, # or %: ${file}. Choose another.`);
  }
  const folder = `${file}.server`;
  return {
    databaseFile: file,
    folder,
    lock: join(folder, 'lock'),
    record: join(folder, 'server.json'),
    making: join(folder, 'making'),
    log: join(folder, 'server.log'),
    users: join(folder, 'users'),
    stoppers: join(folder, 'stoppers'),
  };
}

export function readRecord(files: DevServerFiles): DevServerRecord | undefined {
  const value = readJson(files.record);
  return isServerRecord(value) ? value : undefined;
}

/** Marks a server as ending. Only a process that is the sole stopper or user may write here. */
export function markEnding(files: DevServerFiles, record: DevServerRecord): void {
  unlessFull(() => writeAtomicallySync(files.record, JSON.stringify({ ...record, ending: true }), UNSYNCED));
}

/**
 * Announces that this process considers to stop the server. Where the disk is full it goes unannounced: a server must
 * be stoppable all the same.
 */
export function announceStop(files: DevServerFiles): () => void {
  return unlessFull(() => register(files.stoppers)) ?? (() => undefined);
}

/** Undefined where nothing can be written. @throws whatever else goes wrong */
function unlessFull<T>(write: () => T): T | undefined {
  try {
    return write();
  } catch (error) {
    if (error instanceof Error && 'code' in error && FULL.has(String(error.code))) return undefined;
    throw error;
  }
}

/** No space, no quota left, or mounted to be read only, of which Node's recursive mkdir says ENOENT. */
const FULL = new Set(['ENOSPC', 'EDQUOT', 'EROFS', 'ENOENT']);

/** Registers this process in a folder of users or stoppers; the answer takes it out again. */
export function register(folder: string): () => void {
  const identity = ownIdentity();
  makePrivateFolder(folder);
  const file = join(folder, `${identity.pid}-${randomUUID()}.json`);
  writeAtomicallySync(file, JSON.stringify(identity), UNSYNCED);
  return () => rmSync(file, { force: true });
}

/** The processes registered in a folder that still run; what dead ones left is removed. */
export function livingProcesses(folder: string): readonly ProcessIdentity[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((name) => name.endsWith('.json'))
    .flatMap((name) => {
      const file = join(folder, name);
      const identity = readJson(file);
      if (isIdentity(identity) && isAlive(identity)) return [identity];
      unlessFull(() => rmSync(file, { force: true }));
      return [];
    });
}

/** The last lines of the server's log, for error messages. */
export function logTail(files: DevServerFiles, lines = 15): string {
  try {
    return readFileSync(files.log, 'utf8').trimEnd().split('\n').slice(-lines).join('\n');
  } catch {
    return '';
  }
}

/** Bytes after which a log is rotated; one old log is kept. */
const LOG_LIMIT = 5_000_000;

export function rotateLog(files: DevServerFiles): void {
  const size = statSync(files.log, { throwIfNoEntry: false })?.size ?? 0;
  if (size > LOG_LIMIT) renameSync(files.log, `${files.log}.1`);
}

/** Without symbolic links, also where the end of the path does not exist yet. */
function realPath(file: string): string {
  if (existsSync(file) || dirname(file) === file) return realpathSync(file);
  return join(realPath(dirname(file)), basename(file));
}

/** Records of processes: after a restart of the machine they mean nothing. */
const UNSYNCED = { synced: false } as const;

function readJson(file: string): unknown {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return undefined;
  }
}

function isIdentity(value: unknown): value is ProcessIdentity {
  if (typeof value !== 'object' || value === null) return false;
  const { pid, startTime, bootId } = value as Partial<ProcessIdentity>;
  return Number.isInteger(pid) && typeof startTime === 'string' && typeof bootId === 'string';
}

function isServerRecord(value: unknown): value is DevServerRecord {
  if (typeof value !== 'object' || value === null) return false;
  const record = value as Partial<DevServerRecord>;
  return isIdentity(record.process) && typeof record.socket === 'string' && typeof record.uiSocket === 'string';
}
