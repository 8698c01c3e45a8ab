import type { Contestant, Performance } from './contestant.ts';
import type { Machine } from './machine.ts';
import { countAnswers, LATENCY, type Scenario, SLOW_LATENCY } from './scenarios.ts';

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

/** The whole report as Markdown, with what the run must show after the notes. */
export function renderReport(report: Report, mustShow: string): string {
  const { machine, rounds, skipped, repository } = report;
  const notes = [
    `Every model call takes ${LATENCY} ms (in chain-slow ${SLOW_LATENCY} ms); the ideal is the model time on the ` +
      `critical path. Time is from a run's start to its result with everything warm (one play of each beforehand), the median of ${rounds} (least to greatest). ` +
      `Each agent works in a clone of its own of ${repository}, but for the floor and peers without \`+clone\`.`,
    'CPU seconds and peak megabytes are medians too, by process; `sandboxes` is all that ran in them, `machine` what all ' +
      'processors of the machine did but for the bench and its model, `all, more` what the whole machine had less of. ' +
      'CPU ratios are those of the sums of the parts.',
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
    ...(mustShow === '' ? [] : [mustShow]),
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
  const before = series.find(({ contestant }) => contestant.role === 'before');
  const columns = before === undefined ? COLUMNS : [...COLUMNS, ...BEFORE_COLUMNS];
  const rows = series.map((one) => {
    const cells = one.performances.length === 0 ? [] : cellsOf(one, { ours: series[0] ?? one, before, report });
    return columns.map((_, index) => cells[index] ?? (index === 0 ? one.contestant.name : '-'));
  });
  const failures = series.flatMap(({ contestant, failures: errors }) =>
    errors.map((error) => `${contestant.name} gave no answer: ${error.split('\n')[0]?.slice(0, 160)}`),
  );
  const heading = `## ${scenario.name}: ${scenario.title} (ideal ${scenario.ideal.toFixed(1)} s)`;
  return [heading, table(columns, rows), ...failures].join('\n\n');
}

const COLUMNS = ['', 'seconds', 'overhead', '× ideal', '× ours', 'answers', 'CPU s', 'peak MB'];
/** Where another build takes part: by this build only. */
const BEFORE_COLUMNS = ['× before', 'CPU × before'];

/** As many cells of a row as there are figures. */
function cellsOf(
  series: Series,
  { ours, before, report }: { ours: Series; before: Series | undefined; report: Report },
): string[] {
  const { scenario, contestant, performances } = series;
  const seconds = performances.map((performance) => performance.seconds);
  const middle = secondsOf(series);
  const right = performances.map(({ answer }) => countAnswers(answer, scenario.reports(report.entries)));
  const machine = performances.flatMap(({ machineCpu }) => machineCpu ?? []);
  const cpu = parts(
    performances.map((performance) => performance.cpu),
    2,
  );
  const cells = [
    contestant.name,
    `${middle.toFixed(2)} (${Math.min(...seconds).toFixed(2)} to ${Math.max(...seconds).toFixed(2)})`,
    overhead(series),
    (middle / scenario.ideal).toFixed(2),
    (middle / secondsOf(ours)).toFixed(2),
    contestant.role === 'steps' ? '-' : `${median(right)} of ${scenario.agents}`,
    machine.length === 0 ? cpu : `${cpu}; machine ${median(machine).toFixed(2)}`,
    parts(
      performances.map(({ memory }) => memory),
      0,
    ),
  ];
  if (series !== ours || before === undefined || before.performances.length === 0) return cells;
  return [...cells, (middle / secondsOf(before)).toFixed(2), (cpuSeconds(series) / cpuSeconds(before)).toFixed(2)];
}

/** What the median play took beyond the model's own time. */
export function overhead(series: Series): string {
  const { ideal, iterations } = series.scenario;
  const seconds = secondsOf(series) - ideal;
  return iterations === undefined
    ? `${seconds.toFixed(2)} s`
    : `${((seconds / iterations) * 1000).toFixed(1)} ms an iteration`;
}

/** Median of its plays. */
export function secondsOf({ performances }: Series): number {
  return median(performances.map(({ seconds }) => seconds));
}

/** Of all processes together, median of its plays. */
export function cpuSeconds({ performances }: Series): number {
  return median(performances.map(({ cpu }) => Object.values(cpu).reduce((sum, part) => sum + part, 0)));
}

/** Medians by part. */
function parts(all: readonly Readonly<Record<string, number>>[], digits: number): string {
  const names = Object.keys(all[0] ?? {});
  return names.map((name) => `${name} ${median(all.map((one) => one[name] ?? 0)).toFixed(digits)}`).join(', ');
}

function median(values: readonly number[]): number {
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
