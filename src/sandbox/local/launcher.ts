import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { createInterface } from 'node:readline';

/** What the launcher's child makes of itself; python/rlm_launcher/child.py describes each field. */
export interface LaunchSpec {
  readonly bwrap: string | null;
  readonly uid: number | null;
  readonly folder: string | null;
  readonly read_only: readonly (readonly [string, string])[];
  readonly writable: readonly (readonly [string, string])[];
  readonly symlinks: readonly (readonly [string, string])[];
  readonly workspace:
    | {
        readonly kind: 'overlay' | 'copy';
        readonly lower: string;
        readonly folders?: readonly (readonly [name: string, inside: string])[];
      }
    | { readonly kind: 'empty' }
    | { readonly kind: 'bind'; readonly path: string };
  readonly inside: string;
  readonly disk_mb: number;
  readonly memory_mb: number;
  readonly processes: number;
  /** Of its control group, where groups can be made; `memory_mb` is for all that it holds, its files in memory too. */
  readonly group: { readonly name: string; readonly memory_mb: number } | null;
  readonly environment: Readonly<Record<string, string>>;
  readonly argv: readonly string[];
}

export interface Started {
  /** The sandbox's first process, and the leader of the group it was started in. */
  readonly pid: number;
  readonly launch: number;
  /** When it ends while this launcher lives. Never rejects. */
  readonly exited: Promise<Exit>;
}

export interface Exit {
  readonly code: number;
  readonly stderr: string;
  readonly stdout: string;
  /** Whether it had a control group. */
  readonly grouped: boolean;
}

interface Pending {
  started(pid: number, launch: number): void;
  exited(exit: Exit): void;
  lost(error: Error): void;
}

type LauncherEvent =
  | { key: number; event: 'started'; pid: number; launch: number }
  | ({ key: number; event: 'exited' } & Exit);

const FOLDER = fileURLToPath(new URL('../../../python/rlm_launcher', import.meta.url));

/**
 * The one Python process of a worker that starts its sandboxes: forking a small process takes a millisecond, while
 * Node's own spawn blocks its event loop for tens of them. It is started when first needed, again when it was lost,
 * and ends with the worker; sandboxes live on.
 */
export class Launcher {
  readonly #python: string;
  readonly #pending = new Map<number, Pending>();
  #process: ChildProcess | undefined;
  #nextKey = 1;
  /** Requests without an answer. */
  #waiting = 0;

  constructor(python: string) {
    this.#python = python;
  }

  /** @throws Error with bubblewrap's words when it ends before it has begun. */
  start(spec: LaunchSpec): Promise<Started> {
    return new Promise((resolve, reject) => {
      const exited = Promise.withResolvers<Exit>();
      let begun = false;
      this.#send('start', spec, {
        started: (pid, launch) => {
          begun = true;
          resolve({ pid, launch, exited: exited.promise });
        },
        exited: (exit) => {
          if (begun) exited.resolve(exit);
          else reject(new Error(exit.stderr.trim() || `it ended with exit code ${exit.code}`));
        },
        // What has begun lives on, and its end is not reported.
        lost: (error) => begun || reject(error),
      });
    });
  }

  /** Runs a command to its end. `kill` it when it takes longer than `timeoutMs`. */
  job(spec: LaunchSpec, timeoutMs: number, signal?: AbortSignal): Promise<Exit> {
    return new Promise((resolve, reject) => {
      const key = this.#send('job', spec, {
        started: () => undefined,
        exited: (exit) => {
          clearTimeout(timer);
          signal?.removeEventListener('abort', kill);
          resolve(exit);
        },
        lost: (error) => {
          clearTimeout(timer);
          reject(error);
        },
      });
      const kill = (): void => this.#write({ key, op: 'kill' });
      const timer = setTimeout(kill, timeoutMs);
      signal?.addEventListener('abort', kill, { once: true });
    });
  }

  /** Ends the launcher; what it started lives on. */
  async close(): Promise<void> {
    const child = this.#process;
    if (child === undefined) return;
    this.#process = undefined;
    const ended = child.exitCode === null && child.signalCode === null ? once(child, 'exit') : undefined;
    child.ref();
    child.stdin?.end();
    await ended;
  }

  /** Of the launcher itself; for tests that end it. */
  get pid(): number | undefined {
    return this.#process?.pid;
  }

  #send(op: 'start' | 'job', spec: LaunchSpec, pending: Pending): number {
    const key = this.#nextKey;
    this.#nextKey += 1;
    this.#pending.set(key, this.#counted(pending));
    this.#running();
    this.#write({ key, op, spec });
    this.#hold();
    return key;
  }

  #counted(pending: Pending): Pending {
    this.#waiting += 1;
    let answered = false;
    const answer = (): void => {
      if (answered) return;
      answered = true;
      this.#waiting -= 1;
      this.#hold();
    };
    return {
      started: (pid, launch) => {
        answer();
        pending.started(pid, launch);
      },
      exited: (exit) => {
        answer();
        pending.exited(exit);
      },
      lost: (error) => {
        answer();
        pending.lost(error);
      },
    };
  }

  #write(request: object): void {
    this.#process?.stdin?.write(`${JSON.stringify(request)}\n`);
  }

  #running(): void {
    if (this.#process !== undefined) return;
    const child = spawn(this.#python, ['-I', '-S', '-B', FOLDER], {
      cwd: '/',
      env: {},
      stdio: ['pipe', 'pipe', 'pipe'],
      // Not in the terminal's process group: Ctrl-C is for the worker.
      detached: true,
    });
    this.#process = child;
    let complaint = '';
    child.stderr.on('data', (chunk: Buffer) => (complaint = (complaint + chunk.toString()).slice(-4096)));
    child.stdin.on('error', () => undefined);
    const lines = createInterface({ input: child.stdout });
    lines.on('line', (line) => {
      const event: unknown = JSON.parse(line);
      if (isEvent(event)) this.#receive(event);
    });
    let over = false;
    const ended = (why: string): void => {
      if (over) return;
      over = true;
      if (this.#process === child) this.#process = undefined;
      const lost = new Error(`the launcher of sandboxes has ended: ${why}`);
      const pending = [...this.#pending.values()];
      this.#pending.clear();
      for (const entry of pending) entry.lost(lost);
    };
    child.once('error', (error) => ended(error.message));
    child.once('close', (code, signal) => ended(complaint.trim() || `exit ${code ?? signal}`));
  }

  #receive(event: LauncherEvent): void {
    const pending = this.#pending.get(event.key);
    if (event.event === 'started') {
      pending?.started(event.pid, event.launch);
    } else {
      this.#pending.delete(event.key);
      const { code, stderr, stdout, grouped } = event;
      pending?.exited({ code, stderr, stdout, grouped });
    }
  }

  /** Only a launcher that is asked for something keeps Node's process from ending. */
  #hold(): void {
    const child = this.#process;
    if (child === undefined) return;
    const waiting = this.#waiting > 0;
    for (const held of [child, child.stdin, child.stdout, child.stderr]) {
      if (!isHoldable(held)) continue;
      if (waiting) held.ref();
      else held.unref();
    }
  }
}

/** Its pipes are sockets, which their types do not say. */
function isHoldable(value: object | null): value is { ref(): void; unref(): void } {
  return value !== null && 'ref' in value && 'unref' in value;
}

function isEvent(value: unknown): value is LauncherEvent {
  return typeof value === 'object' && value !== null && 'key' in value && 'event' in value;
}
