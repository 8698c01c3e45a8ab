import type { StoredInput } from '../domain/inputs.ts';
import type { FieldType } from '../domain/signature/field-type.ts';
import { itemTypeOf } from './json-source.ts';

/** What Python and the kernel take by themselves while they load, MB. */
const BASE = 30;
/** Bytes that Python (3.11, 64 bits) takes beside the characters: for a value in a list, for a dict and for each of its keys. */
const OBJECT = 64;
const DICT = 180;
const ENTRY = 68;

/**
 * About how many MB of memory a sandbox needs to hold these variables, from their sizes and the beginnings that are
 * known. Rather too little than too much: who asks refuses an analysis by it, and the kernel refuses what it cannot hold
 * in the end. Measured: within a third for texts, lists of texts and records of simple values.
 */
export function inputsNeed(inputs: readonly StoredInput[]): number {
  const bytes = inputs.reduce((sum, input) => sum + bytesOf(input), 0);
  return Math.ceil(BASE + bytes / 1_000_000);
}

function bytesOf(input: StoredInput): number {
  const { format, size, summary } = input;
  const length = summary.length ?? 0;
  if (format === 'text') return length === 0 ? size : length * textWidth(size / length, summary.preview);
  // Of a list each text is as wide as its widest character: most are not the widest of all.
  const width = /[^\0-\xff]/.test(summary.preview) ? 1.8 : 1;
  if (summary.type === 'str' || summary.length === null) return size * width;
  return size * width + length * itemBytes(input);
}

/**
 * Bytes that Python spends on each character of a text: as many as the widest needs, a single emoji makes it four for
 * all. Where the beginning shows none but Latin ones, it may be one or two.
 */
function textWidth(bytesEach: number, preview: string): number {
  if (bytesEach <= 1) return 1;
  if (/[\u{10000}-\u{10ffff}]/u.test(preview)) return 4;
  return bytesEach > 1.3 || /[^\0-\xff]/.test(preview) ? 2 : 1.3;
}

function itemBytes({ type, summary: { preview, type: name } }: StoredInput): number {
  if (name === 'dict') return OBJECT + ENTRY;
  const item = type === undefined ? undefined : itemTypeOf(type);
  const keys = keysOf(item) ?? keysShown(preview);
  return keys === undefined ? OBJECT : DICT + ENTRY * keys;
}

function keysOf(type: FieldType | undefined): number | undefined {
  return type?.kind === 'object' ? type.properties.length : undefined;
}

/** Of the first dict in a list; undefined where it begins with none. */
function keysShown(preview: string): number | undefined {
  const first = /^[[(]\{([^}]*)/.exec(preview)?.[1];
  return first === undefined ? undefined : first.split("': ").length - 1;
}
