import { stat } from 'node:fs/promises';
import { basename, extname } from 'node:path';
import type { Field } from '../domain/signature/field-type.ts';
import { renderType } from '../domain/signature/render.ts';
import { summarizeValue } from '../domain/summarize-value.ts';
import { accepts } from './check-part.ts';
import { contentOf, describeBinary, fileOrigin, refuseUtf16, type Content, type Origin } from './content.ts';
import { TextCounter } from './counters.ts';
import { isTable, kindName } from './documents/kinds.ts';
import { documentText } from './documents/messages.ts';
import { notUtf8 } from './encoding.ts';
import { formOf, wantsText, type Form } from './form.ts';
import { givenSource } from './given-value.ts';
import { fileFault, invalid } from './invalid.ts';
import { csvItems, documentItems, jsonLinesItems, refuseDocument, type FileItems } from './items.ts';
import { JsonCheck } from './json-check.ts';
import { ListItems } from './list-items.ts';
import type { ReadOptions } from './read-options.ts';
import { encoded, type Source } from './source.ts';
import { takesRows } from './table.ts';
import { Utf8Reader } from './utf8-reader.ts';

/** Of a file that holds a number or the like. */
const MAX_SCALAR = 1024 * 1024;

type Text = Extract<Content, { kind: 'text' }>;
type Document = Extract<Content, { kind: 'document' }>;

/**
 * A file by its beginning, its name's ending and the field's type.
 *
 * @param label - the path as it was typed
 */
export async function fileSource(path: string, field: Field, label: string, options: ReadOptions): Promise<Source> {
  const source = await sourceOf(fileOrigin(path, label, extname(path).toLowerCase()), field, options);
  return { ...source, names: [basename(path)] };
}

/** The same for standard input, which has no name. */
export function streamSource(bytes: AsyncIterable<Uint8Array>, field: Field, options: ReadOptions): Promise<Source> {
  return sourceOf({ label: 'standard input', typed: '-', bytes, extension: '' }, field, options);
}

async function sourceOf(origin: Origin, field: Field, options: ReadOptions): Promise<Source> {
  const content = await contentOf(origin, field.name, options);
  if (content.kind === 'document') return documentSource(content, field, options);
  try {
    return await textContentSource(content, field, options);
  } catch (error) {
    await content.close();
    throw error;
  }
}

async function textContentSource(content: Text, field: Field, options: ReadOptions): Promise<Source> {
  const { label } = content;
  const form = formOf(field.type, content);
  refuseOptions(field.name, content, options, form === 'csv' ? CSV_OPTIONS : ['encoding'], FORM_NAMES[form]);
  if (form !== 'text') refuseUtf16(field.name, content);
  switch (form) {
    case 'text':
      return textSource(content, field);
    case 'json':
      return jsonSource(content, field);
    case 'json lines': {
      const items = new ListItems(field, label);
      return itemsSource(jsonLinesItems(content, field, items), items);
    }
    case 'csv': {
      const items = new ListItems(field, label);
      return itemsSource(csvItems(content, field, items, options), items);
    }
    case 'scalar':
      return givenSource(field, await shortText(content), { label });
    default:
      throw noText(field, content);
  }
}

/** Items that were checked as they came. */
export function itemsSource({ lines, notes }: FileItems, items: ListItems): Source {
  async function* checked(): AsyncGenerator<string | Uint8Array> {
    yield* lines;
    items.end();
  }
  return { format: 'jsonl', bytes: encoded(checked()), summary: () => items.summary(), notes };
}

function jsonSource({ bytes, label, typed, extension, found }: Text, field: Field): Source {
  const check = new JsonCheck(field, label, typed);
  async function* checked(): AsyncGenerator<Uint8Array> {
    for await (const chunk of bytes) {
      check.take(chunk);
      yield chunk;
    }
    check.end();
  }
  const isPlain = extension === '.json' && found.length === 0;
  return {
    format: 'json',
    bytes: checked(),
    summary: () => check.summary(),
    notes: () => (isPlain ? [] : [`${field.name}: read ${label} as ${['JSON', ...found].join(', ')}`]),
  };
}

const CSV_OPTIONS: readonly (keyof ReadOptions)[] = ['encoding', 'delimiter', 'quote', 'escape'];
const FORM_NAMES: Readonly<Record<Form, string>> = {
  text: 'text',
  json: 'JSON',
  'json lines': 'JSON Lines',
  csv: 'CSV',
  scalar: 'one value',
  nothing: 'text',
};

/**
 * An option that changes nothing was meant to change something.
 *
 * @throws TypedError `Input.Invalid`
 */
function refuseOptions(
  input: string,
  { label }: Pick<Content, 'label'>,
  options: ReadOptions,
  known: readonly (keyof ReadOptions)[],
  form: string,
): void {
  const unused = Object.keys(options).filter((name) => !(known as readonly string[]).includes(name));
  if (unused.length === 0) return;
  throw invalid(
    `${input}: ${label} is read as ${form}, which has no ${unused.join(' and no ')}: leave ${unused.map((each) => `;${each}=`).join(' and ')} out`,
  );
}

function textSource(content: Text, { name, type }: Field): Source {
  const { bytes, label, typed, found, looksBinary } = content;
  const counter = new TextCounter();
  const reader = new Utf8Reader();
  async function* measured(): AsyncGenerator<Uint8Array> {
    for await (const chunk of bytes) {
      counter.take(reader.read(chunk));
      yield chunk;
    }
    counter.take(reader.end());
  }
  return {
    format: 'text',
    bytes: measured(),
    summary: () => summarizeValue(counter.preview(), type),
    notes() {
      if (looksBinary) return [describeBinary(name, content)];
      const sample = reader.oddSample;
      return [
        ...(found.length === 0 ? [] : [`${name}: read ${label} as text, ${found.join(', ')}`]),
        ...(sample === undefined ? [] : [notUtf8(name, typed, { names: [label], count: 1, sample })]),
        ...(counter.preview().length === 0 ? [`${name}: ${label} is empty`] : []),
      ];
    },
  };
}

function documentSource(content: Document, field: Field, options: ReadOptions): Source {
  const { document, label } = content;
  const { name, type } = field;
  refuseOptions(name, content, options, document === 'xlsx' ? ['sheet'] : [], kindName(document));
  const isRows = isTable(document) && takesRows(type) && !wantsText(type);
  if (!isRows && accepts(type, 'text')) return documentTextSource(content, field, options);
  if (!isTable(document) && !accepts(type, ['text'])) throw refuseDocument(field, label, document);
  if (isTable(document) && !isRows) {
    throw invalid(
      `${name}: ${label} is a table, and the signature wants ${renderType(type)}: ` +
        'make the field a list[dict] or a list[{column: type, ...}], or a str for its text',
    );
  }
  const items = new ListItems(field, label);
  return itemsSource(documentItems(content, field, items, options), items);
}

function documentTextSource(content: Document, { name, type }: Field, options: ReadOptions): Source {
  const { document, label } = content;
  const counter = new TextCounter();
  let lost: readonly string[] = [];
  const onNotes = (notes: readonly string[]): void => {
    lost = notes;
  };
  async function* measured(): AsyncGenerator<string> {
    for await (const text of documentText(content, name, { ...options, onNotes })) {
      counter.take(text);
      yield text;
    }
  }
  return {
    format: 'text',
    bytes: encoded(measured()),
    summary: () => summarizeValue(counter.preview(), type),
    notes: () => [
      `${name}: read ${label} as the text of ${kindName(document)}: ${counter.preview().length} characters`,
      ...lost.map((each) => `${name}: ${label}: ${each.replaceAll(' None', ' empty')}`),
    ],
  };
}

async function shortText({ bytes, label }: Text): Promise<string> {
  const reader = new Utf8Reader();
  let text = '';
  for await (const chunk of bytes) {
    text += reader.read(chunk);
    if (text.length > MAX_SCALAR) throw invalid(`${label} is longer than 1 MiB, and one short value is wanted`);
  }
  return (text + reader.end()).replace(/\r?\n$/, '');
}

function noText({ name, type }: Field, { label, looksBinary }: Text): Error {
  const what = looksBinary ? 'looks binary' : 'is a text';
  const wanted = `${name}: ${label} ${what}, and the signature wants ${renderType(type)}`;
  if (takesRows(type)) return invalid(`${wanted}: name a table (CSV, XLSX, Parquet) or JSON, or make the field a str`);
  if (!accepts(type, ['text'])) return invalid(`${wanted}: name a .json file, or make the field a str`);
  return invalid(
    `${wanted}: name a folder or a pattern (each file is an item), a .jsonl file (each line is an item) ` +
      'or a .json file with the list, or make the field a str',
  );
}

/** What a path is: undefined where there is nothing. */
export async function kindOf(path: string, label: string): Promise<'file' | 'folder' | undefined> {
  try {
    return (await stat(path)).isDirectory() ? 'folder' : 'file';
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw fileFault(label, error);
  }
}
