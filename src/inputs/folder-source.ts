import type { Field } from '../domain/signature/field-type.ts';
import { renderType } from '../domain/signature/render.ts';
import { DictGlimpse, summarizeValue, type TextGlimpse } from '../domain/summarize-value.ts';
import { accepts } from './check-part.ts';
import { DictTally } from './dict-tally.ts';
import type { Found } from './find-files.ts';
import { invalid } from './invalid.ts';
import { itemTypeOf } from './json-source.ts';
import { ListTally } from './list-tally.ts';
import { readFiles, type BegunFile } from './read-files.ts';
import { encoded, type Source } from './source.ts';
import { TextTally } from './text-tally.ts';
import { oddBytes, Utf8Reader } from './utf8-reader.ts';

/** How the texts of files become one value. */
type Shape = 'texts' | 'objects' | 'dict';

/**
 * The texts of many files, one after the other. What looks binary is left out.
 *
 * @param label - the folder or pattern as it was typed
 * @throws TypedError `Input.Invalid` where the field can hold no such thing
 */
export function folderSource(found: Found, field: Field, label: string): Source {
  const shape = shapeOf(field, label);
  const nothing = (what: string, binary: number): Error =>
    invalid(
      `${field.name}: there are no ${what} in ${label}${leftOut(found, binary)} (it was looked for in ${found.folder})`,
    );
  if (found.names.length === 0) throw nothing('files', 0);
  const files = new FilesWriter(shape);
  async function* pieces(): AsyncGenerator<string> {
    for await (const begun of readFiles(found)) {
      if (begun.start.includes(0)) files.binary += 1;
      else yield* files.write(begun);
    }
    if (files.written === 0) throw nothing('texts', files.binary);
    yield files.end();
  }
  return {
    format: shape === 'dict' ? 'json' : 'jsonl',
    bytes: encoded(pieces()),
    summary: () => summarizeValue(files.glimpse(), field.type),
    warnings() {
      const left = leftOut(found, files.binary);
      return [
        ...(left === '' ? [] : [`${field.name}: of ${label}${left}`]),
        ...oddBytes(field.name, files.odd, files.oddCount),
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
  throw invalid(
    `${name}: ${label} is many texts, and the signature wants ${renderType(type)}: ` +
      `name one file, or make the field a list[str], a dict[str, str] (texts by path) or a list[{path: str, text: str}]`,
  );
}

function leftOut({ hidden, odd }: Found, binary: number): string {
  const parts = [
    hidden === 0 ? '' : `${hidden} hidden`,
    binary === 0 ? '' : `${binary} that look${binary === 1 ? 's' : ''} binary`,
    odd === 0 ? '' : `${odd} that ${odd === 1 ? 'is no file' : 'are no files'}`,
  ];
  const text = parts.filter((part) => part !== '').join(', ');
  return text === '' ? '' : ` these were left out: ${text}`;
}

class FilesWriter {
  binary = 0;
  /** The first that are not UTF-8, and how many there are. */
  readonly odd: string[] = [];
  oddCount = 0;
  readonly #shape: Shape;
  readonly #list = new ListTally();
  readonly #dict = new DictTally();

  constructor(shape: Shape) {
    this.#shape = shape;
  }

  get written(): number {
    return this.#shape === 'dict' ? this.#dict.length : this.#list.length;
  }

  async *write({ name, start, rest }: BegunFile): AsyncGenerator<string> {
    const key = JSON.stringify(name);
    const shows = this.#shape === 'dict' ? this.#dict.shows(name) : this.#list.shows;
    const tally = shows ? new TextTally() : undefined;
    if (this.#shape === 'dict') yield `${this.written === 0 ? '{' : ',\n'}${key}:"`;
    else yield this.#shape === 'texts' ? '"' : `{"path":${key},"text":"`;
    yield* this.#body(name, start, rest, tally);
    yield { texts: '"\n', objects: '"}\n', dict: '"' }[this.#shape];
    this.#take(name, tally?.glimpse());
  }

  async *#body(
    name: string,
    start: Buffer,
    rest: AsyncIterable<Buffer>,
    tally: TextTally | undefined,
  ): AsyncGenerator<string> {
    const reader = new Utf8Reader();
    const inString = (text: string): string => {
      tally?.take(text);
      return JSON.stringify(text).slice(1, -1);
    };
    yield inString(reader.read(start));
    for await (const chunk of rest) yield inString(reader.read(chunk));
    yield inString(reader.end());
    if (reader.isUtf8) return;
    this.oddCount += 1;
    if (this.odd.length < 10) this.odd.push(name);
  }

  #take(name: string, text: TextGlimpse | undefined): void {
    if (this.#shape === 'dict') this.#dict.take(name, text);
    else
      this.#list.take(
        this.#shape === 'texts'
          ? text
          : new DictGlimpse(
              [
                ['path', name],
                ['text', text],
              ],
              2,
            ),
      );
  }

  end(): string {
    return this.#shape === 'dict' ? '}' : '';
  }

  glimpse(): unknown {
    return this.#shape === 'dict' ? this.#dict.glimpse() : this.#list.glimpse();
  }
}
