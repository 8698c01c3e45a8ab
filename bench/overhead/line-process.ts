import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';

/** Milliseconds for one answer. */
const ANSWER_TIME = 300_000;

/** A process that answers each line of its standard input with one of its standard output. */
export interface LineProcess {
  readonly pid: number;
  /** @throws Error when it ends, or does not answer within five minutes */
  ask(line: string): Promise<string>;
  end(): Promise<void>;
}

export interface LineProcessOptions {
  readonly command: readonly [program: string, ...parameters: string[]];
  readonly env: NodeJS.ProcessEnv;
  readonly cwd: string;
  /** Where it complains. Default `ignore`: what it has to say shows in its answers. */
  readonly stderr?: 'inherit' | 'ignore';
}

export function startLineProcess(options: LineProcessOptions): LineProcess {
  const { env, cwd, stderr = 'ignore' } = options;
  const [program, ...parameters] = options.command;
  const child: ChildProcessByStdio<Writable, Readable, null> = spawn(program, parameters, {
    env,
    cwd,
    stdio: ['pipe', 'pipe', stderr],
  });
  process.once('exit', () => child.kill('SIGKILL'));
  const exited = new Promise<void>((resolve) => child.once('close', () => resolve()));
  const lines = createInterface({ input: child.stdout });
  return {
    pid: child.pid ?? 0,
    ask: (line) =>
      new Promise((resolve, reject) => {
        const timer = setTimeout(() => reject(new Error('it did not answer in time')), ANSWER_TIME);
        lines.once('line', (answer) => {
          clearTimeout(timer);
          resolve(answer);
        });
        void exited.then(() => {
          clearTimeout(timer);
          reject(new Error('it ended'));
        });
        child.stdin.write(`${line}\n`);
      }),
    async end() {
      child.kill('SIGKILL');
      await exited;
    },
  };
}
