/**
 * Runs that are long: in iterations, in calls, in sub-agents, in restarts of the Temporal server, in minutes without
 * any worker. Each is checked (whatever is not as it must be makes the exit code 1) and measured. docs/reliability.md.
 *
 *     npm run marathon -- [--only restarts,no-worker,iterations,calls,children,prompts] [--minutes 10] [--write]
 *                         [--iterations 1000] [--calls 5000] [--children 3000] [--prompts 5000] [--restarts 20]
 *
 * `--write` puts the rows into docs/reliability.md, in place of those of the same runs.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { noWorker, restarts } from './disturbed-runs.ts';
import { calls, children, iterations, prompts } from './long-runs.ts';
import { renderTable, withRows, type Row } from './report.ts';

const { values: options } = parseArgs({
  options: {
    only: { type: 'string' },
    iterations: { type: 'string', default: '1000' },
    calls: { type: 'string', default: '5000' },
    children: { type: 'string', default: '3000' },
    prompts: { type: 'string', default: '5000' },
    restarts: { type: 'string', default: '20' },
    minutes: { type: 'string', default: '10' },
    write: { type: 'boolean', default: false },
  },
});

const DOCUMENT = fileURLToPath(new URL('../../../docs/reliability.md', import.meta.url));
const log = (line: string): void => console.log(line);
const lengths = {
  iterations: wholeNumber('iterations', options.iterations),
  calls: wholeNumber('calls', options.calls),
  children: wholeNumber('children', options.children),
  prompts: wholeNumber('prompts', options.prompts),
};

const SCENARIOS: Readonly<Record<string, () => Promise<Row[]>>> = {
  iterations: () => iterations(lengths, log),
  calls: () => calls(lengths, log),
  children: () => children(lengths, log),
  prompts: () => prompts(lengths, log),
  restarts: () => restarts(wholeNumber('restarts', options.restarts), log),
  'no-worker': () => noWorker(wholeNumber('minutes', options.minutes), log),
};

const names = options.only === undefined ? Object.keys(SCENARIOS) : options.only.split(',').map((name) => name.trim());
const rows: Row[] = [];
let failed = false;
for (const name of names) {
  const scenario = SCENARIOS[name] ?? misused(`--only knows ${Object.keys(SCENARIOS).join(', ')}`);
  log(name);
  try {
    // oxlint-disable-next-line no-await-in-loop -- one at a time: they are measured
    const done = await scenario();
    rows.push(...done);
    if (options.write) write(done);
  } catch (error) {
    failed = true;
    log(`${name} FAILED: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
  }
}
console.log(`\n${renderTable(rows)}\n`);
process.exit(failed ? 1 : 0);

function write(done: readonly Row[]): void {
  const facts = `\`npm run marathon\`, ${cpus().length} cores, ${Math.round(totalmem() / 2 ** 30)} GB:`;
  writeFileSync(DOCUMENT, withRows(readFileSync(DOCUMENT, 'utf8'), done, facts));
}

function wholeNumber(name: string, text: string): number {
  const number = Number(text);
  return Number.isSafeInteger(number) && number > 0 ? number : misused(`--${name} must be a whole number`);
}

function misused(message: string): never {
  console.error(message);
  process.exit(2);
}
