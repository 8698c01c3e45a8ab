import { createHash } from 'node:crypto';
import { readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { TypedError } from './domain/failures.ts';
import { makePrivateFolder } from './files/private-folder.ts';
import { identify, isAlive } from './sandbox/host/processes.ts';

/** Workers that one block may end before it is not handed to another. */
const MAX_DEATHS = 2;
const FORGOTTEN_AFTER_MS = 7 * 24 * 60 * 60_000;

/** Remembers on this host which work a worker was at when its process ended, so that no run ends one worker after another. */
export interface WorkerDeaths {
  /** @throws TypedError `Run.EndsWorkers` where two workers have ended while they were at it */
  watch(work: string): WatchedWork;
}

export interface WatchedWork {
  /** From here on an end of this process counts against the work. */
  enter(): void;
  leave(): void;
}

/** @param stateDirectory shared by all workers of this user on this host */
export function createWorkerDeaths(stateDirectory: string): WorkerDeaths {
  const folder = join(stateDirectory, 'worker-deaths');
  const self = identify(process.pid);

  return {
    watch(work) {
      const name = createHash('sha256').update(work).digest('hex').slice(0, 32);
      const deaths = list(folder).filter((entry) => entry.startsWith(`${name}.`) && !isOfLivingProcess(entry));
      if (deaths.length >= MAX_DEATHS) {
        throw new TypedError(
          'Run.EndsWorkers',
          `What this code handed over ended the worker that read it ${deaths.length} times, so no other worker is given it.`,
        );
      }
      const mark = join(folder, `${name}.${self?.pid ?? process.pid}-${self?.start ?? 0}`);
      return {
        enter() {
          makePrivateFolder(folder);
          removeOld(folder);
          // Without syncing: what ends a process leaves the system and what was written to it.
          writeFileSync(mark, '');
        },
        leave: () => rmSync(mark, { force: true }),
      };
    },
  };
}

function isOfLivingProcess(entry: string): boolean {
  const [, pid, start] = /\.(\d+)-(\d+)$/.exec(entry) ?? [];
  return pid === undefined || isAlive({ pid: Number(pid), start: Number(start) });
}

function removeOld(folder: string): void {
  for (const entry of list(folder)) {
    const path = join(folder, entry);
    const { mtimeMs } = statSync(path, { throwIfNoEntry: false }) ?? { mtimeMs: Date.now() };
    if (mtimeMs < Date.now() - FORGOTTEN_AFTER_MS) rmSync(path, { force: true });
  }
}

function list(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
