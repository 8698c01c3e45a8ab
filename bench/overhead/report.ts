import type { Contestant, Performance } from './contestant.ts';
import type { Machine } from './machine.ts';
import { countAnswers, LATENCY, type Scenario } from './scenarios.ts';

/** All plays of a scenario by one contestant. */
export interface Series {
  readonly scenario: Scenario;
  readonly contestant: Contestant;
  readonly performances: readonly Performance[];
  /** Plays that gave no answer at all, by their errors. */
  readonly failures: readonly string[];
}

export interface Report {
  readonly machine: Machine;
  readonly rounds: number;
  readonly series: readonly Series[];
  /** Entries in each agent's folder, by which its answer is told right. */
  readonly entries: number;
  readonly repository: string;
  readonly skipped: readonly string[];
}

/** The whole report as Markdown. */
export function renderReport(report: Report): string {
  const { machine, rounds, skipped, repository } = report;
  const notes = [
    `Every model call takes ${LATENCY} ms; the ideal is the model time on the critical path. Time is from a run's start ` +
      `to its result with everything warm (one play of each beforehand), the median of ${rounds} (least to greatest). ` +
      `Each agent works in a clone of its own of ${repository}, but for peers without \`+clone\`.`,
    'CPU seconds and peak megabytes are medians too, by process; `sandboxes` is all that ran in them, ' +
      '`all, more` what the whole machine had less of.',
    'Answers: of how many agents, the root included, the answer arrived whole and in its place.',
  ];
  const contestants = new Map(report.series.map(({ contestant }) => [contestant.name, contestant.how]));
  return [
    '# Overhead',
    ...(machine.warning === undefined ? [] : [`**${machine.warning}**`]),
    machine.facts.map((fact) => `- ${fact}`).join('\n'),
    ...notes,
    [...contestants].map(([name, how]) => `- ${name}: ${how}`).join('\n'),
    ...skipped.map((reason) => `Left out: ${reason}.`),
    ...scenariosOf(report).map((scenario) => renderScenario(report, scenario)),
  ]
    .join('\n\n')
    .concat('\n');
}

function scenariosOf({ series }: Report): Scenario[] {
  return [...new Set(series.map(({ scenario }) => scenario))];
}

function renderScenario(report: Report, scenario: Scenario): string {
  const series = report.series.filter((candidate) => candidate.scenario === scenario);
  const ours = median(secondsOf(series[0]));
  const rows = series.map((one) => rowOf(one, { ours, entries: report.entries }));
  const failures = series.flatMap(({ contestant, failures: errors }) =>
    errors.map((error) => `${contestant.name} gave no answer: ${error.split('\n')[0]?.slice(0, 160)}`),
  );
  const heading = `## ${scenario.name}: ${scenario.title} (ideal ${scenario.ideal.toFixed(1)} s)`;
  return [heading, table(COLUMNS, rows), ...failures].join('\n\n');
}

const COLUMNS = ['', 'seconds', 'overhead', '× ideal', '× ours', 'answers', 'CPU s', 'peak MB'];

function rowOf(series: Series, { ours, entries }: { ours: number; entries: number }): string[] {
  const { scenario, contestant, performances } = series;
  const seconds = secondsOf(series);
  if (seconds.length === 0) return [contestant.name, ...COLUMNS.slice(1).map(() => '-')];
  const middle = median(seconds);
  const right = performances.map(({ answer }) => countAnswers(answer, scenario.reports(entries)));
  const range = `${middle.toFixed(2)} (${Math.min(...seconds).toFixed(2)} to ${Math.max(...seconds).toFixed(2)})`;
  return [
    contestant.name,
    range,
    overhead(scenario, middle),
    (middle / scenario.ideal).toFixed(2),
    (middle / ours).toFixed(2),
    `${median(right)} of ${scenario.agents}`,
    parts(
      performances.map(({ cpu }) => cpu),
      2,
    ),
    parts(
      performances.map(({ memory }) => memory),
      0,
    ),
  ];
}

function overhead({ ideal, iterations }: Scenario, seconds: number): string {
  return iterations === undefined
    ? `${(seconds - ideal).toFixed(2)} s`
    : `${(((seconds - ideal) / iterations) * 1000).toFixed(1)} ms an iteration`;
}

function secondsOf(series: Series | undefined): number[] {
  return series?.performances.map(({ seconds }) => seconds) ?? [];
}

/** Medians by part, and of their sum where there are several. */
function parts(all: readonly Readonly<Record<string, number>>[], digits: number): string {
  const names = Object.keys(all[0] ?? {});
  return names.map((name) => `${name} ${median(all.map((one) => one[name] ?? 0)).toFixed(digits)}`).join(', ');
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const [low, high] = [sorted[(sorted.length - 1) >> 1], sorted[sorted.length >> 1]];
  return ((low ?? Number.NaN) + (high ?? Number.NaN)) / 2;
}

/** Columns as wide as their widest cell, as the formatter has them. */
export function table(columns: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [columns, ...rows];
  const widths = columns.map((_, index) => Math.max(3, ...all.map((row) => row[index]?.length ?? 0)));
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, index) => cell.padEnd(widths[index] ?? 0)).join(' | ')} |`;
  return [line(columns), line(widths.map((width) => '-'.repeat(width))), ...rows.map(line)].join('\n');
}
