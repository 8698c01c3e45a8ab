import type { Text } from './model.ts';

/** Characters of a text that travel with the page that shows it. */
export const SHOWN_CHARACTERS = 20_000;
/** Characters of a piece that is asked for. */
export const PIECE_CHARACTERS = 500_000;

export function wholeText(text: string, blob?: string): Text {
  return { text, length: text.length, ...(blob === undefined ? {} : { blob }) };
}

/** The beginning, never with half of a character at its end. */
export function head(text: string, characters: number): string {
  if (text.length <= characters) return text;
  const code = text.charCodeAt(characters - 1);
  return text.slice(0, code >= 0xd800 && code < 0xdc00 ? characters - 1 : characters);
}

/** The same value with every text in it cut, and the place named where the rest is: below `at`, which may end with a slash. */
export function shortenTexts<T>(value: T, at = ''): T {
  if (isText(value)) {
    if (value.text.length <= SHOWN_CHARACTERS) return value;
    return { ...value, text: head(value.text, SHOWN_CHARACTERS), at };
  }
  if (Array.isArray(value))
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the same shape
    return value.map((item: unknown, index) => shortenTexts(item, below(at, String(index)))) as T;
  if (value === null || typeof value !== 'object') return value;
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the same shape
  return Object.fromEntries(
    Object.entries(value).map(([key, field]) => [key, shortenTexts<unknown>(field, below(at, key))]),
  ) as T;
}

function below(at: string, key: string): string {
  return at === '' || at.endsWith('/') ? `${at}${key}` : `${at}.${key}`;
}

/** The text at a place that `shortenTexts` named; undefined where there is none. */
export function textAt(value: unknown, at: string): string | undefined {
  let found = value;
  for (const key of at.split('.')) {
    if (found === null || typeof found !== 'object' || !Object.hasOwn(found, key)) return undefined;
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- an own property, whatever it is
    found = (found as Record<string, unknown>)[key];
  }
  return isText(found) ? found.text : undefined;
}

function isText(value: unknown): value is Text {
  return (
    value !== null &&
    typeof value === 'object' &&
    'text' in value &&
    typeof value.text === 'string' &&
    'length' in value &&
    typeof value.length === 'number'
  );
}
