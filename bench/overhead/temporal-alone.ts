import { fileURLToPath } from 'node:url';
import { type BenchServer, startServer } from '../temporal-floor/server.ts';
import { shipped } from '../temporal-floor/variants.ts';
import type { Contestant } from './contestant.ts';
import { startLineProcess, type LineProcess } from './line-process.ts';
import { cpuTime, peakMemory, resetPeakMemory } from './process-usage.ts';
import type { AgentShape, Scenario } from './scenarios.ts';

export const TEMPORAL_ALONE = 'temporal';
const WORKER = fileURLToPath(new URL('../temporal-floor/agents.ts', import.meta.url));

/** What the worker of temporal-floor/agents.ts is asked for, a JSON line each. */
export interface AgentsRequest {
  readonly root: AgentShape;
  /** Milliseconds of a model call. */
  readonly latency: number;
  /** Sub-agents of one agent at a time. */
  readonly parallel: number;
}

export interface AgentsReply {
  readonly seconds: number;
}

/**
 * The agents' workflows and activities, on the server and with the options that are shipped, and nothing in them: no
 * sandbox, no store, no prompt, no run around the agents. What the steps alone cost.
 */
export function createTemporalAlone(): Contestant {
  let running: Promise<{ readonly server: BenchServer; readonly worker: LineProcess }> | undefined;
  return {
    name: TEMPORAL_ALONE,
    role: 'steps',
    how: 'the workflows and activities of the agents with nothing in them, on the same server, in a worker of its own',
    async play(scenario) {
      running ??= start();
      const { server, worker } = await running;
      const cpu = (): { server: number; worker: number } => ({ server: server.cpu(), worker: cpuTime(worker.pid).own });
      const before = cpu();
      resetPeakMemory(worker.pid);
      const { seconds }: AgentsReply = JSON.parse(await worker.ask(JSON.stringify(requestOf(scenario))));
      const after = cpu();
      return {
        seconds,
        answer: undefined,
        cpu: { server: after.server - before.server, worker: after.worker - before.worker },
        memory: { worker: peakMemory(worker.pid) },
      };
    },
    async close() {
      const started = await running;
      await started?.worker.end();
      await started?.server.stop();
    },
  };
}

function requestOf({ root, latency, limits }: Scenario): AgentsRequest {
  return { root, latency, parallel: limits.max_parallel };
}

async function start(): Promise<{ server: BenchServer; worker: LineProcess }> {
  const server = await startServer(shipped);
  const worker = startLineProcess({
    command: [process.execPath, WORKER, server.listensOn],
    env: { PATH: process.env['PATH'] },
    cwd: '/',
    stderr: 'inherit',
  });
  return { server, worker };
}
