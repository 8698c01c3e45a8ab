import { Readable } from 'node:stream';
import { parse, CsvError, type Options } from 'csv-parse';
import { parse as parseSync } from 'csv-parse/sync';
import { cellText } from './cell-value.ts';
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

/** What a person says of a dialect, or the name of its file. */
export interface DialectHints {
  readonly delimiter?: string;
  readonly quote?: string;
  readonly escape?: string;
  /** `.tsv` */
  readonly extension?: string;
}

interface Judged {
  readonly dialect: Dialect;
  /** The share of rows that have as many values as the first; 0 where there is one column, or it is not CSV. */
  readonly evenness: number;
  /** Values of the first row, where there is no other. */
  readonly columns: number;
  readonly rows: number;
}

/**
 * The dialect that cuts the beginning of a file into rows of the most even lengths.
 *
 * @param start - of its text
 */
export function findDialect(start: string, isWhole: boolean, hints: DialectHints = {}): Dialect {
  return judgeDialects(start, isWhole, hints).dialect;
}

function judgeDialects(start: string, isWhole: boolean, hints: DialectHints): Judged {
  const line = SEPARATOR_LINE.exec(start);
  const linesBefore = line === null ? 0 : 1;
  const text = start.slice(line?.[0].length ?? 0);
  const said = hints.delimiter ?? line?.[1];
  const likely = hints.extension === '.tsv' ? ['\t', ...DELIMITERS.filter((each) => each !== '\t')] : DELIMITERS;
  const [first, ...others] = quotesOf(text, hints).flatMap((quotes) =>
    (said === undefined ? likely : [said]).map((delimiter) =>
      judge(text, isWhole, { delimiter, ...quotes, linesBefore }),
    ),
  );
  if (first === undefined) throw new Error('there are no dialects');
  // The first of those that are as good; more of a difference than a few odd rows is wanted of a less usual one.
  return others.reduce((best, each) => {
    const difference = each.evenness - best.evenness;
    return difference > 0.01 || (difference === 0 && each.columns > best.columns) ? each : best;
  }, first);
}

/** The usual quotes, and others where something in the text speaks for them. */
function quotesOf(text: string, { quote, escape }: DialectHints): readonly Pick<Dialect, 'quote' | 'escape'>[] {
  if (quote !== undefined || escape !== undefined) return [{ quote: quote ?? '"', escape: escape ?? quote ?? '"' }];
  return [
    { quote: '"', escape: '"' },
    ...(text.includes('\\"') ? [{ quote: '"', escape: '\\' }] : []),
    ...(/(?:^|[,;\t|\r\n])'/.test(text) ? [{ quote: "'", escape: "'" }] : []),
  ];
}

function judge(text: string, isWhole: boolean, dialect: Dialect): Judged {
  const strict = sampleRows(text, dialect, false);
  // A quote that is not closed where the sample ends is none.
  const rows = strict ?? sampleRows(isWhole ? text : withoutOpenQuote(text, dialect), dialect, true) ?? [];
  if (!isWhole && rows.length > 1 && rows.length < SAMPLE_ROWS) rows.pop();
  const [first, ...others] = rows;
  if (first === undefined || first.length < 2) return { dialect, evenness: 0, columns: 0, rows: rows.length };
  const columns = others.length === 0 ? first.length : 0;
  // Quotes of another kind that were left where all names have them.
  if (first.every((name) => /^(["']).*\1$/s.test(name) && name[0] !== dialect.quote))
    return { dialect, evenness: 0.1, columns, rows: rows.length };
  const evenness = (others.filter((row) => row.length === first.length).length + 1) / rows.length;
  return { dialect, evenness: strict === undefined ? evenness - ODD_QUOTES : evenness, columns, rows: rows.length };
}

/** What quotes in odd places take from the evenness of rows. */
const ODD_QUOTES = 0.02;

function sampleRows(text: string, dialect: Dialect, relax_quotes: boolean): string[][] | undefined {
  try {
    return parseSync(text, { ...optionsOf(dialect), relax_quotes, to: SAMPLE_ROWS });
  } catch {
    return undefined;
  }
}

function withoutOpenQuote(text: string, { quote }: Dialect): string {
  return text.slice(0, Math.max(0, text.lastIndexOf('\n', text.lastIndexOf(quote))));
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
export async function* csvRows(
  bytes: AsyncIterable<Uint8Array>,
  dialect: Dialect,
  label: string,
): AsyncGenerator<TableRow> {
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
      const values = record.map(utf8Text);
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
      const text = cellText(value);
      return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
    })
    .join(',')}\n`;
}

/** Whether a text looks like a table: rows under a header, of more than one column. */
export function hasColumns(start: string, isWhole: boolean): boolean {
  const { evenness, rows } = judgeDialects(start, isWhole, {});
  return evenness > 0.9 && rows > 1;
}
