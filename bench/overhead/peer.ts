import { execFile, spawn, type ChildProcessByStdio } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { createInterface, type Interface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { cacheDirectory } from '../../src/config/directories.ts';
import type { Contestant, Performance } from './contestant.ts';
import { peakMemory, resetPeakMemory } from './process-usage.ts';
import { ROOT_TASK, type Scenario } from './scenarios.ts';

const run = promisify(execFile);

/** A peer from PyPI. */
export interface Peer {
  readonly package: string;
  readonly script: string;
  readonly how: string;
}

export const PEERS: readonly Peer[] = [
  {
    package: 'rlms',
    script: 'rlms_peer.py',
    how: 'local environment: all REPLs in one process, sub-agents in its threads; keeps nothing, isolates nothing',
  },
  {
    package: 'dspy',
    script: 'dspy_peer.py',
    how: '`dspy.RLM` with its local interpreter: a plain process for each REPL; keeps nothing, isolates nothing',
  },
];

export interface PeerOptions {
  readonly peer: Peer;
  /** For whatever it leaves behind; the caller's to remove. */
  readonly folder: string;
  readonly repository: string;
  readonly modelUrl: string;
}

/** Milliseconds for one scenario. */
const PLAY_TIME = 300_000;
const INSTALL_TIME = 600_000;

/** @throws Error when it cannot be installed, with the reason */
export async function installPeer({ package: name }: Peer): Promise<{ python: string; version: string }> {
  const folder = join(cacheDirectory(process.env), 'bench', name);
  const python = join(folder, 'bin', 'python');
  const version = async (): Promise<string> => {
    const code = `import importlib.metadata as m; print(m.version(${JSON.stringify(name)}))`;
    return (await run(python, ['-c', code])).stdout.trim();
  };
  if (existsSync(python)) {
    const installed = await version().catch(() => undefined);
    if (installed !== undefined) return { python, version: installed };
  }
  console.error(`Installing ${name} from PyPI into the cache directory ...`);
  await run('python3', ['-m', 'venv', '--clear', folder]);
  await run(python, ['-m', 'pip', 'install', '--quiet', '--timeout', '20', '--retries', '1', name], {
    timeout: INSTALL_TIME,
  });
  return { python, version: await version() };
}

/**
 * A peer with its agents' folders as they come (`clones: false`: one for all), or each in a `git clone --shared` that
 * its own first block makes.
 */
export function createPeer(options: PeerOptions, python: string, { clones }: { clones: boolean }): Contestant {
  const { peer, folder } = options;
  const name = clones ? `${peer.package}+clone` : peer.package;
  let running: PeerProcess | undefined;
  return {
    name,
    how: clones ? `${peer.package} whose code begins with \`git clone --shared\`` : peer.how,
    async play(scenario) {
      running ??= startPeer(options, python, join(folder, name));
      try {
        return await playWith(running, { ...options, name }, scenario);
      } catch (error) {
        await running.end();
        running = undefined;
        throw error;
      }
    },
    close: async () => running?.end(),
  };
}

interface PeerProcess {
  readonly pid: number;
  /** One line for one line. */
  ask(line: string): Promise<string>;
  end(): Promise<void>;
}

function startPeer({ peer, repository }: PeerOptions, python: string, temporary: string): PeerProcess {
  mkdirSync(temporary, { recursive: true });
  const script = fileURLToPath(new URL(`./peers/${peer.script}`, import.meta.url));
  const child: ChildProcessByStdio<Writable, Readable, null> = spawn(python, ['-B', script], {
    env: {
      PATH: process.env['PATH'],
      HOME: homedir(),
      TMPDIR: temporary,
      BENCH_REPOSITORY: repository,
      // Or it looks for newer prices on the network first.
      LITELLM_LOCAL_MODEL_COST_MAP: 'True',
    },
    cwd: '/',
    // What it has to say of its agents' failures shows in its answers.
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  process.once('exit', () => child.kill('SIGKILL'));
  const exited = new Promise<void>((resolve) => child.once('close', () => resolve()));
  const lines: Interface = createInterface({ input: child.stdout });
  return {
    pid: child.pid ?? 0,
    ask: (line) =>
      new Promise((resolve, reject) => {
        const timer = setTimeout(() => reject(new Error('it did not answer in time')), PLAY_TIME);
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

/** What `peers/serve.py` answers. */
interface Reply {
  readonly answer?: string;
  readonly error?: string;
  readonly seconds: number;
  readonly cpu: Readonly<Record<string, number>>;
}

async function playWith(
  process: PeerProcess,
  { name, modelUrl }: PeerOptions & { readonly name: string },
  scenario: Scenario,
): Promise<Performance> {
  const { max_depth, max_parallel } = scenario.limits;
  const request = {
    task: ROOT_TASK,
    model: `${name}/${scenario.name}`,
    base_url: modelUrl,
    max_depth,
    max_parallel,
  };
  resetPeakMemory(process.pid);
  const reply: Reply = JSON.parse(await process.ask(JSON.stringify(request)));
  if (reply.error !== undefined) throw new Error(reply.error);
  const { seconds, answer, cpu } = reply;
  return { seconds, answer, cpu, memory: { itself: peakMemory(process.pid) } };
}
