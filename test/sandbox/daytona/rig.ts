import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const CONTROL_PLANE = fileURLToPath(new URL('../../../../shared/daytona/control-plane.mjs', import.meta.url));

/** Whether the control plane and the daemon are at hand; says so where they are not. */
export function rigIsHere(): boolean {
  if (existsSync(CONTROL_PLANE)) return true;
  console.log('skipped: the Daytona daemon and its control plane are not at hand (../shared/daytona)');
  return false;
}

/** What the control plane is to do wrong, as its README describes it. */
export interface Fault {
  readonly kind: 'api' | 'toolbox' | 'preview';
  readonly method?: string;
  readonly path?: string;
  /** Requests it strikes; -1 for all. Default 1. */
  readonly count?: number;
  readonly skip?: number;
  readonly status?: number;
  readonly message?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly delayMs?: number;
  readonly reset?: boolean;
  readonly hang?: boolean;
  /** The work is done, and then the answer is lost. */
  readonly after?: boolean;
}

export interface RigSandbox {
  readonly id: string;
  readonly name: string;
  readonly state: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** The real Daytona daemon behind a small control plane, started for a test. */
export interface Rig {
  /** What a worker finds in its environment. */
  readonly environment: {
    readonly DAYTONA_API_URL: string;
    readonly DAYTONA_API_KEY: string;
    readonly DAYTONA_TARGET: string;
  };
  inject(...faults: Fault[]): Promise<void>;
  /** How often each of the faults injected so far has struck; they strike no more. */
  clearFaults(): Promise<number[]>;
  /** Sandboxes that exist, by the control plane's own count. */
  existing(): Promise<number>;
  stats(): Promise<Readonly<Record<string, unknown>>>;
  sandboxes(): Promise<RigSandbox[]>;
  find(name: string): Promise<RigSandbox>;
  /** Kills all that runs in it; the API finds out a moment later, and then says this state. */
  kill(name: string, state?: 'stopped' | 'error' | 'destroyed' | 'started'): Promise<void>;
  stop(name: string): Promise<void>;
  /** Asks the API as a client would. */
  api(method: string, path: string): Promise<Response>;
  close(): Promise<void>;
}

/** @param options of the control plane, such as `--minute-ms` */
export async function startRig(...options: string[]): Promise<Rig> {
  const folder = mkdtempSync(join(tmpdir(), 'rlm-daytona-'));
  const plane = spawn(process.execPath, [CONTROL_PLANE, '--port', '0', '--state-dir', folder, ...options], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const { apiUrl, apiKey, admin } = await firstLine(plane);

  const ask = async <T>(method: string, path: string, body?: unknown): Promise<T> => {
    const answer = await fetch(admin + path, { method, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
    return (await answer.json()) as T;
  };
  const sandboxes = async (): Promise<RigSandbox[]> =>
    (await ask<RigSandbox[]>('GET', '/sandboxes')).filter(({ state }) => state !== 'destroyed');
  const find = async (name: string): Promise<RigSandbox> => {
    const found = (await sandboxes()).find((sandbox) => sandbox.name === name);
    if (found === undefined) throw new Error(`there is no sandbox ${name}`);
    return found;
  };

  return {
    environment: { DAYTONA_API_URL: apiUrl, DAYTONA_API_KEY: apiKey, DAYTONA_TARGET: 'us' },
    inject: async (...faults) => void (await ask('POST', '/faults', faults)),
    async clearFaults() {
      const faults = await ask<{ hits: number }[]>('GET', '/faults');
      await ask('DELETE', '/faults');
      return faults.map(({ hits }) => hits);
    },
    existing: async () => (await ask<{ existing: number }>('GET', '/stats')).existing,
    stats: () => ask('GET', '/stats'),
    sandboxes,
    find,
    kill: async (name, state) =>
      void (await ask('POST', `/kill/${(await find(name)).id}${state === undefined ? '' : `?state=${state}`}`)),
    stop: async (name) => void (await ask('POST', `/stop/${(await find(name)).id}`)),
    api: (method, path) => fetch(apiUrl + path, { method, headers: { authorization: `Bearer ${apiKey}` } }),
    async close() {
      const ended = plane.exitCode === null && plane.signalCode === null ? once(plane, 'exit') : undefined;
      plane.kill('SIGTERM');
      await ended;
      rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

interface Announcement {
  readonly apiUrl: string;
  readonly apiKey: string;
  readonly admin: string;
}

async function firstLine(plane: ChildProcess): Promise<Announcement> {
  if (plane.stdout === null) throw new Error('the control plane has no output');
  for await (const line of createInterface({ input: plane.stdout })) return JSON.parse(line) as Announcement;
  throw new Error('the control plane did not start');
}
