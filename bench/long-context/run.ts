/**
 * Whether documents of any length are read rightly, and what it costs: tasks with a known answer on a scripted model
 * that reads by rules, the server, the worker and the sandboxes being real.
 *
 *     node bench/long-context/run.ts [--sizes 13-20] [--tasks needle-one,aggregation] [--seed 1] [--latency 200] [--write]
 *
 * Sizes are powers of two, in tokens. `--write` puts the report into bench/RESULTS.md. The exit code is 1 where an
 * answer is wrong.
 */
import { mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isDeepStrictEqual, parseArgs } from 'node:util';
import { spawnScriptedModel } from '../../src/testing/index.ts';
import { describeMachine } from '../overhead/machine.ts';
import { table } from '../overhead/report.ts';
import { writeResults } from '../results-file.ts';
import { openStage, type Solution, type Stage } from './stage.ts';
import type { LongContextTask } from './task.ts';
import { TASKS } from './tasks.ts';

const { values: options } = parseArgs({
  options: {
    sizes: { type: 'string', default: '13-20' },
    tasks: { type: 'string', default: Object.keys(TASKS).join(',') },
    seed: { type: 'string', default: '1' },
    latency: { type: 'string', default: '200' },
    write: { type: 'boolean', default: false },
  },
});

interface Row {
  readonly power: number;
  readonly task: Pick<LongContextTask, 'tokens' | 'title'>;
  readonly right: boolean;
  readonly solution: Solution;
}

const COLUMNS = [
  'tokens',
  'answer',
  'prompts',
  'tokens in',
  'in, for each of the document',
  'tokens out',
  'root’s longest request',
  'history',
  'time',
];

const machine = await describeMachine([]);
if (machine.warning !== undefined) console.error(machine.warning);
const folder = mkdtempSync(join(tmpdir(), 'rlm-long-context-'));
/** What gives back what was started, in the order it was. */
const closing: (() => Promise<void>)[] = [() => rm(folder, { recursive: true, force: true })];
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => void closeAll().then(() => process.exit(1)));
try {
  const script = fileURLToPath(new URL('scripts.ts', import.meta.url));
  const model = await spawnScriptedModel({ script, latencyMs: Number(options.latency), idleExit: 900 });
  closing.push(() => model.close());
  const stage = await openStage(folder, model.url);
  closing.push(() => stage.close());
  // What only a first run pays is paid before.
  await solve(stage, 'needle-one', 12);
  const sections: string[] = [];
  for (const name of options.tasks.split(',')) {
    const rows: Row[] = [];
    // oxlint-disable-next-line no-await-in-loop -- one after the other, so that each has the machine
    for (const power of powers()) rows.push(await solve(stage, name, power));
    sections.push(`## ${name}: ${rows[0]?.task.title}`, table(COLUMNS, rows.map(cells)), growth(rows));
  }
  const report = [...introduction(), ...sections].join('\n\n');
  console.log(report);
  if (options.write) writeResults(report);
} finally {
  await closeAll();
}

async function closeAll(): Promise<void> {
  for (const close of closing.splice(0).toReversed()) await close();
}

function powers(): number[] {
  const [least = 13, greatest = least] = options.sizes.split('-').map(Number);
  return Array.from({ length: greatest - least + 1 }, (_, index) => least + index);
}

async function solve(stage: Stage, name: string, power: number): Promise<Row> {
  const make = TASKS[name];
  if (make === undefined) throw new Error(`There is no task "${name}": there are ${Object.keys(TASKS).join(', ')}.`);
  const task = make({ tokens: 2 ** power, seed: Number(options.seed) });
  const solution = await stage.solve(`${name}-${power}`, task);
  const right = isDeepStrictEqual(solution.answer, task.expected);
  if (!right) {
    process.exitCode = 1;
    console.error(`expected ${JSON.stringify(task.expected)}, got ${JSON.stringify(solution.answer)}`, solution.error);
  }
  console.error(`${name}, 2^${power} tokens: ${right ? 'right' : 'wrong'}, ${solution.seconds.toFixed(2)} s`);
  // The document itself is not kept.
  return { power, task: { tokens: task.tokens, title: task.title }, right, solution };
}

function introduction(): string[] {
  return [
    '# Long documents',
    ...(machine.warning === undefined
      ? []
      : ['**The machine had other work to do at the same time: all of this took longer than it has to.**']),
    machine.facts
      .slice(0, -1)
      .map((fact) => `- ${fact}`)
      .join('\n'),
    `Documents made for the purpose, of 2^${powers().join(', 2^')} tokens (four characters each), with an answer that is ` +
      'known by construction. The model is scripted: its root writes the same code for every document, its reader ' +
      'answers each prompt by rules that see that prompt alone, and one answer in eight is cut short and has to be ' +
      'asked for again. So the answers say that nothing is lost or mixed up on the way; they say nothing about how ' +
      'well any model reads.',
    `Made by \`node bench/long-context/run.ts --write\`. Every model call takes ${options.latency} ms. Prompts are those of the code, of 24,000 characters each; tokens are those ` +
      'of all requests, the root’s included. Server and worker are warm, in a process of their own and in that of the ' +
      'program. The history is that of all workflows of the run. Time is from the program’s call to the answer.',
  ];
}

/** What became of what from the shortest document to the longest. */
function growth(rows: readonly Row[]): string {
  const [first, last] = [rows[0], rows.at(-1)];
  if (first === undefined || last === undefined || first === last) return 'One size only: no growth to tell of.';
  const times = (of: (row: Row) => number): string => `${(of(last) / of(first)).toFixed(1)} times`;
  return (
    `From the shortest document to the longest, ${times(({ task }) => task.tokens)} as long: ` +
    `${times(({ solution }) => solution.inputTokens)} the tokens, ` +
    `${times(({ solution }) => solution.rootTokens)} the root’s longest request, ` +
    `${times(({ solution }) => solution.history)} the history, ${times(({ solution }) => solution.seconds)} the time.`
  );
}

function cells({ power, task, right, solution }: Row): string[] {
  const { prompts, inputTokens, outputTokens, rootTokens, history, seconds } = solution;
  return [
    `2^${power}`,
    right ? 'right' : 'wrong',
    String(prompts),
    inputTokens.toLocaleString('en-US'),
    (inputTokens / task.tokens).toFixed(2),
    outputTokens.toLocaleString('en-US'),
    rootTokens.toLocaleString('en-US'),
    `${(history / 1000).toFixed(0)} kB`,
    `${seconds.toFixed(1)} s`,
  ];
}
