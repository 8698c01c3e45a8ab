import type { Field } from '../domain/signature/field-type.ts';
import { renderType } from '../domain/signature/render.ts';
import type { Content } from './content.ts';
import { csvRows, describeDialect, findDialect } from './csv.ts';
import { isTable, kindName, type DocumentKind } from './documents/kinds.ts';
import { documentMessages } from './documents/messages.ts';
import { notUtf8 } from './encoding.ts';
import { invalid } from './invalid.ts';
import { JsonLinesCheck } from './json-lines.ts';
import type { ListItems } from './list-items.ts';
import type { ReadOptions } from './read-options.ts';
import { Table, type TableRow } from './table.ts';
import { asBuffer, Utf8Reader } from './utf8-reader.ts';

/** The items of a list out of one file, as JSON Lines, and what is to be said of them when all were read. */
export interface FileItems {
  readonly lines: AsyncIterable<string | Uint8Array>;
  readonly notes: () => readonly string[];
}

type Text = Extract<Content, { kind: 'text' }>;

/** Rows of CSV. */
export function csvItems(content: Text, field: Field, items: ListItems, options: ReadOptions): FileItems {
  const { label, typed, extension, start, isWhole, found, bytes } = content;
  const dialect = findDialect(start, isWhole, { ...options, extension });
  const table = new Table(field, { label, typed, isNamedDelimiter: options.delimiter !== undefined }, items);
  const reader = new Utf8Reader();
  async function* watched(): AsyncGenerator<Uint8Array> {
    for await (const chunk of bytes) {
      reader.read(chunk);
      yield chunk;
    }
    reader.end();
  }
  return {
    lines: tableLines(csvRows(watched(), dialect, label), table),
    notes() {
      const sample = reader.oddSample;
      const odd = sample === undefined ? [] : [notUtf8(field.name, typed, { names: [label], count: 1, sample })];
      return [
        `${field.name}: read ${label} as ${[describeDialect(dialect), ...found].join(', ')}: ${table.describe()}`,
        ...table.notes(),
        ...odd,
      ];
    },
  };
}

async function* tableLines(rows: AsyncIterable<TableRow>, table: Table): AsyncGenerator<string> {
  for await (const row of rows) yield table.take(row);
  table.end();
}

/** Values on lines. */
export function jsonLinesItems(content: Text, field: Field, items: ListItems): FileItems {
  const { label, typed, extension, found, bytes } = content;
  const before = items.length;
  const check = new JsonLinesCheck(label, items, typed);
  async function* lines(): AsyncGenerator<Uint8Array> {
    let last = 0;
    for await (const chunk of bytes) {
      check.take(chunk);
      last = chunk.at(-1) ?? last;
      yield asBuffer(chunk);
    }
    check.end();
    // Another file may follow.
    if (last !== 0 && last !== 0x0a) yield Buffer.from('\n');
  }
  const isNamed = extension === '.jsonl' || extension === '.ndjson';
  return {
    lines: lines(),
    notes: () =>
      isNamed && found.length === 0
        ? []
        : [
            `${field.name}: read ${label} as ${['JSON Lines', ...found].join(', ')}: ${count(items.length - before, 'item')}`,
          ],
  };
}

/** Rows of XLSX or Parquet, pages of PDF, paragraphs of DOCX. */
export function documentItems(
  content: Extract<Content, { kind: 'document' }>,
  field: Field,
  items: ListItems,
  options: ReadOptions,
): FileItems {
  const { document, label } = content;
  const table = isTable(document) ? new Table(field, { label }, items) : undefined;
  let about: string | undefined;
  let lost: readonly string[] = [];
  let line = 0;
  const before = items.length;
  async function* lines(): AsyncGenerator<string> {
    for await (const message of documentMessages(content, field.name, options)) {
      if (message.kind === 'rows') {
        for (const values of message.rows) {
          line += 1;
          // As in Excel, what is empty has no place in a table.
          if (line === 1 || values.some((value) => value !== null)) yield table?.take({ values, line }) ?? '';
        }
      } else if (message.kind === 'text') {
        yield `${JSON.stringify(items.take(message.text, label))}\n`;
      } else if (message.kind === 'end') ({ about, notes: lost = [] } = message);
    }
    table?.end();
  }
  return {
    lines: lines(),
    notes() {
      const name = [kindName(document), ...(about === undefined ? [] : [about])].join(', ');
      return [
        `${field.name}: read ${label} as ${name}: ${table?.describe() ?? count(items.length - before, PARTS[document])}`,
        ...(table?.notes() ?? []),
        ...lost.map((each) => `${field.name}: ${label}: ${each}`),
      ];
    },
  };
}

const PARTS: Readonly<Record<DocumentKind, string>> = { pdf: 'page', docx: 'paragraph', xlsx: 'row', parquet: 'row' };

/** @throws TypedError `Input.Invalid` where a text by pages or paragraphs is not what the field can hold */
export function refuseDocument({ name, type }: Field, label: string, document: DocumentKind): Error {
  return invalid(
    `${name}: ${label} is a text of ${PARTS[document]}s, and the signature wants ${renderType(type)}: ` +
      `make the field a str, or a list[str] with an item for each ${PARTS[document]}`,
  );
}

function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? '' : 's'}`;
}
