import stringWidth from 'string-width';

const graphemes = new Intl.Segmenter(undefined, { granularity: 'grapheme' });
// Control and format characters, but for the joiner that emoji are made with.
const UNPRINTABLE = /[\p{Cc}\p{Zl}\p{Zp}\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff]+/gu;
const PRINTABLE_ASCII = /^[\x20-\x7e]*$/;

/** Columns a terminal needs for a text without escape sequences. */
export function displayWidth(text: string): number {
  return PRINTABLE_ASCII.test(text) ? text.length : stringWidth(text);
}

/**
 * Text from a model or a repository as one line: whatever could move the cursor, colour or reorder the screen is
 * taken out.
 */
export function oneLine(text: string): string {
  return text.replaceAll(UNPRINTABLE, ' ').replaceAll(/\s+/g, ' ').trim();
}

// \p{Cc} without tab and newline.
const CONTROLS = /(?![\t\n])\p{Cc}/gu;
// Line separators of Unicode, marks and controls of direction.
const REORDERING = /[\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g;
const UNPRINTABLE_IN_JSON = /[\u007f-\u009f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g;

/** The same JSON, with what a terminal would obey, or show in another order, as escapes. */
export function printableJson(json: string): string {
  return json.replaceAll(
    UNPRINTABLE_IN_JSON,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** For text shown on a terminal as it is: lines and tabs stay, other control characters become visible. */
export function visibleControls(text: string): string {
  return text.replaceAll(CONTROLS, caretNotation).replaceAll(REORDERING, '\ufffd');
}

function caretNotation(character: string): string {
  const code = character.codePointAt(0) ?? 0;
  if (code === 0x7f) return '^?';
  return code < 0x20 ? `^${String.fromCodePoint(code + 0x40)}` : '\ufffd';
}

/** At most `columns` wide; an ellipsis stands for what is cut off. */
export function fit(text: string, columns: number): string {
  if (columns <= 0) return '';
  if (displayWidth(text) <= columns) return text;
  let taken = '';
  let width = 0;
  for (const { segment } of graphemes.segment(text)) {
    const next = displayWidth(segment);
    if (width + next > columns - 1) break;
    taken += segment;
    width += next;
  }
  return `${taken}…`;
}

export function padEnd(text: string, columns: number): string {
  return text + ' '.repeat(Math.max(0, columns - displayWidth(text)));
}

export function padStart(text: string, columns: number): string {
  return ' '.repeat(Math.max(0, columns - displayWidth(text))) + text;
}

/** Lines no wider than `columns`, broken between words; a word that is wider is cut. */
export function wrapWords(text: string, columns: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const last = lines.at(-1);
    const longer = last === undefined ? word : `${last} ${word}`;
    if (last !== undefined && displayWidth(longer) <= columns) lines[lines.length - 1] = longer;
    else lines.push(fit(word, columns));
  }
  return lines;
}
