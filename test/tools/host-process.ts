import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ToolDescription } from '../../src/domain/tools.ts';

export interface HostReply {
  readonly descriptions?: readonly ToolDescription[];
  readonly value?: unknown;
  readonly type?: string;
  readonly error?: string;
}

/** A Node of its own that loads modules as a worker does: vitest would translate them. */
export class HostProcess {
  readonly folder = mkdtempSync(join(tmpdir(), 'tools-test-'));
  readonly #child: ChildProcess;
  #files = 0;

  constructor() {
    this.#child = fork(fileURLToPath(new URL('./host-process-main.ts', import.meta.url)), {
      execArgv: [],
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
  }

  /** Loads a module with this text; its last part is its name. */
  async load(text: string, name = `tools-${(this.#files += 1)}.ts`): Promise<HostReply> {
    writeFileSync(join(this.folder, name), text);
    return this.loadFiles([name]);
  }

  loadFiles(files: readonly string[]): Promise<HostReply> {
    return this.#ask({ load: files, cwd: this.folder });
  }

  /** Of what was loaded last. */
  call(name: string, args: Readonly<Record<string, unknown>> = {}): Promise<HostReply> {
    return this.#ask({ call: name, args });
  }

  async #ask(request: object): Promise<HostReply> {
    const reply = once(this.#child, 'message');
    this.#child.send(request);
    const [message] = (await reply) as [HostReply];
    return message;
  }

  async stop(): Promise<void> {
    const ended = once(this.#child, 'exit');
    this.#child.disconnect();
    await ended;
    rmSync(this.folder, { recursive: true, force: true });
  }
}
