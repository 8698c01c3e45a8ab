import { compareTexts } from '../domain/python-repr.ts';
import { STR, type FieldType } from '../domain/signature/field-type.ts';
import { DictGlimpse, SHOWN_ENTRIES } from '../domain/summarize-value.ts';

/** Keys that are remembered, to count one that comes again once. */
const MOST_KEYS = 200_000;

/** Counts the entries of a dict as they pass, and keeps those that a summary shows: of the smallest keys. */
export class DictTally {
  #entries: (readonly [key: string, value: unknown])[] = [];
  readonly #keys = new Set<string>();
  #length = 0;
  readonly #compare: (left: string, right: string) => number;

  /** @param keys - what the keys are: numbers are sorted as numbers */
  constructor(keys: FieldType = STR) {
    const isNumeric = keys.kind === 'int' || keys.kind === 'float';
    this.#compare = isNumeric ? (left, right) => Number(left) - Number(right) : compareTexts;
  }

  get length(): number {
    return this.#length;
  }

  /** Whether an entry of this key is shown, as far as can be known yet. */
  shows(key: string): boolean {
    const last = this.#entries[SHOWN_ENTRIES - 1];
    return last === undefined || this.#compare(key, last[0]) <= 0;
  }

  take(key: string, value: unknown): void {
    if (this.shows(key)) {
      this.#entries = [...this.#entries.filter(([each]) => each !== key), [key, value] as const]
        .toSorted(([left], [right]) => this.#compare(left, right))
        .slice(0, SHOWN_ENTRIES);
    }
    if (!this.#keys.has(key)) this.#length += 1;
    if (this.#keys.size < MOST_KEYS) this.#keys.add(key);
  }

  glimpse(): DictGlimpse {
    return new DictGlimpse(this.#entries, this.#length);
  }
}
