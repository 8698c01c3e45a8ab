/**
 * Traces the tree of 41 agents into a file, and compares it with what the run did: `npm run trace [file]`. With
 * `--rounds n` it then says what ways of working cost: the same tree with each of them in turn, n times.
 */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { createTraces, type Traces } from '../../src/telemetry/traces.ts';
import type { WorkerOptions } from '../../src/worker.ts';
import { createWorld } from '../e2e/world.ts';
import { FORTY_ONE_AGENTS, PROMPT } from '../e2e/inventory-tree.ts';
import { encodingProblems, nestingProblems, readTraceFile } from './trace-file.ts';

const { values, positionals } = parseArgs({
  options: { rounds: { type: 'string', default: '0' } },
  allowPositionals: true,
});
const file = positionals[0] ?? 'trace.jsonl';
rmSync(file, { force: true });

const world = await createWorld();
try {
  await play('trace', { traces: await tracesTo(file) });
  const spans = readTraceFile(file);
  const agents = (await world.agents('trace')).map(({ agent }) => agent);
  const problems = [...encodingProblems(spans), ...nestingProblems(spans, 'trace', agents)];
  if (agents.length !== FORTY_ONE_AGENTS.agents)
    problems.push(`${agents.length} agents instead of ${FORTY_ONE_AGENTS.agents}`);
  console.log(`${file}: ${spans.length} spans of ${agents.length} agents`);
  for (const problem of problems) console.log(`wrong: ${problem}`);
  if (problems.length > 0) process.exitCode = 1;
  await compare(Number(values.rounds));
} finally {
  await world.close();
}

interface Cost {
  readonly seconds: number;
  /** Of this process: worker and scripted model. */
  readonly cpu: number;
}

/** One run with a worker of its own. */
async function play(id: string, options: Partial<WorkerOptions> = {}, config: object = {}): Promise<Cost> {
  const worker = await world.startWorker(options);
  const model = await world.startModel({ scripts: FORTY_ONE_AGENTS.scripts, latencyMs: 200 });
  const before = process.cpuUsage();
  const { execution_time: seconds } = await world.run({ id, prompt: PROMPT, model, config });
  const { user, system } = process.cpuUsage(before);
  await worker.shutdown();
  await options.traces?.close();
  await model.close({ check: false });
  return { seconds, cpu: (user + system) / 1e6 };
}

function tracesTo(path: string): Promise<Traces | undefined> {
  return createTraces({ file: path, env: {}, version: 'bench', onError: console.error });
}

async function compare(rounds: number): Promise<void> {
  const ways: Readonly<Record<string, (id: string) => Promise<Cost>>> = {
    'as rlm run has it': (id) => play(id),
    traced: async (id) => play(id, { traces: await tracesTo(join(world.folder, `${id}.jsonl`)) }),
    'pollers by load': (id) => play(id, { autoscaling: true }),
    'only shared queues': (id) => play(id, { queues: ['workflows', 'sandboxes'] }),
    'separate queues': (id) => play(id, {}, { temporal: { queues: 'separate' } }),
  };
  const costs = new Map<string, Cost[]>();
  for (let round = 1; round <= rounds; round += 1) {
    for (const [at, [name, way]] of Object.entries(ways).entries()) {
      // oxlint-disable-next-line no-await-in-loop -- one after the other: they would take each other's time
      costs.set(name, [...(costs.get(name) ?? []), await way(`round-${round}-${at}`)]);
    }
  }
  for (const [name, all] of costs) {
    const list = (of: keyof Cost): string => all.map((cost) => cost[of].toFixed(1)).join(' ');
    console.log(`${name}: ${list('seconds')} s; CPU ${list('cpu')} s`);
  }
}
