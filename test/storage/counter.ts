import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { StoreLocation } from './store-location.ts';

const PROGRAM = fileURLToPath(new URL('increment-main.ts', import.meta.url));

/** A process that counts up a reference. */
export interface Counter {
  /** What it was told it had written. */
  readonly values: readonly number[];
  /** When it has written so many. @throws Error when it ends before */
  reached(count: number): Promise<void>;
  stop(): void;
  continue(): void;
  /** Ends it without a farewell. */
  kill(): Promise<void>;
  /** When it has ended by itself. @throws Error when it failed */
  done(): Promise<void>;
  ended(): boolean;
}

export function startCounter(location: StoreLocation, name: string, increments: number): Counter {
  const values: number[] = [];
  const waiting = new Set<() => void>();
  const child = spawn(
    process.execPath,
    ['--no-warnings', PROGRAM, JSON.stringify(location), name, String(increments)],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  const closed = new Promise<void>((resolve) => child.once('close', () => resolve()));
  const ended = (): boolean => child.exitCode !== null || child.signalCode !== null;
  const wake = (): void => {
    for (const check of waiting) check();
  };
  createInterface(child.stdout).on('line', (line) => {
    values.push(Number(line));
    wake();
  });
  child.once('close', wake);
  return {
    values,
    reached: (count) =>
      new Promise((resolve, reject) => {
        const check = (): void => {
          if (values.length < count && !ended()) return;
          waiting.delete(check);
          if (values.length >= count) resolve();
          else reject(new Error(`the counter ended after ${values.length} of ${count}`));
        };
        waiting.add(check);
        check();
      }),
    stop: () => void child.kill('SIGSTOP'),
    continue: () => void child.kill('SIGCONT'),
    async kill() {
      child.kill('SIGKILL');
      await closed;
    },
    async done() {
      await closed;
      if (child.exitCode !== 0) throw new Error(`the counter ended with ${child.exitCode ?? child.signalCode}`);
    },
    ended,
  };
}
