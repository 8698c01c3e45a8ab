import { ListGlimpse, SHOWN_ITEMS } from '../domain/summarize-value.ts';

/** Counts the items of a list as they pass, and keeps those that a summary shows. */
export class ListTally {
  #items: unknown[] = [];
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

  glimpse(): ListGlimpse {
    return new ListGlimpse(this.#items, this.#length);
  }
}
