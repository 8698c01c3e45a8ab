/**
 * Breaks things on purpose: runs of 41 agents on the scripted model, with everything real, while workers, kernels, the
 * Temporal server and whatever else is killed, stopped, cut off; then checks the books. docs/reliability.md.
 *
 *     npm run chaos -- [--seed 1] [--kills 240] [--kinds worker,server,...] [--run N] [--quick] [--write] [--keep]
 *
 * What is done to a run follows from the seed and the number of the run: `--run N` repeats one. `--quick` is the share
 * that the tests run, `--write` puts the tables into docs/reliability.md, `--keep` keeps the folder of a run that
 * failed. Exit code 1 when any check of any run fails.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, totalmem } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { DISTURBANCES, KILLS, type Kind } from './schedule.ts';
import { renderTables, withTables } from './report.ts';
import { runSeries, QUICK } from './series.ts';

const { values: options } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    kills: { type: 'string', default: '240' },
    kinds: { type: 'string' },
    run: { type: 'string' },
    quick: { type: 'boolean', default: false },
    write: { type: 'boolean', default: false },
    keep: { type: 'boolean', default: false },
  },
});

const DOCUMENT = fileURLToPath(new URL('../../docs/reliability.md', import.meta.url));
const ALL: readonly Kind[] = [...KILLS, ...DISTURBANCES];

const seed = wholeNumber('seed', options.seed);
const kills = wholeNumber('kills', options.kills);
const kinds = options.kinds === undefined ? ALL : options.kinds.split(',').map(kindNamed);
const log = (line: string): void => console.log(line);

const began = Date.now();
const machine = `${cpus().length} cores, ${Math.round(totalmem() / 2 ** 30)} GB, load average ${(loadavg()[0] ?? 0).toFixed(1)} at the start`;
const leaving = new AbortController();
for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => leaving.abort());
const only = options.run === undefined ? undefined : wholeNumber('run', options.run);
const runs = await runSeries(options.quick ? QUICK : { seed, kills, kinds, ...(only === undefined ? {} : { only }) }, {
  log,
  keep: options.keep,
  signal: leaving.signal,
});
const minutes = ((Date.now() - began) / 60_000).toFixed(1);
const command = `npm run chaos -- ${options.quick ? '--quick' : `--seed ${seed} --kills ${kills}`}`;
const tables = `\`${command}\`, ${machine}, ${minutes} minutes:\n\n${renderTables(runs)}`;
console.log(`\n${tables}\n`);
const failed = runs.filter(({ books }) => books.problems.length > 0);
for (const { number, books } of failed) {
  console.log(`Run ${number} of seed ${seed} is not in order; repeat it with --seed ${seed} --run ${number}:`);
  for (const problem of books.problems) console.log(`  ${problem}`);
}
if (options.write) writeFileSync(DOCUMENT, withTables(readFileSync(DOCUMENT, 'utf8'), tables));
process.exit(failed.length === 0 ? 0 : 1);

function wholeNumber(name: string, text: string): number {
  const number = Number(text);
  return Number.isSafeInteger(number) && number >= 0 ? number : misused(`--${name} must be a whole number`);
}

function kindNamed(name: string): Kind {
  return ALL.find((each) => each === name.trim()) ?? misused(`--kinds knows ${ALL.join(', ')}`);
}

function misused(message: string): never {
  console.error(message);
  process.exit(2);
}
