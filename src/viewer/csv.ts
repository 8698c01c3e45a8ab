import { isRecord } from '../domain/is-record.ts';

/** A list as CSV (RFC 4180): a column for each key of its dicts, or one for values that are none. */
export function toCsv(rows: readonly unknown[]): string {
  const keys = [...new Set(rows.flatMap((row) => (isRecord(row) ? Object.keys(row) : [])))];
  const columns = keys.length === 0 ? ['value'] : keys;
  const lines = rows.map((row) =>
    columns.map((key) => cell(isRecord(row) ? row[key] : key === columns[0] ? row : undefined)).join(','),
  );
  return `${[columns.map(cell).join(','), ...lines].join('\r\n')}\r\n`;
}

function cell(value: unknown): string {
  if (value === undefined || value === null) return '';
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  // A spreadsheet takes these for formulas.
  const inert = typeof value === 'string' && /^[=+@\t\r-]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(inert) ? `"${inert.replaceAll('"', '""')}"` : inert;
}
