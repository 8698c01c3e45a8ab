import { extname, join } from 'node:path';
import type { Field, FieldType } from '../domain/signature/field-type.ts';
import { renderType } from '../domain/signature/render.ts';
import { DictPreview, summarizeValue, type TextPreview } from '../domain/summarize-value.ts';
import { accepts } from './check-part.ts';
import { contentOf, fileOrigin, refuseUtf16 } from './content.ts';
import { DictCounter, ListCounter, TextCounter } from './counters.ts';
import { DocumentReader } from './documents/document-reader.ts';
import { describeKeptUtf8, notUtf8 } from './encoding.ts';
import { itemsSource } from './file-source.ts';
import type { Found } from './find-files.ts';
import { folderText, type FolderText } from './folder-text.ts';
import { invalid } from './invalid.ts';
import { csvItems, documentItems, jsonLinesItems, type FileItems } from './items.ts';
import { itemTypeOf } from './json-source.ts';
import { LeftOut, reasonByName } from './leave-out.ts';
import { ListItems } from './list-items.ts';
import { readFiles } from './read-files.ts';
import type { ReadOptions } from './read-options.ts';
import { encoded, type Source } from './source.ts';
import { takesRows } from './table.ts';

/** How the texts of files become one value. */
type Shape = 'texts' | 'objects' | 'dict';

const TABLE = /\.(?:csv|tsv|tab|xlsx|xlsm|parquet|jsonl|ndjson)(?:\.gz)?$/i;
/** Tables that are described one by one. */
const SHOWN_TABLES = 3;

/**
 * Many files, one after the other: their texts, or the rows of tables where the field wants rows. What is no document is
 * left out, and counted by reason.
 *
 * @param label - the folder or pattern as it was typed
 * @throws TypedError `Input.Invalid` where the field can hold no such thing
 */
export function folderSource(found: Found, field: Field, label: string, options: ReadOptions): Source {
  const left = new LeftOut();
  const names = found.names.filter((name) => {
    // What a pattern names is wanted.
    const reason = found.isPattern ? undefined : reasonByName(name);
    if (reason !== undefined) left.add(reason);
    return reason === undefined;
  });
  const place: Place = { found: { ...found, names }, left, field, label, options };
  if (names.length > 0 && wantsRowsOf(field.type) && names.every((name) => TABLE.test(name))) return rowsSource(place);
  return textsSource(place, shapeOf(field, label));
}

interface Place {
  readonly found: Found;
  readonly left: LeftOut;
  readonly field: Field;
  readonly label: string;
  readonly options: ReadOptions;
}

function nothing(what: string, { found, left, field, label }: Place): Error {
  const others = left.describe(found);
  const faults = left.faults();
  return invalid(
    `${field.name}: there are no ${what} in ${label}${others === '' ? '' : `; left out: ${others}`}` +
      `${faults === '' ? '' : `: ${faults}`} (it was looked for in ${found.folder})`,
  );
}

function skippedNote({ found, left, field, label }: Place): string[] {
  const others = left.describe(found);
  const faults = left.faults();
  if (others === '') return [];
  return [`${field.name}: of ${label} these were left out: ${others}${faults === '' ? '' : `: ${faults}`}`];
}

// Texts

function textsSource(place: Place, shape: Shape): Source {
  const { found, left, field, label, options } = place;
  if (found.names.length === 0) throw nothing('files', place);
  const files = new FilesWriter(shape);
  async function* pieces(): AsyncGenerator<string> {
    const reader = new DocumentReader();
    try {
      for await (const begun of readFiles(found)) {
        const text = await folderText(found.folder, begun, field.name, options, reader);
        if (text.kind === 'text') yield* files.write(begun.name, text);
        else if (text.kind === 'none') left.add(text.reason);
        else left.fault(begun.name, text.why);
      }
    } finally {
      reader.close();
    }
    if (files.names.length === 0) throw nothing('texts', place);
    yield files.end();
  }
  return {
    format: shape === 'dict' ? 'json' : 'jsonl',
    bytes: encoded(pieces()),
    summary: () => summarizeValue(files.preview(), field.type),
    names: files.names,
    notes() {
      const { odd, keptUtf8 } = files;
      return [
        ...skippedNote(place),
        ...(odd === undefined ? [] : [notUtf8(field.name, `@${label}`, odd)]),
        ...(keptUtf8.length === 0 ? [] : [describeKeptUtf8(field.name, keptUtf8, options.encoding)]),
      ];
    },
  };
}

function shapeOf({ name, type }: Field, label: string): Shape {
  const item = itemTypeOf(type);
  if (item?.kind !== 'any') {
    if (accepts(type, ['text'])) return 'texts';
    if (accepts(type, { 'a.txt': 'text' })) return 'dict';
  }
  if (item !== undefined && accepts(type, [{ path: 'a.txt', text: 'text' }])) return 'objects';
  const rows = takesRows(type) ? '; rows come from a folder or a pattern of tables alone (@*.csv)' : '';
  throw invalid(
    `${name}: ${label} is many texts, and the signature wants ${renderType(type)}: ` +
      `name one file, or make the field a list[str], a dict[str, str] (texts by path) or a list[{path: str, text: str}]${rows}`,
  );
}

class FilesWriter {
  /** Of what was written, in its order. */
  readonly names: string[] = [];
  readonly #shape: Shape;
  readonly #list = new ListCounter();
  readonly #dict = new DictCounter();
  readonly #odd: string[] = [];
  /** Those that stayed UTF-8, although another encoding is named. */
  readonly keptUtf8: string[] = [];
  #oddSample: Buffer | undefined;

  constructor(shape: Shape) {
    this.#shape = shape;
  }

  /** Those that are not UTF-8. */
  get odd(): { names: readonly string[]; count: number; sample: Buffer } | undefined {
    if (this.#oddSample === undefined) return undefined;
    return { names: this.#odd, count: this.#odd.length, sample: this.#oddSample };
  }

  async *write(
    name: string,
    { pieces, oddSample, isUtf8Anyway = false }: Extract<FolderText, { kind: 'text' }>,
  ): AsyncGenerator<string> {
    const key = JSON.stringify(name);
    const shows = this.#shape === 'dict' ? this.#dict.shows(name) : this.#list.shows;
    const counter = shows ? new TextCounter() : undefined;
    if (this.#shape === 'dict') yield `${this.names.length === 0 ? '{' : ',\n'}${key}:"`;
    else yield this.#shape === 'texts' ? '"' : `{"path":${key},"text":"`;
    for await (const piece of pieces) {
      counter?.take(piece);
      yield JSON.stringify(piece).slice(1, -1);
    }
    yield { texts: '"\n', objects: '"}\n', dict: '"' }[this.#shape];
    this.#take(name, counter?.preview());
    this.names.push(name);
    if (isUtf8Anyway) this.keptUtf8.push(name);
    const sample = oddSample();
    if (sample === undefined) return;
    this.#odd.push(name);
    this.#oddSample ??= sample;
  }

  #take(name: string, text: TextPreview | undefined): void {
    if (this.#shape === 'dict') this.#dict.take(name, text);
    else if (this.#shape === 'texts') this.#list.take(text);
    else this.#list.take(new DictPreview(Object.entries({ path: name, text }), 2));
  }

  end(): string {
    return this.#shape === 'dict' ? '}' : '';
  }

  preview(): unknown {
    return this.#shape === 'dict' ? this.#dict.preview() : this.#list.preview();
  }
}

// Rows

/** Whether the items are to be rows, and not the texts of the files they are in. */
function wantsRowsOf(type: FieldType): boolean {
  const item = itemTypeOf(type);
  if (!takesRows(type) || item === undefined || item.kind === 'any') return false;
  const members = item.kind === 'union' ? item.members : [item];
  return members.some(({ kind }) => kind === 'dict') || !accepts(type, [{ path: 'a.txt', text: 'text' }]);
}

function rowsSource(place: Place): Source {
  const { found, field, label, options } = place;
  const items = new ListItems(field, label);
  const notes: string[] = [];
  const keptUtf8: string[] = [];
  let files = 0;
  async function* lines(): AsyncGenerator<string | Uint8Array> {
    for (const name of found.names) {
      const read = await itemsOf(place, name, items, keptUtf8);
      yield* read.lines;
      files += 1;
      if (files <= SHOWN_TABLES) notes.push(...read.notes());
    }
  }
  const all = (): readonly string[] =>
    files <= SHOWN_TABLES ? [] : [`${field.name}: read ${files} files of ${label}: ${items.length} rows in all`];
  const kept = (): readonly string[] =>
    keptUtf8.length === 0 ? [] : [describeKeptUtf8(field.name, keptUtf8, options.encoding)];
  return {
    ...itemsSource({ lines: lines(), notes: () => [...notes, ...all(), ...kept(), ...skippedNote(place)] }, items),
    names: found.names,
  };
}

async function itemsOf(
  { found, field, label, options }: Place,
  name: string,
  items: ListItems,
  keptUtf8: string[],
): Promise<FileItems> {
  const origin = {
    ...fileOrigin(join(found.folder, name), name, extname(name).toLowerCase()),
    typed: `@${label}`,
    isOneOfMany: true,
  };
  const content = await contentOf(origin, field.name, options);
  if (content.kind === 'document') return documentItems(content, field, items, options);
  refuseUtf16(field.name, content);
  if (content.isUtf8Anyway) keptUtf8.push(name);
  const isLines = content.extension === '.jsonl' || content.extension === '.ndjson';
  return isLines ? jsonLinesItems(content, field, items) : csvItems(content, field, items, options);
}
