import type { InputSummary } from './kernel-protocol.ts';
import { compareTexts, endOfText, lengthOfText, reprOfFloat, reprOfText, startOfText } from './python-repr.ts';
import { checkInputs } from './signature/check-value.ts';
import { ANY, type FieldType } from './signature/field-type.ts';
import { KEY_PATTERNS, literalKey } from './signature/to-json-schema.ts';

/* The limits of the kernel's own summaries (python/rlm_kernel/load.py), which are those of Python's reprlib. */
const PREVIEW = 400;
const MOST_TEXT = 200;
const MOST_DIGITS = 40;
const MOST_LEVELS = 3;
/** Items that a preview shows of a list. */
export const SHOWN_ITEMS = 3;
/** Entries that a preview shows of a dict: those with the smallest keys. */
export const SHOWN_ENTRIES = 6;
/** Characters of a text's beginning and end that a preview may show. */
export const SHOWN_TEXT = MOST_TEXT;

/** A number as it was written: JavaScript's cannot tell `1.0` from `1`, and has no large integers. */
export class ExactNumber {
  readonly source: string;
  constructor(source: string) {
    this.source = source;
  }
}

/** What a preview needs of a text that is too long to be held. */
export class TextGlimpse {
  /** Its first `SHOWN_TEXT` characters, or all of them. */
  readonly start: string;
  readonly end: string;
  /** Characters; null where nobody knows. */
  readonly length: number | null;
  constructor(start: string, end: string, length: number | null) {
    [this.start, this.end, this.length] = [start, end, length];
  }
}

/** What a preview needs of a list. */
export class ListGlimpse {
  /** The first `SHOWN_ITEMS`, or all of them. */
  readonly items: readonly unknown[];
  readonly length: number;
  constructor(items: readonly unknown[], length: number) {
    [this.items, this.length] = [items, length];
  }
}

/** What a preview needs of a dict. */
export class DictGlimpse {
  /** The `SHOWN_ENTRIES` with the smallest keys, or all of them; keys as JSON writes them. */
  readonly entries: readonly (readonly [key: string, value: unknown])[];
  readonly length: number;
  constructor(entries: readonly (readonly [key: string, value: unknown])[], length: number) {
    [this.entries, this.length] = [entries, length];
  }
}

/** Something nobody has looked at. */
export const UNKNOWN = Symbol('unknown');

/**
 * What a prompt says of a variable, worded as the kernel words it: Python's name of its type, its `len`, and its repr
 * as reprlib cuts it. Large values may be given as glimpses, at any depth.
 *
 * @param value a JSON value
 * @param type what the kernel makes of it: `[1, 2]` is shown as `(1.0, 2.0)` where a tuple of floats is wanted
 */
export function summarizeValue(value: unknown, type: FieldType = ANY): InputSummary {
  const preview = repr(value, type, MOST_LEVELS);
  const start = startOfText(preview, PREVIEW);
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
  if (typeof value === 'string' || value instanceof TextGlimpse) return 'str';
  if (!Array.isArray(value) && !(value instanceof ListGlimpse)) return value === UNKNOWN ? 'unknown' : 'dict';
  return type.kind === 'tuple' || type.kind === 'tuple_of' ? 'tuple' : 'list';
}

function lengthOf(value: unknown, declared: FieldType): number | null {
  if (isLargeInteger(value, memberFor(value, declared))) return null;
  if (typeof value === 'string') return lengthOfText(value);
  if (value instanceof TextGlimpse || value instanceof ListGlimpse || value instanceof DictGlimpse) return value.length;
  if (Array.isArray(value)) return value.length;
  return typeof value === 'object' && value !== null && !isNumber(value) ? entriesOf(value).length : null;
}

/** As reprlib's `repr1`. */
function repr(value: unknown, declared: FieldType, level: number): string {
  const type = memberFor(value, declared);
  if (value === null) return 'None';
  if (typeof value === 'boolean') return value ? 'True' : 'False';
  if (isNumber(value)) return reprOfNumber(value, type);
  if (isLargeInteger(value, type)) return cutDigits(value);
  if (typeof value === 'string') return reprOfShortText(glimpseOf(value));
  if (value instanceof TextGlimpse) return reprOfShortText(value);
  if (Array.isArray(value)) return reprOfList(new ListGlimpse(value, value.length), type, level);
  if (value instanceof ListGlimpse) return reprOfList(value, type, level);
  if (value instanceof DictGlimpse) return reprOfDict(value, type, level);
  return typeof value === 'object' ? reprOfDict(allEntries(value), type, level) : '...';
}

function glimpseOf(text: string): TextGlimpse {
  return new TextGlimpse(startOfText(text, MOST_TEXT), endOfText(text, MOST_TEXT), lengthOfText(text));
}

function reprOfShortText({ start, end, length }: TextGlimpse): string {
  const first = startOfText(start, MOST_TEXT);
  const whole = reprOfText(first);
  if (lengthOfText(whole) <= MOST_TEXT && length !== null) return whole;
  const before = Math.floor((MOST_TEXT - 3) / 2);
  const after = MOST_TEXT - 3 - before;
  if (length === null) return `${startOfText(whole, before)}...`;
  const ends = reprOfText(`${startOfText(start, before)}${endOfText(end, after)}`);
  return `${startOfText(ends, before)}...${endOfText(ends, after)}`;
}

function reprOfNumber(value: number | bigint | ExactNumber, type: FieldType): string {
  const source = sourceOf(value);
  if (isFloat(value, type)) return reprOfFloat(Number(source));
  if (/^-?\d+$/.test(source)) return cutDigits(source.replace(/^-0$/, '0'));
  return Number.isInteger(Number(source)) ? cutDigits(String(BigInt(Number(source)))) : source;
}

function cutDigits(digits: string): string {
  if (digits.length <= MOST_DIGITS) return digits;
  const before = Math.floor((MOST_DIGITS - 3) / 2);
  return `${digits.slice(0, before)}...${digits.slice(-(MOST_DIGITS - 3 - before))}`;
}

function reprOfList({ items, length }: ListGlimpse, type: FieldType, level: number): string {
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

function reprOfDict({ entries, length }: DictGlimpse, type: FieldType, level: number): string {
  if (length === 0) return '{}';
  if (level <= 0) return '{...}';
  const keyType = type.kind === 'dict' ? type.key : ANY;
  const keys = entries.map(([text, value]) => ({ text, value, key: restoredKey(text, keyType) }));
  const shown = sorted(keys)
    .slice(0, SHOWN_ENTRIES)
    .map(({ text, value, key }) => `${reprOfKey(key)}: ${repr(value, entryType(type, text), level - 1)}`);
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

function reprOfKey(key: Key): string {
  return repr(key, ANY, 0);
}

/** As Python's `sorted`, or as they come where the keys cannot be compared. */
function sorted<T extends { readonly text: string; readonly key: Key }>(entries: readonly T[]): readonly T[] {
  // A key that is a text is the text that JSON wrote.
  if (entries.every(({ key }) => typeof key === 'string')) {
    return entries.toSorted((left, right) => compareTexts(left.text, right.text));
  }
  if (entries.some(({ key }) => typeof key === 'string' || key === null)) return entries;
  return entries.toSorted((left, right) => compareNumbers(numberOf(left.key), numberOf(right.key)));
}

function numberOf(key: Key): bigint | number {
  if (!(key instanceof ExactNumber)) return Number(key);
  return /^-?\d+$/.test(key.source) ? BigInt(key.source) : Number(key.source);
}

function compareNumbers(left: bigint | number, right: bigint | number): number {
  return left < right ? -1 : left > right ? 1 : 0;
}

function allEntries(value: object): DictGlimpse {
  const entries = entriesOf(value);
  return new DictGlimpse(entries, entries.length);
}

function entriesOf(value: object): (readonly [string, unknown])[] {
  return Object.entries(value).filter(([, item]) => item !== undefined);
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
  if (kind === 'any' || value === UNKNOWN) return true;
  if (value === null) return kind === 'none' || kind === 'literal';
  if (typeof value === 'boolean') return kind === 'bool' || kind === 'literal';
  if (isNumber(value)) return kind === 'int' || kind === 'float' || kind === 'literal';
  if (typeof value === 'string') return kind === 'str' || kind === 'int' || kind === 'literal';
  if (value instanceof TextGlimpse) return kind === 'str';
  if (Array.isArray(value) || value instanceof ListGlimpse)
    return kind === 'list' || kind === 'tuple' || kind === 'tuple_of';
  return kind === 'dict' || kind === 'object';
}

function takes(type: FieldType, value: unknown): boolean {
  return checkInputs({ inputs: [{ name: 'value', type }] }, { value: plain(value) }).ok;
}

/** Without glimpses and exact numbers. */
function plain(value: unknown): unknown {
  if (value instanceof ExactNumber) return Number(value.source);
  if (value instanceof TextGlimpse) return value.start;
  if (value instanceof ListGlimpse) return value.items.map(plain);
  if (value instanceof DictGlimpse) return Object.fromEntries(value.entries.map(([key, item]) => [key, plain(item)]));
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, plain(item)]));
}
