import type { Outlived, Played } from './play.ts';
import { DISTURBANCES, KILLS, PLACES } from './schedule.ts';

/** The tables of a series of runs, as Markdown. */
export function renderTables(runs: readonly Played[]): string {
  const strikes = runs.flatMap(({ outlived }) => outlived);
  const kills = strikes.filter(({ isKill }) => isKill);
  const head = '| where | kills | recovered in, p50 | p95 |\n| --- | --- | --- | --- |';
  const places = PLACES.map((place) =>
    row(
      place,
      kills.filter((each) => each.place === place),
    ),
  );
  const kindHead = '| what | times | recovered in, p50 | p95 |\n| --- | --- | --- | --- |';
  const kinds = [...KILLS, ...DISTURBANCES].map((kind) => {
    const those = strikes.filter((each) => each.kind === kind);
    return row(those[0]?.isKill === true ? `kill ${NAMES[kind] ?? kind}` : kind, those);
  });
  return [
    [head, ...places, row('**all kills**', kills)].join('\n'),
    [kindHead, ...kinds].join('\n'),
    renderBooks(runs),
  ].join('\n\n');
}

const NAMES: Readonly<Record<string, string>> = {
  worker: 'worker (and the command it is in)',
  server: 'Temporal server',
  supervisor: 'supervisor of a kernel, and its sandbox with it',
  repl: 'Python process of a kernel',
  launcher: 'launcher of sandboxes',
};

function row(name: string, strikes: readonly Outlived[]): string {
  const recoveries = strikes.map(({ recovery }) => recovery).filter((seconds) => seconds !== undefined);
  return `| ${name} | ${strikes.length} | ${inSeconds(percentile(recoveries, 0.5))} | ${inSeconds(percentile(recoveries, 0.95))} |`;
}

function renderBooks(runs: readonly Played[]): string {
  const sum = (value: (run: Played) => number): string => String(runs.reduce((total, run) => total + value(run), 0));
  const good = runs.filter(({ books }) => books.problems.length === 0).length;
  const rows: readonly (readonly [string, string])[] = [
    ['runs of 41 agents', String(runs.length)],
    ['of these with every check passed', String(good)],
    ['model calls paid', sum(({ books }) => books.callsPaid)],
    ['answers recorded', sum(({ books }) => books.callsRecorded)],
    ['answered, but killed before the answer was recorded, and so paid twice', sum(({ books }) => books.paidInFlight)],
    ['recorded answers paid again', sum(({ books }) => problemsLike(books.problems, 'paid again'))],
    ['code blocks recorded', sum(({ books }) => books.blocksRecorded)],
    ['sandboxes made', sum(({ books }) => books.sandboxes)],
    ['of these rebuilt', sum(({ books }) => books.rebuilds)],
    [
      'sandboxes, processes and half-made files left after 60 s',
      sum(({ books }) => problemsLike(books.problems, 'left')),
    ],
    ['longest until nothing was left', inSeconds(Math.max(0, ...runs.map(({ books }) => books.clearedAfter)))],
    ['histories replayed', sum(({ books }) => books.histories)],
    ['commands that gave up and were given again', sum(({ complaints }) => complaints.length)],
  ];
  return ['| the books | |', '| --- | --- |', ...rows.map(([name, value]) => `| ${name} | ${value} |`)].join('\n');
}

function problemsLike(problems: readonly string[], beginning: string): number {
  return problems.filter((problem) => problem.startsWith(beginning)).length;
}

function percentile(values: readonly number[], share: number): number | undefined {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)];
}

function inSeconds(value: number | undefined): string {
  return value === undefined ? '' : `${value.toFixed(1)} s`;
}

const PART = /(<!-- chaos: .*? -->\n)[^]*(<!-- end of chaos -->)/;

/** @throws Error when the document has no place for it */
export function withTables(document: string, text: string): string {
  if (!PART.test(document)) throw new Error('the document has no part for the tables of npm run chaos');
  return document.replace(PART, (_, begin: string, end: string) => `${begin}\n${text}\n\n${end}`);
}
