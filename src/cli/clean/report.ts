import type { BlobCount } from '../../storage/sweep-blobs.ts';
import { plural } from '../live/format.ts';
import { fit, oneLine, padEnd, padStart } from '../live/text.ts';

/** What `rlm clean --json` prints. */
export interface CleanReport {
  readonly sandboxes: readonly LeftSandbox[];
  readonly temporary: readonly LeftFile[];
  readonly caches: readonly OldCache[];
  readonly runs: readonly OldRun[];
  /** Grants and the like of runs that are gone; null where they were not looked at. */
  readonly grants: GrantReport | null;
  /** Null where they were not looked at. */
  readonly blobs: BlobReport | null;
  /** What could not be judged, or was left alone on purpose, one sentence each. */
  readonly notes: readonly string[];
  /** What could not be deleted. */
  readonly failures: readonly string[];
}

interface Deletable {
  readonly deleted: boolean;
}

export interface LeftSandbox extends Deletable {
  readonly provider: string;
  readonly sandbox: string;
  readonly run: string | null;
  readonly agent: string | null;
  readonly why: string;
}

export interface LeftFile extends Deletable {
  readonly path: string;
  readonly bytes: number;
}

export interface OldCache extends LeftFile {
  readonly kind: string;
  /** ISO 8601. */
  readonly last_used: string;
  /** Not used for the time of --unused-for. */
  readonly unused: boolean;
}

export interface OldRun extends Deletable {
  readonly run_id: string;
  readonly execution: string;
  /** ISO 8601. */
  readonly ended_at: string;
}

export interface GrantReport extends Deletable {
  readonly grants: number;
}

export interface BlobReport extends Deletable {
  readonly all: BlobCount;
  readonly abandoned: BlobCount;
  readonly kept: BlobCount;
}

type Row = readonly [what: string, size: string, about: string];

/** The report as a table; empty where there is nothing to tell of. */
export function reportTable(report: CleanReport, columns: number): string[] {
  const rows: Row[] = [
    ...report.sandboxes.map((each): Row => [`sandbox ${each.sandbox}`, '', `${each.why}${gone(each)}`]),
    ...report.temporary.map((each): Row => [`temporary ${each.path}`, formatBytes(each.bytes), gone(each, '')]),
    ...cacheRows(report.caches),
    ...report.runs.map((each): Row => [`run ${each.run_id}`, '', `ended ${each.ended_at.slice(0, 10)}${gone(each)}`]),
    ...grantRows(report.grants),
    ...blobRows(report.blobs),
  ];
  if (rows.length === 0) return [];
  const lines: Row[] = [['WHAT', 'SIZE', ''], ...rows];
  const [what, size] = [0, 1].map((at) => Math.max(...lines.map((row) => oneLine(row[at] ?? '').length)));
  return lines.map(([a, b, c]) =>
    fit(`${padEnd(oneLine(a), what ?? 0)}  ${padStart(b, size ?? 0)}  ${oneLine(c)}`, columns).trimEnd(),
  );
}

/** One row a kind: there may be many. */
function cacheRows(caches: readonly OldCache[]): Row[] {
  return [...new Set(caches.map(({ kind }) => kind))].map((kind) => {
    const all = caches.filter((each) => each.kind === kind);
    const unused = all.filter((each) => each.unused);
    const about =
      unused.length === 0
        ? 'all in use'
        : `${unused.length} unused${unused.length === all.length ? '' : `, ${formatBytes(sum(unused))}`}`;
    const deleted = unused.filter((each) => each.deleted).length;
    return [
      `cache: ${plural(all.length, kind, PLURALS[kind] ?? `${kind}s`)}`,
      formatBytes(sum(all)),
      `${about}${deleted === 0 ? '' : `; ${deleted} deleted`}`,
    ];
  });
}

const PLURALS: Readonly<Record<string, string>> = { repository: 'repositories' };

function grantRows(found: GrantReport | null): Row[] {
  return found === null || found.grants === 0
    ? []
    : [[`grants: ${found.grants}`, '', `of runs that are gone${gone(found)}`]];
}

function blobRows(blobs: BlobReport | null): Row[] {
  if (blobs === null || blobs.all.blobs === 0) return [];
  const { all, abandoned, kept } = blobs;
  const about = [
    `${abandoned.blobs} that no run refers to, ${formatBytes(abandoned.bytes)}${gone(blobs)}`,
    ...(kept.blobs === 0 ? [] : [`${kept.blobs} more are too new or of runs under way`]),
  ];
  return [[`blobs: ${all.blobs}`, formatBytes(all.bytes), about.join('; ')]];
}

function gone({ deleted }: Deletable, separator = ': '): string {
  return deleted ? `${separator}deleted` : '';
}

function sum(files: readonly LeftFile[]): number {
  return files.reduce((total, { bytes }) => total + bytes, 0);
}

/** `512 B`, `1.5 KB`, `12 MB`. */
export function formatBytes(bytes: number): string {
  const units = ['B', 'KB', 'MB', 'GB', 'TB'];
  const power = Math.min(units.length - 1, bytes < 1 ? 0 : Math.floor(Math.log10(bytes) / 3));
  const value = bytes / 1000 ** power;
  return `${power > 0 && value < 9.95 ? value.toFixed(1) : Math.round(value)} ${units[power] ?? ''}`;
}
