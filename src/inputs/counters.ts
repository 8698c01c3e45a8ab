import { lengthOfText, startOfText } from '../domain/python-repr.ts';
import {
  DictPreview,
  ListPreview,
  SHOWN_ENTRIES,
  SHOWN_ITEMS,
  SHOWN_TEXT,
  TextPreview,
} from '../domain/summarize-value.ts';

/** Measures a text as it passes, and keeps its beginning, which a summary shows. */
export class TextCounter {
  #start = '';
  #startLength = 0;
  #length = 0;

  take(text: string): void {
    if (this.#startLength < SHOWN_TEXT) {
      this.#start += startOfText(text, SHOWN_TEXT - this.#startLength);
      this.#startLength = lengthOfText(this.#start);
    }
    this.#length += lengthOfText(text);
  }

  preview(): TextPreview {
    return new TextPreview(this.#start, this.#length);
  }
}

/** Counts the items of a list as they pass, and keeps those that a summary shows. */
export class ListCounter {
  readonly #items: unknown[] = [];
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** Whether the next item is shown. */
  get shows(): boolean {
    return this.#length < SHOWN_ITEMS;
  }

  take(item: unknown): void {
    if (this.shows) this.#items.push(item);
    this.#length += 1;
  }

  preview(): ListPreview {
    return new ListPreview(this.#items, this.#length);
  }
}

/** Keys that are remembered, to count one that comes again once. */
const MAX_KEYS = 200_000;

/** Counts the entries of a dict as they pass, and keeps those that a summary shows. */
export class DictCounter {
  readonly #entries = new Map<string, unknown>();
  readonly #keys = new Set<string>();
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** Whether an entry of this key is shown. */
  shows(key: string): boolean {
    return this.#length < SHOWN_ENTRIES || this.#entries.has(key);
  }

  take(key: string, value: unknown): void {
    if (this.shows(key)) this.#entries.set(key, value);
    if (!this.#keys.has(key)) this.#length += 1;
    if (this.#keys.size < MAX_KEYS) this.#keys.add(key);
  }

  preview(): DictPreview {
    return new DictPreview([...this.#entries], this.#length);
  }
}
