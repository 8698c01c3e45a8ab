import { extname } from 'node:path';
import { batchReferenceName, type BatchReference, type BatchReport, type ReportedItem } from '../../domain/batch.ts';
import { csvLine } from '../../inputs/index.ts';
import { addFindings, type FindingCounts } from '../../domain/findings.ts';
import type { BlobStore } from '../../storage/blob-store.ts';
import { createChains } from '../../storage/chain.ts';
import { formatCost, plural } from '../live/format.ts';
import { oneLine } from '../live/text.ts';
import { CommandError } from '../report-error.ts';
import { describeFindings } from '../render-findings.ts';

export type ReportFormat = 'md' | 'json' | 'csv';

export function reportFormat(file: string): ReportFormat {
  const format = extname(file).slice(1).toLowerCase();
  if (format === 'md' || format === 'json' || format === 'csv') return format;
  throw new CommandError(`A report is a file that ends in .md, .json or .csv, not "${file}".`);
}

export function renderReport(report: BatchReport, format: ReportFormat): string {
  if (format === 'json') return `${JSON.stringify(report, undefined, 2)}\n`;
  return format === 'csv' ? renderCsv(report) : renderMarkdown(report);
}

const COLUMNS = [
  'item',
  'status',
  'answer',
  'error',
  'has_patch',
  'cost',
  'execution_time',
  'is_new',
  'run',
] as const satisfies readonly (keyof ReportedItem)[];

const FINDINGS = ['new', 'changed', 'gone', 'open'] as const satisfies readonly (keyof FindingCounts)[];

function renderCsv({ items }: BatchReport): string {
  const hasFindings = items.some(({ findings }) => findings !== undefined);
  const kinds = hasFindings ? FINDINGS : [];
  const rows = items.map((item) => [
    ...COLUMNS.map((name) => item[name] ?? ''),
    ...kinds.map((kind) => item.findings?.[kind] ?? ''),
  ]);
  return [[...COLUMNS, ...kinds.map((kind) => `findings_${kind}`)], ...rows].map((row) => csvLine(row)).join('');
}

function renderMarkdown(report: BatchReport): string {
  const cell = (text: string): string => oneLine(text).replaceAll('|', String.raw`\|`);
  const hasFindings = report.items.some(({ findings }) => findings !== undefined);
  const line = (...cells: readonly string[]): string => `| ${cells.map(cell).join(' | ')} |`;
  const rows = report.items.map(({ item, status, answer, error, has_patch, findings, cost, run }) => {
    const found = hasFindings ? [findings === undefined ? '' : describeFindings(findings)] : [];
    return line(item, status, answer ?? error ?? '', has_patch ? 'yes' : '', ...found, formatCost(cost), run);
  });
  const titles = ['item', 'status', 'answer', 'patch', ...(hasFindings ? ['findings'] : []), 'cost', 'run'];
  return [
    `# Batch ${report.batch}`,
    '',
    summaryOf(report),
    '',
    line(...titles),
    line(...titles.map(() => '---')),
    ...rows,
    '',
  ].join('\n');
}

/** One line: what is new, and what all of it is. */
export function summaryOf(report: BatchReport): string {
  return `${endsOf(report)}${findingsOf(report)}`;
}

function endsOf({ total, counts, cost }: BatchReport): string {
  const { completed, failed, kept_completed, kept_failed, not_started } = counts;
  const ran = completed + failed;
  const all = `${plural(total, 'item')}: ${completed + kept_completed} completed, ${failed + kept_failed} failed`;
  const rest = not_started === 0 ? '' : `, ${not_started} not started`;
  if (ran === 0) return `${all}${rest}. Nothing ran, and nothing changed since the last time.`;
  const spent = formatCost(cost);
  return `${all}${rest}. ${ran} ran this time${spent === '' ? '' : `, for ${spent}`}.`;
}

/** Of what ran this time. */
function findingsOf({ items }: BatchReport): string {
  const found = items.flatMap(({ is_new, findings }) => (is_new && findings !== undefined ? [findings] : []));
  return found.length === 0 ? '' : ` Findings: ${describeFindings(found.reduce(addFindings))}.`;
}

/** Whether an item failed, or was not started. */
export function hasFailures({ counts: { failed, kept_failed, not_started } }: Pick<BatchReport, 'counts'>): boolean {
  return failed + kept_failed + not_started > 0;
}

/** The newest report of a batch. */
export async function lastReport(blobs: BlobStore, batch: string): Promise<BatchReport | undefined> {
  const prefix = batchReferenceName(batch, '');
  const names = (await blobs.listReferences(prefix)).filter((name) => !/[@/]/.test(name.slice(prefix.length)));
  const references = (await Promise.all(names.map((name) => blobs.getReference(name)))) as BatchReference[];
  const newest = references.toSorted((a, b) => b.ended_at - a.ended_at)[0];
  return newest === undefined ? undefined : ((await createChains(blobs).getJson(newest.report)) as BatchReport);
}
