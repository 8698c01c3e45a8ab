import type { Contestant } from './contestant.ts';
import { cpuSeconds, overhead, type Report, secondsOf, type Series, table } from './report.ts';
import { type ScenarioName, wrongReport } from './scenarios.ts';

/** What this build promises, and whether it keeps it, as far as it was played in this run. Empty where nothing was. */
export function renderMustShow({ series, entries }: Pick<Report, 'series' | 'entries'>): string {
  const of = (role: Contestant['role'], name: ScenarioName): Series | undefined =>
    series.find(({ contestant, scenario }) => contestant.role === role && scenario.name === name);
  const rlms = series.find(({ contestant, scenario }) => contestant.name === 'rlms' && scenario.name === 'chain');
  const rows = [
    ...compare('fan: seconds, 500 at a time / 16 at a time', [of('own', 'fan'), of('own', 'fan-16')], secondsOf, 1.15),
    ...compare('fan: seconds, this build / before', [of('own', 'fan'), of('before', 'fan')], secondsOf, 1),
    ...compare(
      'chain-slow: seconds, this build / floor',
      [of('own', 'chain-slow'), of('floor', 'chain-slow')],
      secondsOf,
      1.05,
    ),
    ...(['chain', 'tree', 'fan', 'fan-16'] as const).flatMap((name) =>
      compare(`${name}: CPU of an agent, this build / before`, [of('own', name), of('before', name)], cpuSeconds, 1.35),
    ),
    ...(['chain', 'tree', 'fan', 'fan-16'] as const).flatMap((name) =>
      beside(`${name}: CPU of Temporal alone / before`, of('steps', name), of('before', name)),
    ),
    ...[of('own', 'chain')].filter(isPlayed).map((own) => {
      const theirs = isPlayed(rlms) ? `, rlms ${overhead(rlms)}` : '';
      return ['chain: overhead', `${overhead(own)}${theirs}`, '-', '-'];
    }),
  ];
  return rows.length === 0 ? '' : ['## What it must show', table(['', 'measured', 'at most', ''], rows)].join('\n\n');

  /** No row where one of both did not take part; one that failed or answered wrong keeps no promise. */
  function compare(
    what: string,
    [one, other]: readonly (Series | undefined)[],
    measure: (series: Series) => number,
    limit: number,
  ): string[][] {
    if (one === undefined || other === undefined) return [];
    if (![one, other].every(isSound)) return [[what, 'runs failed or answered wrong', limit.toFixed(2), 'FAIL']];
    const ratio = measure(one) / measure(other);
    return [[what, ratio.toFixed(3), limit.toFixed(2), ratio <= limit ? 'pass' : 'FAIL']];
  }

  /** Promises nothing: how much of a limit is used up before any of this build's own work. */
  function beside(what: string, one: Series | undefined, other: Series | undefined): string[][] {
    if (!isPlayed(one) || !isPlayed(other)) return [];
    return [[what, (cpuSeconds(one) / cpuSeconds(other)).toFixed(3), '-', '-']];
  }

  function isSound({ scenario, performances, failures }: Series): boolean {
    const expected = scenario.reports(entries);
    const right = performances.every(({ answer }) => wrongReport(answer, expected) === undefined);
    return right && failures.length === 0 && performances.length > 0;
  }
}

function isPlayed(series: Series | undefined): series is Series {
  return series !== undefined && series.performances.length > 0;
}
