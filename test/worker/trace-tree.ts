/**
 * Traces the tree of 41 agents into a file, and compares it with what the run did: `npm run trace [file]`. Then says
 * what tracing costs: the same tree in turn with and without it, `--rounds` times each (default 0).
 */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { createTraces } from '../../src/telemetry/traces.ts';
import { createWorld, type World } from '../e2e/world.ts';
import { AGENTS, fortyOneAgents, PROMPT } from '../e2e/forty-one-agents.ts';
import { encodingProblems, nestingProblems, readTraceFile } from './trace-file.ts';

const { values, positionals } = parseArgs({
  options: { rounds: { type: 'string', default: '0' } },
  allowPositionals: true,
});
const file = positionals[0] ?? 'trace.jsonl';
rmSync(file, { force: true });

const world = await createWorld();
try {
  await play(world, 'trace', file);
  const spans = readTraceFile(file);
  const agents = (await world.agents('trace')).map(({ agent }) => agent);
  const problems = [...encodingProblems(spans), ...nestingProblems(spans, 'trace', agents)];
  if (agents.length !== AGENTS) problems.push(`${agents.length} agents instead of ${AGENTS}`);
  console.log(`${file}: ${spans.length} spans of ${agents.length} agents`);
  for (const problem of problems) console.log(`wrong: ${problem}`);
  if (problems.length > 0) process.exitCode = 1;
  await compare(Number(values.rounds));
} finally {
  await world.close();
}

/** Seconds of one run, with a worker of its own. */
async function play(where: World, id: string, traceFile?: string): Promise<number> {
  const traces =
    traceFile === undefined
      ? undefined
      : await createTraces({ file: traceFile, env: {}, version: 'bench', onError: console.error });
  const worker = await where.startWorker({ traces });
  const model = await where.startModel({ scripts: fortyOneAgents, latencyMs: 200 });
  const outcome = await where.run({ id, prompt: PROMPT, model });
  await worker.shutdown();
  await traces?.close();
  await model.close({ check: false });
  return outcome.execution_time;
}

async function compare(rounds: number): Promise<void> {
  const seconds = { untraced: [] as number[], traced: [] as number[] };
  for (let round = 1; round <= rounds; round += 1) {
    // oxlint-disable-next-line no-await-in-loop -- one after the other: they would take each other's time
    seconds.untraced.push(await play(world, `untraced-${round}`));
    // oxlint-disable-next-line no-await-in-loop
    seconds.traced.push(await play(world, `traced-${round}`, join(world.folder, `${round}.jsonl`)));
  }
  for (const [name, all] of Object.entries(seconds)) {
    if (rounds > 0) console.log(`${name}: ${all.map((each) => each.toFixed(2)).join(' ')} s`);
  }
}
