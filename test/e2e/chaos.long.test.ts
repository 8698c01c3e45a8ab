import { expect, it } from 'vitest';
import { QUICK, runSeries } from '../chaos/series.ts';

/** The share of `npm run chaos` that every test run plays; the whole is in docs/reliability.md. */
it('a run of 41 agents outlives whatever is killed, stopped and cut off, and its books are in order', async () => {
  const lines: string[] = [];
  const runs = await runSeries(QUICK, { log: (line) => lines.push(line), large: false });
  const problems = runs.flatMap(({ number, books }) => books.problems.map((problem) => `run ${number}: ${problem}`));
  expect(problems, lines.join('\n')).toEqual([]);
  const kills = runs.flatMap(({ outlived }) => outlived).filter(({ isKill }) => isKill);
  expect(kills.length, lines.join('\n')).toBeGreaterThanOrEqual(QUICK.kills);
}, 240_000);
