import { invalid } from './invalid.ts';
import { notUtf8Json, previewOfJson } from './json-check.ts';
import type { ListItems } from './list-items.ts';
import { parseJson } from './parse-json.ts';
import { Utf8Reader } from './utf8-reader.ts';

/** Texts longer than this cannot be made in JavaScript. */
const MAX_LINE = 500_000_000;

/** As Python's `bytes.strip` has blanks. */
const BLANK = /^[ \t\r\v\f]*$/;

/** Checks a JSON value on each line while they pass; lines of blanks do not count. */
export class JsonLinesCheck {
  readonly #label: string;
  readonly #typed: string;
  readonly #items: ListItems;
  readonly #reader = new Utf8Reader();
  #parts: string[] = [];
  #length = 0;
  #line = 0;

  /** @param typed - what names it on the command line: `@label`, `-` */
  constructor(label: string, items: ListItems, typed = `@${label}`) {
    this.#label = label;
    this.#typed = typed;
    this.#items = items;
  }

  /** @throws TypedError `Input.Invalid` */
  take(chunk: Uint8Array): void {
    const text = this.#reader.read(chunk);
    this.#checkEncoding();
    this.#text(text);
  }

  /** @throws TypedError `Input.Invalid` */
  end(): void {
    const text = this.#reader.end();
    this.#checkEncoding();
    this.#text(text);
    this.#finish();
  }

  #checkEncoding(): void {
    const { oddSample } = this.#reader;
    if (oddSample !== undefined) throw invalid(notUtf8Json(this.#label, this.#typed, oddSample));
  }

  #text(text: string): void {
    let begin = 0;
    for (let end = text.indexOf('\n'); end !== -1; end = text.indexOf('\n', begin)) {
      this.#keep(text.slice(begin, end));
      this.#finish();
      begin = end + 1;
    }
    this.#keep(text.slice(begin));
  }

  #keep(part: string): void {
    this.#length += part.length;
    if (this.#length > MAX_LINE) throw invalid(`${this.#label}, line ${this.#line + 1} is longer than 500 MB`);
    if (part !== '') this.#parts.push(part);
  }

  #finish(): void {
    this.#line += 1;
    const text = this.#parts.join('');
    this.#parts = [];
    this.#length = 0;
    if (BLANK.test(text)) return;
    const place = `${this.#label}, line ${this.#line}`;
    const parsed = parseJson(text);
    if ('fault' in parsed) throw invalid(`${place} is not JSON: ${parsed.fault}`);
    this.#items.take(parsed.value, place, this.#items.shows ? { shown: previewOfJson(text) } : {});
  }
}
