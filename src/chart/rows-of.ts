import { isRecord } from '../domain/is-record.ts';
import { TypedError } from '../domain/failures.ts';
import type { PlotSpec } from './plot-spec.ts';

export type Row = Readonly<Record<string, unknown>>;

/** What a chart is drawn of. */
export interface ChartRows {
  /** The output field they are from. */
  readonly field: string;
  readonly rows: readonly Row[];
  /** Entries of that field without a number for x or for y. */
  readonly leftOut: number;
}

/**
 * The rows that a chart shows, out of an analysis's output: the first field that is a list of dicts with the spec's
 * keys. Left out are entries whose x or y is no finite number; text that looks like one is none.
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
  const rows = found.entries.filter((entry) => isPlottable(entry, spec));
  if (rows.length === 0) {
    throw new TypedError(
      'Input.Invalid',
      `There is nothing to plot: no entry of ${found.field} has numbers for both ${spec.x} and ${spec.y}. ` +
        `The first is ${excerpt(found.entries[0])}. Name keys whose values are numbers.`,
    );
  }
  return { field: found.field, rows, leftOut: found.length - rows.length };
}

/** Whether a chart can show it. */
export function isPlottable(row: Row, { x, y }: PlotSpec): boolean {
  return Number.isFinite(row[x]) && Number.isFinite(row[y]);
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
