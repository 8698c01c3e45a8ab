import { Readable } from 'node:stream';
import { parse, CsvError, type Options } from 'csv-parse';
import { parse as parseSync } from 'csv-parse/sync';
import { invalid } from './invalid.ts';
import type { TableRow } from './table.ts';
import { utf8Text } from './utf8-reader.ts';

/** How a file of CSV is written. */
export interface Dialect {
  readonly delimiter: string;
  readonly quote: string;
  /** What makes a quote in quotes one of the text. */
  readonly escape: string;
  /** Lines before the names: one that says `sep=;`. */
  readonly linesBefore: number;
}

const DELIMITERS = [',', ';', '\t', '|'];
const SEPARATOR_LINE = /^"?sep=(.)"?(?:\r\n|\n|\r)/i;
const NAMES: Readonly<Record<string, string>> = { ',': 'commas', ';': 'semicolons', '\t': 'tabs', '|': 'pipes' };
/** Of its beginning, rows by which a dialect is judged. */
const SAMPLE_ROWS = 200;
/** A value may be as long as a text can be in JavaScript. */
const MAX_RECORD = 500_000_000;

/**
 * The dialect that cuts the beginning of a file into rows of the most even lengths.
 *
 * @param start - of its text
 * @param named - what the person says of it
 */
export function findDialect(start: string, isWhole: boolean, named: { readonly delimiter?: string; readonly extension?: string } = {}): Dialect {
  const line = SEPARATOR_LINE.exec(start);
  const linesBefore = line === null ? 0 : 1;
  const text = start.slice(line?.[0].length ?? 0);
  const said = named.delimiter ?? line?.[1];
  const likely = named.extension === '.tsv' ? ['\t', ...DELIMITERS.filter((each) => each !== '\t')] : DELIMITERS;
  const dialects = quotesOf(text).flatMap((quotes) =>
    (said === undefined ? likely : [said]).map((delimiter) => ({ delimiter, ...quotes, linesBefore })),
  );
  let best = { dialect: { delimiter: said ?? ',', quote: '"', escape: '"', linesBefore }, score: 0 };
  for (const dialect of dialects) {
    const score = evenness(text, isWhole, dialect);
    // The first of those that are as good; more of a difference than a few odd rows is wanted of a stranger one.
    if (score > best.score + 0.01) best = { dialect, score };
  }
  return best.dialect;
}

/** The usual quotes, and others where something in the text speaks for them. */
function quotesOf(text: string): readonly Pick<Dialect, 'quote' | 'escape'>[] {
  const hasDouble = /(?:^|[,;\t|\r\n])"/.test(text);
  const hasSingle = /(?:^|[,;\t|\r\n])'/.test(text);
  return [
    { quote: '"', escape: '"' },
    ...(hasDouble && text.includes('\\"') ? [{ quote: '"', escape: '\\' }] : []),
    ...(hasSingle && !hasDouble ? [{ quote: "'", escape: "'" }] : []),
  ];
}

/** The share of rows that have as many values as the first; 0 where there is one column, or it is not CSV. */
function evenness(text: string, isWhole: boolean, dialect: Dialect): number {
  let rows: string[][];
  try {
    rows = parseSync(text, { ...optionsOf(dialect), to: SAMPLE_ROWS }) as string[][];
  } catch {
    // A quote that is not closed where the sample ends is none.
    rows = isWhole ? [] : startRows(text, dialect);
  }
  if (!isWhole && rows.length > 1 && rows.length < SAMPLE_ROWS) rows.pop();
  const [first, ...others] = rows;
  const quote = dialect.quote;
  if (first === undefined || first.length < 2) return 0;
  // Quotes of another kind that were left where all values have them.
  if (first.every((name) => /^(["'])[^"']*\1$/.test(name) && name[0] !== quote)) return 0.1;
  return (others.filter((row) => row.length === first.length).length + 1) / rows.length;
}

function startRows(text: string, dialect: Dialect): string[][] {
  const end = text.lastIndexOf('\n', text.lastIndexOf(dialect.quote));
  try {
    return parseSync(text.slice(0, Math.max(end, 0)), { ...optionsOf(dialect), to: SAMPLE_ROWS }) as string[][];
  } catch {
    return [];
  }
}

function optionsOf({ delimiter, quote, escape }: Dialect): Options {
  return {
    delimiter,
    quote,
    escape,
    record_delimiter: ['\r\n', '\n', '\r'],
    relax_column_count: true,
    relax_quotes: true,
    skip_empty_lines: true,
    max_record_size: MAX_RECORD,
  };
}

/** The rows of CSV in UTF-8, with the names first. */
export async function* csvRows(bytes: AsyncIterable<Uint8Array>, dialect: Dialect, label: string): AsyncGenerator<TableRow> {
  const parser = parse({
    ...optionsOf({ ...dialect, delimiter: Buffer.from(dialect.delimiter).toString('latin1') }),
    // Latin-1 keeps every byte, and UTF-8 has no mark of CSV within a character: so bytes that are not UTF-8 get through.
    encoding: 'latin1',
    from_line: dialect.linesBefore + 1,
    info: true,
  });
  const source = Readable.from(bytes, { objectMode: false });
  source.on('error', (error) => parser.destroy(error));
  source.pipe(parser);
  try {
    // The parser counts both halves of a line end that stands in quotes.
    let countedTwice = 0;
    for await (const { record, info } of parser as AsyncIterable<{ record: string[]; info: { lines: number } }>) {
      for (const cell of record) if (cell.includes('\r\n')) countedTwice += cell.split('\r\n').length - 1;
      const values = record.map((cell) => (/[\x80-\xff]/.test(cell) ? utf8Text(cell) : cell));
      yield { values, line: info.lines - countedTwice };
    }
  } catch (error) {
    if (error instanceof CsvError) throw invalid(describeFault(error, label), error);
    throw error;
  } finally {
    source.destroy();
    parser.destroy();
  }
}

function describeFault(error: CsvError, label: string): string {
  const { lines } = error as CsvError & { readonly lines?: number };
  const what: Readonly<Record<string, string>> = {
    CSV_QUOTE_NOT_CLOSED: 'a quote is never closed',
    CSV_MAX_RECORD_SIZE: 'a row is longer than 500 MB',
    CSV_INVALID_CLOSING_QUOTE: 'there is text between a closing quote and the next delimiter',
  };
  return `${label}, line ${lines ?? 1} is not CSV: ${what[error.code] ?? error.message}`;
}

/** `CSV with semicolons`. */
export function describeDialect({ delimiter, quote, escape }: Dialect): string {
  const quotes = quote === '"' ? '' : `, values in ${quote}`;
  const escapes = escape === quote ? '' : `, quotes escaped by ${escape}`;
  return `CSV with ${NAMES[delimiter] ?? `"${delimiter}"`}${quotes}${escapes}`;
}

/** A row as a line of CSV. */
export function csvLine(values: readonly unknown[]): string {
  return `${values
    .map((value) => {
      const text = value === null || value === undefined ? '' : typeof value === 'object' ? JSON.stringify(value) : String(value);
      return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
    })
    .join(',')}\n`;
}

/** Whether a text looks like a table of more than one column. */
export function hasColumns(start: string, isWhole: boolean): boolean {
  return evenness(start, isWhole, findDialect(start, isWhole)) > 0.9;
}
