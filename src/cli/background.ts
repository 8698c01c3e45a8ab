import { spawn, type ChildProcess } from 'node:child_process';
import { createHash } from 'node:crypto';
import { closeSync, existsSync, openSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { lockOf, withLock } from '../files/lock.ts';
import { makePrivateFolder } from '../files/private-folder.ts';
import { writeAtomicallySync } from '../files/write-atomically.ts';
import { isAlive, ownIdentity, signal, type ProcessIdentity } from '../temporal/process-identity.ts';
import type { TemporalOptions } from './options.ts';
import { CommandError } from './report-error.ts';
import type { Session } from './session.ts';

/** A server and worker in the background: one for each Temporal server, namespace and task queue. */
export interface Background {
  readonly process: ProcessIdentity;
  /** Its worker polls. */
  readonly ready: boolean;
  readonly log: string;
  /** What it works for, in words. */
  readonly serves: string;
}

/** Milliseconds in which it must be ready; a first one may have to install Temporal. */
const START_TIME = 300_000;
/** Milliseconds in which it must have ended after it was told to. */
const END_TIME = 20_000;
const POLL = 50;

/** The background worker of this session's server, started when there is none. */
export async function ensureBackground(
  session: Session,
  options: TemporalOptions,
  log: (line: string) => void,
): Promise<Background> {
  const files = backgroundFiles(session, options);
  return withLock(lockOf(files.record), async () => {
    const running = readBackground(files.record);
    if (running !== undefined && isAlive(running.process)) return running;
    log('Starting a worker in the background.');
    const child = spawnUp(session, options, files.log);
    return untilReady(child, files);
  });
}

/** The background worker of this session's server, where there is one. */
export function findBackground(session: Session, options: TemporalOptions): Background | undefined {
  const background = readBackground(backgroundFiles(session, options).record);
  return background !== undefined && isAlive(background.process) ? background : undefined;
}

/** Called by the background process itself: others find it by this. */
export function announceBackground(session: Session, options: TemporalOptions): { ready(): void; withdraw(): void } {
  const files = backgroundFiles(session, options);
  const write = (ready: boolean): void => {
    const background: Background = { process: ownIdentity(), ready, log: files.log, serves: files.serves };
    writeAtomicallySync(files.record, JSON.stringify(background), { synced: false });
  };
  write(false);
  return {
    ready: () => write(true),
    withdraw: () => rmSync(files.record, { force: true }),
  };
}

/** Every background process of this user that runs. */
export function listBackgrounds(stateDirectory: string): Background[] {
  const folder = join(stateDirectory, 'background');
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((name) => name.endsWith('.json'))
    .flatMap((name) => {
      const background = readBackground(join(folder, name));
      return background !== undefined && isAlive(background.process) ? [background] : [];
    });
}

/** Ends it; its runs sleep until another worker takes them up. @returns false when it had to be killed */
export async function stopBackground({ process: identity }: Background): Promise<boolean> {
  signal(identity, 'SIGTERM');
  const deadline = Date.now() + END_TIME;
  while (isAlive(identity)) {
    if (Date.now() > deadline) {
      signal(identity, 'SIGKILL');
      return false;
    }
    await delay(POLL);
  }
  return true;
}

function backgroundFolder(stateDirectory: string): string {
  const folder = join(stateDirectory, 'background');
  makePrivateFolder(folder);
  return folder;
}

function backgroundFiles(
  session: Session,
  { address, namespace, profile }: TemporalOptions,
): { record: string; log: string; serves: string } {
  const { temporal } = session.config;
  const server = address ?? session.env['TEMPORAL_ADDRESS'] ?? temporal.address ?? 'the embedded server';
  const where = [
    server,
    profile,
    namespace ?? session.env['TEMPORAL_NAMESPACE'] ?? temporal.namespace,
    session.taskQueue,
  ];
  const key = createHash('sha256').update(JSON.stringify(where)).digest('hex').slice(0, 12);
  const folder = backgroundFolder(session.stateDirectory);
  const serves = `task queue ${session.taskQueue} on ${server}`;
  return { record: join(folder, `${key}.json`), log: join(folder, `${key}.log`), serves };
}

function spawnUp(session: Session, options: TemporalOptions, logFile: string): ChildProcess {
  const main = fileURLToPath(new URL(import.meta.url.endsWith('.ts') ? './main.ts' : './main.js', import.meta.url));
  const { address, namespace, profile, config } = options;
  const given = Object.entries({ address, namespace, profile, config }).flatMap(([name, value]) =>
    value === undefined ? [] : [`--${name}`, value],
  );
  const log = openSync(logFile, 'a', 0o600);
  try {
    const child = spawn(process.execPath, [main, 'up', '--in-background', ...given], {
      cwd: session.cwd,
      detached: true,
      stdio: ['ignore', log, log],
    });
    child.unref();
    return child;
  } finally {
    closeSync(log);
  }
}

async function untilReady(child: ChildProcess, files: { record: string; log: string }): Promise<Background> {
  const deadline = Date.now() + START_TIME;
  while (child.exitCode === null && child.signalCode === null && Date.now() < deadline) {
    const background = readBackground(files.record);
    if (background?.ready === true && background.process.pid === child.pid) return background;
    await delay(POLL);
  }
  throw new CommandError(
    `The worker in the background did not start. The end of its log (${files.log}):\n${tail(files.log)}`,
  );
}

function readBackground(file: string): Background | undefined {
  try {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- written by `announceBackground`
    return JSON.parse(readFileSync(file, 'utf8')) as Background;
  } catch {
    return undefined;
  }
}

function tail(file: string): string {
  try {
    return readFileSync(file, 'utf8').trimEnd().split('\n').slice(-10).join('\n');
  } catch {
    return '';
  }
}
