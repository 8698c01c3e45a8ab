import { isRecord } from '../domain/is-record.ts';
import { TypedError } from '../domain/failures.ts';
import type { PlotSpec } from './plot-spec.ts';
import { readDate } from './read-date.ts';

export type Row = Readonly<Record<string, unknown>>;

/** What lies along the horizontal axis. */
export type Scale = 'numbers' | 'dates';

/** What a chart is drawn of. */
export interface ChartRows {
  /** The output field they are from. */
  readonly field: string;
  readonly rows: readonly Row[];
  readonly scale: Scale;
  /** Entries of that field that have no place on the scale of x, or no number for y. */
  readonly skipped: number;
}

/**
 * The rows that a chart shows, out of an analysis's output: the first field that is a list of dicts with the spec's
 * keys. Along x lie numbers, or dates as texts (see `readDate`): what more entries have. Left out are entries whose x is
 * no such, or whose y is no finite number; text that looks like a number is none.
 *
 * @throws TypedError `Input.Invalid` naming the fields and keys that there are
 */
export function rowsOf(fields: Readonly<Record<string, unknown>>, spec: PlotSpec): ChartRows {
  const lists = Object.entries(fields).flatMap(([field, value]) =>
    Array.isArray(value) ? [{ field, entries: value.filter(isRecord), length: value.length }] : [],
  );
  const wanted = keysOf(spec);
  const found = lists.find(({ entries }) => wanted.every((key) => entries.some((entry) => Object.hasOwn(entry, key))));
  if (found === undefined) throw noSuchField(fields, lists, wanted);
  const scale = scaleOf(found.entries, spec);
  const rows = found.entries.filter((entry) => isPlottable(entry, spec, scale));
  if (rows.length === 0) {
    throw new TypedError(
      'Input.Invalid',
      `There is nothing to plot: no entry of ${found.field} has ${wantedOf(spec)}. ` +
        `The first is ${excerpt(found.entries[0])}. Name keys whose values are numbers, or for x dates.`,
    );
  }
  return { field: found.field, rows, scale, skipped: found.length - rows.length };
}

/** The one on which more of the rows have a place. */
export function scaleOf(rows: readonly Row[], spec: PlotSpec): Scale {
  const placed = (scale: Scale): number => rows.filter((row) => isPlottable(row, spec, scale)).length;
  return placed('dates') > placed('numbers') ? 'dates' : 'numbers';
}

/** Whether a chart can show it. */
export function isPlottable(row: Row, spec: PlotSpec, scale: Scale): boolean {
  return placeOf(row, spec, scale) !== undefined && Number.isFinite(row[spec.y]);
}

/** A row's x; of a date, milliseconds since the epoch. Undefined where it has no place on the scale. */
export function placeOf(row: Row, { x }: PlotSpec, scale: Scale): number | undefined {
  const value = row[x];
  if (scale === 'dates') return typeof value === 'string' ? readDate(value) : undefined;
  return typeof value === 'number' && Number.isFinite(value) ? value : undefined;
}

/** Of every row that is drawn. */
export function wantedOf({ x, y }: PlotSpec): string {
  return x === y ? `a number for ${y}` : `a number or a date such as 2024-05-17 for ${x}, and a number for ${y}`;
}

function keysOf({ x, y, series }: PlotSpec): string[] {
  return [...new Set([x, y, ...(series === undefined ? [] : [series])])];
}

function noSuchField(
  fields: Readonly<Record<string, unknown>>,
  lists: readonly { readonly field: string; readonly entries: readonly Row[] }[],
  wanted: readonly string[],
): TypedError {
  const names = wanted.map((key) => `"${key}"`).join(', ');
  const there = Object.keys(fields).map((field) => {
    const entries = lists.find((list) => list.field === field)?.entries ?? [];
    return `${field} (${entries.length === 0 ? kindOf(fields[field]) : `keys ${allKeys(entries)}`})`;
  });
  return new TypedError(
    'Input.Invalid',
    `No output field is a list of dicts with the keys ${names}. ` +
      `There ${there.length === 1 ? 'is' : 'are'} ${there.join('; ') || 'no fields at all'}. ` +
      'Name keys that there are, as in --plot x=chapter,y=wealth,series=character.',
  );
}

const SHOWN_KEYS = 20;

function allKeys(entries: readonly Row[]): string {
  const keys = [...new Set(entries.slice(0, 1000).flatMap((entry) => Object.keys(entry)))];
  const more = keys.length > SHOWN_KEYS ? `, and ${keys.length - SHOWN_KEYS} more` : '';
  return keys.slice(0, SHOWN_KEYS).join(', ') + more;
}

function kindOf(value: unknown): string {
  if (value === null || value === undefined) return 'nothing';
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : 'a list without dicts';
  return typeof value === 'object' ? 'a dict' : `a ${typeof value}`;
}

function excerpt(row: Row | undefined): string {
  const text = JSON.stringify(row) ?? 'none';
  return text.length > 200 ? `${text.slice(0, 200)}...` : text;
}
