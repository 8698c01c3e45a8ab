import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import type { Readable, Writable } from 'node:stream';
import { deserializeMessage, serializeMessage } from '@modelcontextprotocol/sdk/shared/stdio.js';
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js';
import type { JSONRPCMessage } from '@modelcontextprotocol/sdk/types.js';

export interface ServerProcess {
  readonly command: string;
  readonly args: readonly string[];
  /** The whole environment. */
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
}

/** Bytes of one message: a result of 64 MB, escaped. */
const MAX_LINE_BYTES = 256 * 1024 * 1024;
const STDERR_KEPT = 4000;
/** Milliseconds that a server has to end after its input is closed, and again after SIGTERM. */
const GRACE = 1000;

/**
 * MCP over the standard streams of a process. The SDK's own ends only the process it started, which may be `npx` or a
 * shell; adds variables to the environment; and takes quadratic time for long messages.
 */
export class ProcessTransport implements Transport {
  onclose?: () => void;
  onerror?: (error: Error) => void;
  onmessage?: (message: JSONRPCMessage) => void;
  readonly #server: ServerProcess;
  #process: ChildProcessByStdio<Writable, Readable, Readable> | undefined;
  #parts: Buffer[] = [];
  #length = 0;
  #stderr = '';
  #isClosed = false;

  constructor(server: ServerProcess) {
    this.#server = server;
  }

  /** The end of what the server wrote to its standard error. */
  get stderr(): string {
    return this.#stderr.trim();
  }

  /** Of the process, and of its group. */
  get pid(): number | undefined {
    return this.#process?.pid;
  }

  async start(): Promise<void> {
    const { command, args, env, cwd } = this.#server;
    const child = spawn(command, args, { cwd, env, detached: true, stdio: ['pipe', 'pipe', 'pipe'] });
    this.#process = child;
    child.on('error', (error) => this.onerror?.(error));
    child.stdin.on('error', (error) => this.onerror?.(error));
    child.stdout.on('data', (piece: Buffer) => this.#take(piece));
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr = (this.#stderr + text).slice(-STDERR_KEPT);
    });
    await once(child, 'spawn').catch((error: unknown) => {
      const isMissing = error instanceof Error && 'code' in error && error.code === 'ENOENT';
      throw isMissing ? new Error(`there is no program ${command}, or no folder ${cwd}`) : error;
    });
    child.once('exit', () => {
      this.#kill('SIGKILL');
      // What it wrote last arrives before this.
      setImmediate(() => this.#closed());
    });
  }

  async send(message: JSONRPCMessage): Promise<void> {
    const child = this.#process;
    if (child === undefined || this.#isClosed) throw new Error('the server has ended');
    if (!child.stdin.write(serializeMessage(message))) {
      await Promise.race([once(child.stdin, 'drain'), once(child, 'exit')]);
    }
  }

  /** Ends the process, and whatever it started in its group. */
  async close(): Promise<void> {
    const child = this.#process;
    if (child?.pid !== undefined && child.exitCode === null && child.signalCode === null) {
      const ended = once(child, 'exit');
      child.stdin.end();
      for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
        // oxlint-disable-next-line no-await-in-loop -- one after the other
        if (await isDone(ended, GRACE)) break;
        this.#kill(signal);
      }
      await ended;
    }
    this.#closed();
  }

  #kill(signal: NodeJS.Signals): void {
    const pid = this.pid;
    if (pid === undefined) return;
    try {
      process.kill(-pid, signal);
    } catch {
      // Nothing of it is left.
    }
  }

  #closed(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.onclose?.();
  }

  #take(piece: Buffer): void {
    let rest = piece;
    for (let end = rest.indexOf(10); end !== -1; end = rest.indexOf(10)) {
      this.#parts.push(rest.subarray(0, end));
      const line = Buffer.concat(this.#parts).toString('utf8').trim();
      this.#parts = [];
      this.#length = 0;
      rest = rest.subarray(end + 1);
      if (line !== '') this.#receive(line);
    }
    this.#parts.push(rest);
    this.#length += rest.length;
    if (this.#length > MAX_LINE_BYTES) {
      this.#stderr = `it sent a message of more than ${MAX_LINE_BYTES} bytes`;
      this.#kill('SIGKILL');
    }
  }

  #receive(line: string): void {
    try {
      this.onmessage?.(deserializeMessage(line));
    } catch (error) {
      // A line that is no message: servers print things they should not.
      this.onerror?.(error as Error);
    }
  }
}

async function isDone(work: Promise<unknown>, milliseconds: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const timer = setTimeout(() => resolve(false), milliseconds);
  try {
    return await Promise.race([work.then(() => true), promise]);
  } finally {
    clearTimeout(timer);
  }
}
