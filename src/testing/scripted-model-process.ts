import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import type { ScriptedCall } from './call-record.ts';
import type { ScriptedModelSummary } from './scripted-model.ts';

export interface ScriptedModelProcessOptions {
  /** Module whose default export is the scripts. */
  readonly script: string;
  /** Default 200. */
  readonly latencyMs?: number;
  readonly port?: number;
  readonly logFile?: string;
  /** Seconds after the last request after which it ends by itself; half an hour is granted to the first. Default: never. */
  readonly idleExit?: number;
  /** Default: this process's. */
  readonly env?: NodeJS.ProcessEnv;
}

export interface ScriptedModelProcess {
  readonly url: string;
  readonly pid: number;
  summary(): Promise<ScriptedModelSummary>;
  calls(): Promise<readonly ScriptedCall[]>;
  /** Resolves when the process is gone, for whatever reason. */
  readonly exited: Promise<void>;
  /** Ends it; resolves when it is gone. */
  close(): Promise<void>;
}

/** Starts the scripted model in a process group of its own: it continues when its starter is killed. */
export async function spawnScriptedModel(options: ScriptedModelProcessOptions): Promise<ScriptedModelProcess> {
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
  const main = fileURLToPath(new URL(`./scripted-model-main.${extension}`, import.meta.url));
  const child = spawn(process.execPath, [main, ...argumentsOf(options)], {
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: options.env ?? process.env,
  });
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const { url, pid } = await firstLine(child);
  // It must not keep the process that started it alive, nor end because of an unread pipe.
  child.stdout.destroy();
  child.stderr.destroy();
  child.unref();
  const get = async (path: string): Promise<string> => (await fetch(new URL(path, url))).text();
  return {
    url,
    pid,
    async summary() {
      const summary: ScriptedModelSummary = JSON.parse(await get('/scripted'));
      return summary;
    },
    async calls() {
      const calls: readonly ScriptedCall[] = JSON.parse(await get('/scripted/calls'));
      return calls;
    },
    exited,
    async close() {
      child.ref();
      child.kill('SIGTERM');
      await exited;
    },
  };
}

function argumentsOf(options: ScriptedModelProcessOptions): string[] {
  const given: readonly [string, string | number | undefined][] = [
    ['--script', options.script],
    ['--latency-ms', options.latencyMs],
    ['--port', options.port],
    ['--log', options.logFile],
    ['--idle-exit', options.idleExit],
  ];
  return given.flatMap(([name, value]) => (value === undefined ? [] : [name, String(value)]));
}

async function firstLine(child: ChildProcessByStdio<null, Readable, Readable>): Promise<{ url: string; pid: number }> {
  const complaint: Buffer[] = [];
  child.stderr.on('data', (chunk: Buffer) => complaint.push(chunk));
  for await (const line of createInterface({ input: child.stdout })) {
    const started: { url: string; pid: number } = JSON.parse(line);
    return started;
  }
  throw new Error(`the scripted model did not start: ${Buffer.concat(complaint).toString('utf8').trim()}`);
}
