import type { InputSummary } from './kernel-protocol.ts';
import { lengthOfText, reprOfFloat, reprOfText, startOfText } from './python-repr.ts';
import { checkInputs } from './signature/check-value.ts';
import { ANY, type FieldType } from './signature/field-type.ts';
import { KEY_PATTERNS, literalKey } from './signature/to-json-schema.ts';
import { entriesOf as orderedEntries } from './ordered-json.ts';

/** Characters of a preview; three dots follow where there is more. */
const MAX_PREVIEW = 400;
const MAX_DIGITS = 40;
/** Lists and dicts within each other that a preview shows. */
const MAX_LEVELS = 3;
/** Items that a preview shows of a list: the first. */
export const SHOWN_ITEMS = 3;
/** Entries that a preview shows of a dict: the first. */
export const SHOWN_ENTRIES = 6;
/** Characters that a preview shows of a text: the first. */
export const SHOWN_TEXT = 200;

/** A number as it was written: JavaScript's cannot tell `1.0` from `1`, and has no large integers. */
export class ExactNumber {
  readonly source: string;
  constructor(source: string) {
    this.source = source;
  }
}

/** What a preview needs of a text that is too long to be held. */
export class TextPreview {
  /** Its first `SHOWN_TEXT` characters, or all of them. */
  readonly start: string;
  /** Characters. */
  readonly length: number;
  constructor(start: string, length: number) {
    [this.start, this.length] = [start, length];
  }
}

/** What a preview needs of a list. */
export class ListPreview {
  /** The first `SHOWN_ITEMS`, or all of them. */
  readonly items: readonly unknown[];
  readonly length: number;
  constructor(items: readonly unknown[], length: number) {
    [this.items, this.length] = [items, length];
  }
}

/** What a preview needs of a dict. */
export class DictPreview {
  /** The first `SHOWN_ENTRIES`, or all of them; keys as JSON writes them. */
  readonly entries: readonly (readonly [key: string, value: unknown])[];
  readonly length: number;
  constructor(entries: readonly (readonly [key: string, value: unknown])[], length: number) {
    [this.entries, this.length] = [entries, length];
  }
}

/**
 * What a prompt says of a variable: Python's name of its type, its `len`, and the beginning of its repr. Large values may
 * be given as previews, at any depth.
 *
 * @param value a JSON value
 * @param type what the kernel makes of it: `[1, 2]` is shown as `(1.0, 2.0)` where a tuple of floats is wanted
 */
export function summarizeValue(value: unknown, type: FieldType = ANY): InputSummary {
  const preview = repr(value, type, MAX_LEVELS);
  const start = startOfText(preview, MAX_PREVIEW);
  return {
    type: typeName(value, type),
    length: lengthOf(value, type),
    preview: start.length < preview.length ? `${start}...` : preview,
  };
}

function typeName(value: unknown, declared: FieldType): string {
  const type = memberFor(value, declared);
  if (value === null) return 'NoneType';
  if (typeof value === 'boolean') return 'bool';
  if (isNumber(value)) return isFloat(value, type) ? 'float' : 'int';
  if (isLargeInteger(value, type)) return 'int';
  if (typeof value === 'string' || value instanceof TextPreview) return 'str';
  if (!Array.isArray(value) && !(value instanceof ListPreview)) return 'dict';
  return type.kind === 'tuple' || type.kind === 'tuple_of' ? 'tuple' : 'list';
}

function lengthOf(value: unknown, declared: FieldType): number | null {
  if (isLargeInteger(value, memberFor(value, declared))) return null;
  if (typeof value === 'string') return lengthOfText(value);
  if (value instanceof TextPreview || value instanceof ListPreview || value instanceof DictPreview) return value.length;
  if (Array.isArray(value)) return value.length;
  return typeof value === 'object' && value !== null && !isNumber(value) ? entriesOf(value).length : null;
}

function repr(value: unknown, declared: FieldType, level: number): string {
  const type = memberFor(value, declared);
  if (value === null) return 'None';
  if (typeof value === 'boolean') return value ? 'True' : 'False';
  if (isNumber(value)) return reprOfNumber(value, type);
  if (isLargeInteger(value, type)) return cutDigits(value);
  if (typeof value === 'string') return reprOfShortText(previewOf(value));
  if (value instanceof TextPreview) return reprOfShortText(value);
  if (Array.isArray(value)) return reprOfList(new ListPreview(value, value.length), type, level);
  if (value instanceof ListPreview) return reprOfList(value, type, level);
  if (value instanceof DictPreview) return reprOfDict(value, type, level);
  return typeof value === 'object' ? reprOfDict(allEntries(value), type, level) : '...';
}

function previewOf(text: string): TextPreview {
  return new TextPreview(startOfText(text, SHOWN_TEXT), lengthOfText(text));
}

function reprOfShortText({ start, length }: TextPreview): string {
  const shown = startOfText(start, SHOWN_TEXT);
  return length > lengthOfText(shown) ? `${reprOfText(shown)}...` : reprOfText(shown);
}

function reprOfNumber(value: number | bigint | ExactNumber, type: FieldType): string {
  const source = sourceOf(value);
  if (isFloat(value, type)) return reprOfFloat(Number(source));
  if (/^-?\d+$/.test(source)) return cutDigits(source.replace(/^-0$/, '0'));
  return Number.isInteger(Number(source)) ? cutDigits(String(BigInt(Number(source)))) : source;
}

function cutDigits(digits: string): string {
  return digits.length <= MAX_DIGITS ? digits : `${digits.slice(0, MAX_DIGITS)}...`;
}

function reprOfList({ items, length }: ListPreview, type: FieldType, level: number): string {
  const [open, close] = type.kind === 'tuple' || type.kind === 'tuple_of' ? ['(', ')'] : ['[', ']'];
  if (level <= 0 && length > 0) return `${open}...${close}`;
  const shown = items.slice(0, SHOWN_ITEMS).map((item, index) => repr(item, itemType(type, index), level - 1));
  if (length > SHOWN_ITEMS) shown.push('...');
  return `${open}${shown.join(', ')}${open === '(' && length === 1 ? ',' : ''}${close}`;
}

function itemType(type: FieldType, index: number): FieldType {
  if (type.kind === 'list' || type.kind === 'tuple_of') return type.item;
  return (type.kind === 'tuple' ? type.items[index] : undefined) ?? ANY;
}

function reprOfDict({ entries, length }: DictPreview, type: FieldType, level: number): string {
  if (length === 0) return '{}';
  if (level <= 0) return '{...}';
  const keyType = type.kind === 'dict' ? type.key : ANY;
  const shown = entries
    .slice(0, SHOWN_ENTRIES)
    .map(
      ([key, value]) => `${repr(restoredKey(key, keyType), ANY, 0)}: ${repr(value, entryType(type, key), level - 1)}`,
    );
  if (length > SHOWN_ENTRIES) shown.push('...');
  return `{${shown.join(', ')}}`;
}

function entryType(type: FieldType, key: string): FieldType {
  if (type.kind === 'dict') return type.value;
  if (type.kind !== 'object') return ANY;
  return type.properties.find(({ name }) => name === key)?.type ?? type.additional ?? ANY;
}

/** What the kernel makes of a key that JSON wrote. */
type Key = string | ExactNumber | boolean | null;

function restoredKey(text: string, type: FieldType): Key {
  if (type.kind === 'int') return new ExactNumber(text);
  if (type.kind === 'float') return new ExactNumber(/^-?\d+$/.test(text) ? `${text}.0` : text);
  if (type.kind === 'bool') return text === 'true';
  if (type.kind === 'literal') {
    const found = type.values.find((value) => literalKey(value) === text);
    return typeof found === 'number' ? new ExactNumber(String(found)) : (found ?? text);
  }
  if (type.kind !== 'union') return text;
  const member = type.members.find(
    ({ kind }) => (kind !== 'int' && kind !== 'float' && kind !== 'bool') || new RegExp(KEY_PATTERNS[kind]).test(text),
  );
  return member === undefined ? text : restoredKey(text, member);
}

function allEntries(value: object): DictPreview {
  const entries = entriesOf(value);
  return new DictPreview(entries, entries.length);
}

function entriesOf(value: object): (readonly [string, unknown])[] {
  return orderedEntries(value as Record<string, unknown>).filter(([, item]) => item !== undefined);
}

// Numbers

function isNumber(value: unknown): value is number | bigint | ExactNumber {
  return typeof value === 'number' || typeof value === 'bigint' || value instanceof ExactNumber;
}

/** The number as it stands in JSON. */
function sourceOf(value: number | bigint | ExactNumber): string {
  return value instanceof ExactNumber ? value.source : Object.is(value, -0) ? '0' : String(value);
}

function isFloat(value: number | bigint | ExactNumber, type: FieldType): boolean {
  return type.kind === 'float' || (type.kind !== 'int' && !/^-?\d+$/.test(sourceOf(value)));
}

/** An integer that a double cannot hold travels as the text of its digits. */
function isLargeInteger(value: unknown, type: FieldType): value is string {
  return type.kind === 'int' && typeof value === 'string';
}

// Unions

/** The member of a union that the kernel would choose. */
function memberFor(value: unknown, type: FieldType): FieldType {
  if (type.kind !== 'union') return type;
  const isInteger = isNumber(value) && !isFloat(value, ANY);
  const members = isInteger
    ? [...type.members.filter(({ kind }) => kind !== 'float'), ...type.members.filter(({ kind }) => kind === 'float')]
    : type.members;
  const alike = members.filter((member) => mayBe(value, member.kind));
  const [only, ...others] = alike;
  if (only === undefined || others.length === 0) return only ?? ANY;
  return alike.find((member) => takes(member, value)) ?? only;
}

function mayBe(value: unknown, kind: FieldType['kind']): boolean {
  if (kind === 'any') return true;
  if (value === null) return kind === 'none' || kind === 'literal';
  if (typeof value === 'boolean') return kind === 'bool' || kind === 'literal';
  if (isNumber(value)) return kind === 'int' || kind === 'float' || kind === 'literal';
  if (typeof value === 'string') return kind === 'str' || kind === 'int' || kind === 'literal';
  if (value instanceof TextPreview) return kind === 'str';
  if (Array.isArray(value) || value instanceof ListPreview)
    return kind === 'list' || kind === 'tuple' || kind === 'tuple_of';
  return kind === 'dict' || kind === 'object';
}

function takes(type: FieldType, value: unknown): boolean {
  return checkInputs({ inputs: [{ name: 'value', type }] }, { value: plain(value) }).ok;
}

/** Without previews and exact numbers. */
function plain(value: unknown): unknown {
  if (value instanceof ExactNumber) return Number(value.source);
  if (value instanceof TextPreview) return value.start;
  if (value instanceof ListPreview) return value.items.map(plain);
  if (value instanceof DictPreview) return Object.fromEntries(value.entries.map(([key, item]) => [key, plain(item)]));
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, plain(item)]));
}
