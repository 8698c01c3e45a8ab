/**
 * JSON whose objects keep the order of their keys, as Python's dicts do. JavaScript lists keys that look like integers
 * first, by size: years as keys would lose their order. Objects that are read here, or made by `objectOf`, remember it
 * unseen, as long as nobody copies them in another way; they are not to be changed.
 */
const ORDER = Symbol('order of keys');

/** In JSON this can only be a key: within strings and longer keys the quotes are escaped. */
const INTEGER_KEY = /(?<!\\)"(0|[1-9]\d*)"(?=\s*:)/;
const INTEGER_KEYS = new RegExp(INTEGER_KEY, 'g');

/** Before a key for as long as it must not look like an integer: a character that nobody uses. */
const MARK = '\u{E000}#';
const MARKED_KEYS = new RegExp(`"${MARK}(\\d+)"(?=:)`, 'g');

/** @throws SyntaxError as `JSON.parse` */
export function parseJson(text: string): unknown {
  const value: unknown = JSON.parse(text);
  if (!INTEGER_KEY.test(text) || /\u{E000}|\\ue000/iu.test(text)) return value;
  return unmarked(JSON.parse(text.replaceAll(INTEGER_KEYS, `"${MARK}$1"`)));
}

/** The keys of answers as Python had them, which `JSON.stringify` would sort where they are integers. `null` for what is no JSON at all. */
export function stringifyJson(value: unknown, indent?: number): string {
  const text = JSON.stringify(value, undefined, indent) ?? 'null';
  if (!INTEGER_KEY.test(text) || text.includes(MARK)) return text;
  return JSON.stringify(value, (_, each: unknown) => marked(each), indent).replaceAll(MARKED_KEYS, '"$1"');
}

/** In the order of the JSON that the object was read from. */
export function entriesOf<Value>(object: Readonly<Record<string, Value>>): readonly (readonly [string, Value])[] {
  const order = (object as { readonly [ORDER]?: readonly (readonly [string, Value])[] })[ORDER];
  return order ?? Object.entries(object);
}

/** The last value of a key that comes twice, at its first place. */
export function objectOf<Value>(entries: readonly (readonly [string, Value])[]): Record<string, Value> {
  const object = Object.fromEntries(entries);
  if (!entries.some(([key]) => /^\d/.test(key))) return object;
  const unique = [...new Map(entries)];
  return Object.defineProperty(object, ORDER, { value: unique });
}

function marked(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || !(ORDER in value)) return value;
  const entries = entriesOf(value as Record<string, unknown>);
  return Object.fromEntries(entries.map(([key, item]) => [/^\d+$/.test(key) ? MARK + key : key, item]));
}

function unmarked(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(unmarked);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value);
  return objectOf(
    entries.map(([key, item]) => [key.startsWith(MARK) ? key.slice(MARK.length) : key, unmarked(item)] as const),
  );
}
