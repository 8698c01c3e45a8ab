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

/** @throws SyntaxError as `JSON.parse` */
export function parseJson(text: string): unknown {
  const value: unknown = JSON.parse(text);
  if (!INTEGER_KEY.test(text) || /\u{E000}|\\ue000/iu.test(text)) return value;
  return unmarked(JSON.parse(text.replaceAll(INTEGER_KEYS, `"${MARK}$1"`)));
}

/** The keys of answers as Python had them, which `JSON.stringify` would sort where they are integers. `null` for what is no JSON at all. */
export function stringifyJson(value: unknown, indent?: number): string {
  const text = JSON.stringify(value, undefined, indent) ?? 'null';
  return INTEGER_KEY.test(text) ? write(value, indent === undefined ? '' : ' '.repeat(indent), '\n') : text;
}

/** In the order of the JSON that the object was read from. */
export function entriesOf<Value>(object: Readonly<Record<string, Value>>): readonly (readonly [string, Value])[] {
  return keysOf(object).map((key) => [key, object[key] as Value] as const);
}

/** The last value of a key that comes twice, at its first place. */
export function objectOf<Value>(entries: readonly (readonly [string, Value])[]): Record<string, Value> {
  const object = Object.fromEntries(entries);
  if (!entries.some(([key]) => /^\d/.test(key))) return object;
  return withOrder(
    object,
    entries.map(([key]) => key),
  );
}

/** Only the keys are remembered: an object may have a hundred thousand, and an array of pairs is as large as all of them again. */
function withOrder<Value>(object: Record<string, Value>, keys: readonly string[]): Record<string, Value> {
  const isUnique = Object.keys(object).length === keys.length;
  return Object.defineProperty(object, ORDER, { value: isUnique ? keys : [...new Set(keys)] });
}

function keysOf(object: object): readonly string[] {
  return (object as { readonly [ORDER]?: readonly string[] })[ORDER] ?? Object.keys(object);
}

/** As `JSON.stringify` writes it; with a replacer, that would be asked about every value, it takes several times as long. */
function write(value: unknown, indent: string, newLine: string): string {
  if (typeof value !== 'object' || value === null || writesItself(value)) return JSON.stringify(value) ?? 'null';
  const inner = newLine + indent;
  const isArray = Array.isArray(value);
  const parts = isArray
    ? value.map((item: unknown) => write(item, indent, inner))
    : keysOf(value).flatMap((key) => {
        const item = (value as Readonly<Record<string, unknown>>)[key];
        return isLeftOut(item) ? [] : [`${JSON.stringify(key)}:${indent && ' '}${write(item, indent, inner)}`];
      });
  const [open, close] = isArray ? '[]' : '{}';
  if (parts.length === 0) return `${open}${close}`;
  return indent === ''
    ? `${open}${parts.join(',')}${close}`
    : `${open}${inner}${parts.join(`,${inner}`)}${newLine}${close}`;
}

/** As dates do. */
function writesItself(value: object): boolean {
  return 'toJSON' in value && typeof value.toJSON === 'function';
}

function isLeftOut(value: unknown): boolean {
  return value === undefined || typeof value === 'function' || typeof value === 'symbol';
}

function unmarked(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(unmarked);
  if (typeof value !== 'object' || value === null) return value;
  const object: Record<string, unknown> = {};
  const keys: string[] = [];
  let isMarked = false;
  for (const key in value) {
    const item = unmarked((value as Record<string, unknown>)[key]);
    const isInteger = key.startsWith(MARK);
    const name = isInteger ? key.slice(MARK.length) : key;
    isMarked ||= isInteger;
    keys.push(name);
    // An assignment would set the prototype.
    if (name === '__proto__')
      Object.defineProperty(object, name, { value: item, configurable: true, enumerable: true, writable: true });
    else object[name] = item;
  }
  return isMarked ? withOrder(object, keys) : object;
}
