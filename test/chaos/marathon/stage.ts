import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { stringify } from 'yaml';
import { spawnScriptedModel, type ScriptedCall } from '../../../src/testing/index.ts';
import { defaultDatabaseFile, devServerStatus } from '../../../src/temporal/dev-server.ts';
import { createDesk, type Desk } from '../../e2e/command.ts';
import { makeRepository } from '../../e2e/world.ts';
import { childrenOf } from '../processes.ts';
import { readHistories, type ExecutionHistory } from './histories.ts';
import { until } from './until.ts';

/** A run that disturbs nothing and is merely long: what is to be done, and what it may take. */
export interface LongRun {
  readonly name: string;
  readonly prompt: string;
  /** Answers of the model after which it is over: for telling early from late. */
  readonly calls: number;
  readonly rlm: Readonly<Record<string, number>>;
  readonly sandbox?: Readonly<Record<string, number>>;
  /** Milliseconds the model takes for a reply. */
  readonly latency: number;
}

export interface LongRunDocument {
  readonly status: string;
  readonly answer: { readonly right: number; readonly of: number } | null;
  readonly error: string | null;
  readonly agents: number;
  readonly iterations: number;
  readonly sandboxes: number;
}

/** Resident memory of a process in MB: the most in each fifth of the way, and of all times. */
export interface Memory {
  readonly fifths: readonly number[];
  readonly peak: number;
}

export interface LongRunResult {
  readonly document: LongRunDocument;
  readonly seconds: number;
  readonly worker: Memory;
  readonly server: Memory;
  readonly calls: readonly ScriptedCall[];
  /** Of every execution of the root agent's workflow. */
  readonly root: readonly ExecutionHistory[];
  /** Of the whole run: workflows and their events. */
  readonly whole: { readonly executions: number; readonly events: number };
}

/** Seconds in which nothing may be left. */
const PATIENCE = 60;
const SAMPLE = 250;

/** @throws Error when the run does not complete, or leaves something behind */
export async function playLongRun(run: LongRun, log: (line: string) => void): Promise<LongRunResult> {
  const desk = await createDesk('local');
  const model = await spawnScriptedModel({
    script: fileURLToPath(new URL('scripts.ts', import.meta.url)),
    latencyMs: run.latency,
    idleExit: 900,
  });
  try {
    const config = {
      model: {
        name: 'openai/scripted',
        base_url: model.url,
        prices: { 'openai/scripted': { input: 0, output: 0 } },
      },
      rlm: { global_timeout: 86_400, ...run.rlm },
      sandbox: { ...desk.settings.sandbox, block_timeout: 3600, ...run.sandbox },
    };
    desk.configure(stringify(config));
    const repository = makeRepository(join(desk.folder, 'repository'), { 'README.md': '# Small\n' });
    const worker = desk.start(['up']);
    await until(() => worker.stderr().includes('Working on task queue'), 120);
    // The server is the only child of the process that shuts it in.
    const keeper = devServerStatus(defaultDatabaseFile(desk.state)).server?.process.pid ?? 0;
    const [server = keeper] = childrenOf(keeper);
    const watch = { worker: watchMemory(worker.pid), server: watchMemory(server) };
    const began = performance.now();
    const command = ['run', repository, '-p', run.prompt, '--id', run.name, '--no-worker', '--json', '-q'];
    const finished = desk.run(command);
    const stop = sampling(async () => {
      const { answered } = await model.summary();
      for (const each of Object.values(watch)) each.look(answered / run.calls);
      return answered;
    }, log);
    const { code, stdout, stderr } = await finished.finally(stop);
    const seconds = (performance.now() - began) / 1000;
    if (code !== 0) throw new Error(`exit ${code}: ${stderr.slice(-2000)} ${stdout.toString().slice(0, 2000)}`);
    await nothingLeft(desk);
    const { root, whole } = await readHistories(desk.state, run.name);
    return {
      document: JSON.parse(stdout.toString()) as LongRunDocument,
      seconds,
      worker: watch.worker.memory(),
      server: watch.server.memory(),
      calls: await model.calls(),
      root,
      whole,
    };
  } finally {
    await desk.close();
    await model.close();
  }
}

async function nothingLeft(desk: Desk): Promise<void> {
  let left: string[] = [];
  await until(async () => (left = await desk.leftovers()).length === 0, PATIENCE).catch(() => {
    throw new Error(`left after ${PATIENCE} s: ${left.slice(0, 10).join('; ')} (${left.length} in all)`);
  });
}

/** Looks again and again, one look at a time, and tells every half minute how far it is. */
function sampling(look: () => Promise<number>, log: (line: string) => void): () => void {
  const stopping = new AbortController();
  const began = Date.now();
  const loop = async (): Promise<void> => {
    for (let told = began; !stopping.signal.aborted;) {
      // oxlint-disable no-await-in-loop -- a look at a time
      const answered = await look();
      await delay(SAMPLE);
      // oxlint-enable no-await-in-loop
      if (Date.now() - told < 30_000) continue;
      told = Date.now();
      log(`  ${answered} answers after ${Math.round((told - began) / 1000)} s`);
    }
  };
  loop().catch((error: unknown) => log(`  ${String(error)}`));
  return () => stopping.abort();
}

function watchMemory(pid: number): { look(share: number): void; memory(): Memory } {
  let memory: Memory = { fifths: [0, 0, 0, 0, 0], peak: 0 };
  return {
    look(share) {
      const { resident, peak } = residentMemory(pid);
      const now = Math.min(4, Math.floor(share * 5));
      memory = {
        fifths: memory.fifths.map((most, fifth) => (fifth === now ? Math.max(most, resident) : most)),
        peak: Math.max(memory.peak, peak),
      };
    },
    memory: () => memory,
  };
}

function residentMemory(pid: number): { resident: number; peak: number } {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    const field = (name: string): number =>
      Math.round(Number(new RegExp(`${name}:\\s+(\\d+)`).exec(status)?.[1]) / 1000);
    return { resident: field('VmRSS'), peak: field('VmHWM') };
  } catch {
    return { resident: 0, peak: 0 };
  }
}
