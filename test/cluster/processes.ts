import { spawn } from 'node:child_process';
import { openSync, closeSync, readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { killGroup } from '../kill-group.ts';

/** A program in the background, in a process group of its own, whose output goes to a file. */
export interface Program {
  readonly pid: number;
  readonly log: string;
  /** Resolves with its exit code; null when it was killed. */
  readonly ended: Promise<number | null>;
  isRunning(): boolean;
  /** Signals the whole group and waits until the program is gone. */
  end(signal?: 'SIGTERM' | 'SIGKILL' | 'SIGINT'): Promise<void>;
}

export interface ProgramOptions {
  readonly command: readonly [string, ...string[]];
  readonly env: NodeJS.ProcessEnv;
  readonly log: string;
  readonly cwd?: string;
  /** Whom to run as; only root may say. */
  readonly user?: { readonly uid: number; readonly gid: number };
}

export function startProgram({ command: [file, ...args], env, log, cwd, user }: ProgramOptions): Program {
  const output = openSync(log, 'a');
  const child = spawn(file, args, {
    env,
    detached: true,
    stdio: ['ignore', output, output],
    ...(cwd === undefined ? {} : { cwd }),
    ...user,
  });
  closeSync(output);
  const ended = new Promise<number | null>((resolve) => {
    child.once('error', () => resolve(127));
    child.once('exit', (code) => resolve(code));
  });
  let running = true;
  void ended.then(() => {
    running = false;
  });
  return {
    pid: child.pid ?? 0,
    log,
    ended,
    isRunning: () => running,
    async end(signal = 'SIGTERM') {
      if (!running) return;
      killGroup(child, signal);
      const patience = setTimeout(() => running && killGroup(child), 30_000);
      await ended;
      clearTimeout(patience);
    },
  };
}

/** Runs to its end. @throws with the end of its output when it fails */
export async function runProgram(options: ProgramOptions): Promise<void> {
  const code = await startProgram(options).ended;
  if (code === 0) return;
  throw new Error(`${options.command.join(' ')} ended with ${code}:\n${tail(options.log)}`);
}

/** Looks again until it is so. @throws when the program has ended, or after a minute */
export async function untilReady(program: Program, what: string, ready: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 60_000;
  while (!(await ready().catch(() => false))) {
    if (!program.isRunning()) throw new Error(`${what} ended:\n${tail(program.log)}`);
    if (Date.now() > deadline) throw new Error(`${what} is not ready after a minute:\n${tail(program.log)}`);
    await delay(50);
  }
}

export function tail(file: string, lines = 15): string {
  return readFileSync(file, 'utf8').trimEnd().split('\n').slice(-lines).join('\n');
}
