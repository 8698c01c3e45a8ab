import { readFile } from 'node:fs/promises';
import type { SchemaTree } from 'hyparquet';
import type { SheetData } from 'read-excel-file/node';
import { utf8Text } from '../utf8-reader.ts';
import { BIG_INTEGER, type DocumentKind, type DocumentMessage, type DocumentRequest } from './kinds.ts';
import { describeGaps, findGaps } from './xlsx-gaps.ts';

type Messages = AsyncGenerator<DocumentMessage>;

/** Rows of Parquet that are held at a time. */
const ROWS = 1000;

export const readers: Readonly<Record<DocumentKind, (request: DocumentRequest) => Messages>> = {
  pdf: readPdf,
  docx: readDocx,
  xlsx: readXlsx,
  parquet: readParquet,
};

/** The text of each page. What its scripts would do is not done. */
async function* readPdf({ path }: DocumentRequest): Messages {
  const { getDocumentProxy } = await import('unpdf');
  try {
    const pdf = await getDocumentProxy(new Uint8Array(await readFile(path)), { isEvalSupported: false, verbosity: 0 });
    for (let number = 1; number <= pdf.numPages; number += 1) {
      const page = await pdf.getPage(number);
      const { items } = await page.getTextContent();
      const parts = items.map((item) => ('str' in item ? `${item.str}${item.hasEOL ? '\n' : ''}` : ''));
      yield { kind: 'text', text: parts.join('') };
      page.cleanup();
    }
  } catch (error) {
    const { name, message } = error as Error;
    if (name === 'PasswordException')
      throw new Error('it is protected by a password; save a copy without one', { cause: error });
    throw new Error(`it is damaged, or no PDF (${message})`, { cause: error });
  }
  yield { kind: 'end' };
}

/** The text of each paragraph that has one. */
async function* readDocx({ path }: DocumentRequest): Messages {
  const { default: mammoth } = await import('mammoth');
  const { value } = await mammoth.extractRawText({ path }).catch((error: unknown) => {
    throw new Error(`it is damaged, or no DOCX (${(error as Error).message})`, { cause: error });
  });
  for (const text of value.split('\n\n')) if (text.trim() !== '') yield { kind: 'text', text };
  yield { kind: 'end' };
}

/** The rows of one sheet, or of all. */
async function* readXlsx({ path, sheet: wanted, allSheets = false }: DocumentRequest): Messages {
  const { default: readExcelFile } = await import('read-excel-file/node');
  const all = await readExcelFile(path).catch((error: unknown) => {
    throw new Error(`it is damaged, or no XLSX (${(error as Error).message})`, { cause: error });
  });
  // A sheet that is a chart has no data, whatever the types of the library say.
  const sheets = all
    .map(({ sheet, data }, index) => ({ sheet, data: data as typeof data | undefined, index }))
    .filter((each): each is { sheet: string; data: SheetData; index: number } => each.data !== undefined);
  const names = sheets.map(({ sheet }) => sheet);
  const exact = sheets.filter(({ sheet }) => sheet === wanted);
  // Excel tells names apart neither by case nor, for who reads them, by blanks around them.
  const found =
    exact.length > 0 ? exact : sheets.filter(({ sheet }) => plainName(sheet) === plainName(wanted)).slice(0, 1);
  const numbered = sheets.slice(Number(wanted) - 1, Number(wanted));
  const read =
    wanted === undefined ? sheets.slice(0, allSheets ? sheets.length : 1) : found.length > 0 ? found : numbered;
  if (read.length === 0) throw new Error(`it has no sheet ${wanted}; its sheets are ${names.join(', ')}`);
  for (const { sheet, data } of read) {
    if (read.length > 1) yield { kind: 'sheet', name: sheet };
    const rows = data.map((row) => row.map((cell) => (cell instanceof Date ? excelDate(cell) : cell)));
    for (let start = 0; start < rows.length; start += ROWS)
      yield { kind: 'rows', rows: rows.slice(start, start + ROWS) };
  }
  const archive = await readFile(path);
  const notes = describeGaps(read.map(({ index }) => findGaps(archive, index)));
  if (sheets.length === read.length) yield { kind: 'end', notes };
  else yield { kind: 'end', notes, about: `sheet ${read[0]?.sheet} of ${names.join(', ')}` };
}

function plainName(name = ''): string {
  return name.trim().toLowerCase();
}

/** Excel counts its days from here; a time of day is a part of the first. */
const EXCEL_EPOCH = Date.UTC(1899, 11, 30);
const DAY_MS = 86_400_000;

/** A date without a time is a date, a time without a date a time; Excel knows of no time zones. */
function excelDate(date: Date): string {
  const text = isoDate(date, 'local');
  const sinceEpoch = date.getTime() - EXCEL_EPOCH;
  if (sinceEpoch >= 0 && sinceEpoch < DAY_MS) return text.slice(text.indexOf('T') + 1);
  return text.replace(/T00:00:00$/, '');
}

type DateForm = 'date' | 'local' | 'utc';

/** As Python's `isoformat` writes it. */
function isoDate(date: Date, form: DateForm): string {
  const text = date.toISOString().replace(/(?:\.000)?Z$/, '');
  if (form === 'date') return text.slice(0, text.indexOf('T'));
  return form === 'utc' ? `${text}+00:00` : text;
}

async function* readParquet({ path }: DocumentRequest): Messages {
  const { asyncBufferFromFile, parquetMetadataAsync, parquetReadObjects, parquetSchema } = await import('hyparquet');
  const { compressors } = await import('hyparquet-compressors');
  const file = await asyncBufferFromFile(path);
  const metadata = await parquetMetadataAsync(file).catch((error: unknown) => {
    throw new Error(`it is damaged, or no Parquet (${(error as Error).message})`, { cause: error });
  });
  const columns = parquetSchema(metadata).children;
  const names = columns.map(({ element }) => element.name);
  const forms = columns.map(dateForm);
  yield { kind: 'rows', rows: [names] };
  const count = Number(metadata.num_rows);
  for (let rowStart = 0; rowStart < count; rowStart += ROWS) {
    const rowEnd = Math.min(rowStart + ROWS, count);
    const found = await parquetReadObjects({ file, metadata, compressors, rowStart, rowEnd, utf8: false });
    yield { kind: 'rows', rows: found.map((row) => names.map((name, at) => plainValue(row[name], forms[at]))) };
  }
  yield { kind: 'end' };
}

/** How the dates of a column are meant; those of a list by its items. */
function dateForm({ element, children }: SchemaTree): DateForm {
  const [only, ...others] = children;
  if (only !== undefined && others.length === 0) return dateForm(only);
  const { logical_type: logical, converted_type: converted } = element;
  if (logical?.type === 'DATE' || converted === 'DATE') return 'date';
  if (logical?.type === 'TIMESTAMP') return logical.isAdjustedToUTC ? 'utc' : 'local';
  return converted?.startsWith('TIMESTAMP') === true ? 'utc' : 'local';
}

/** A value of Parquet as JSON has it: bytes as text, those that are not UTF-8 as `surrogateescape` has them. */
function plainValue(value: unknown, form: DateForm = 'local'): unknown {
  if (typeof value === 'bigint')
    return Number.isSafeInteger(Number(value)) ? Number(value) : { [BIG_INTEGER]: String(value) };
  if (typeof value === 'number') return Number.isFinite(value) ? value : null;
  if (value instanceof Date) return isoDate(value, form);
  if (value instanceof Uint8Array) return utf8Text(Buffer.from(value).toString('latin1'));
  if (Array.isArray(value)) return value.map((each) => plainValue(each, form));
  if (typeof value !== 'object' || value === null) return value ?? null;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, plainValue(item, form)]));
}
