import { execFile } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { cacheDirectory } from '../../src/config/directories.ts';
import type { Contestant, Performance } from './contestant.ts';
import { startLineProcess, type LineProcess } from './line-process.ts';
import { peakMemory, resetPeakMemory } from './process-usage.ts';
import { ROOT_TASK, type Scenario } from './scenarios.ts';

const run = promisify(execFile);

/** A Python program that plays scenarios. */
export interface Peer {
  /** Its package on PyPI, but for the floor, which needs none. */
  readonly package: string;
  readonly script: string;
  readonly how: string;
}

export const FLOOR: Peer = {
  package: 'floor',
  script: 'floor_peer.py',
  how: 'an asyncio loop over HTTP: all REPLs in one process; keeps nothing, isolates nothing',
};

/** Peers from PyPI. */
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
  let running: LineProcess | undefined;
  return {
    name,
    role: peer === FLOOR ? 'floor' : 'peer',
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

function startPeer({ peer, repository }: PeerOptions, python: string, temporary: string): LineProcess {
  mkdirSync(temporary, { recursive: true });
  const script = fileURLToPath(new URL(`./peers/${peer.script}`, import.meta.url));
  return startLineProcess({
    command: [python, '-B', script],
    env: {
      PATH: process.env['PATH'],
      HOME: homedir(),
      TMPDIR: temporary,
      BENCH_REPOSITORY: repository,
      // Or it looks for newer prices on the network first.
      LITELLM_LOCAL_MODEL_COST_MAP: 'True',
    },
    cwd: '/',
  });
}

/** What `peers/serve.py` answers. */
interface Reply {
  readonly answer?: string;
  readonly error?: string;
  readonly seconds: number;
  readonly cpu: Readonly<Record<string, number>>;
}

async function playWith(
  process: LineProcess,
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
