import type { FieldType } from '../domain/signature/field-type.ts';
import { accepts } from './check-part.ts';
import { hasColumns } from './csv.ts';
import { itemTypeOf } from './json-source.ts';
import { parseJson } from './parse-json.ts';
import { takesRows } from './table.ts';

/** How a text is to be read. */
export type Form = 'text' | 'json' | 'json lines' | 'csv' | 'scalar' | 'nothing';

const BLANKS = /^[ \t\r\n]*/;

/**
 * By the type of the field, the ending of the file's name, and what the text begins with.
 *
 * @returns nothing, where the field can hold no such thing
 */
export function formOf(
  type: FieldType,
  { extension, start, isWhole }: { extension: string; start: string; isWhole: boolean },
): Form {
  if (wantsText(type)) return 'text';
  if (extension === '.json') return jsonForm(type, start, isWhole, false);
  if (extension === '.jsonl' || extension === '.ndjson') return jsonForm(type, start, isWhole, true);
  if (extension === '.csv' || extension === '.tsv' || extension === '.tab') return 'csv';
  if (isScalar(type)) return 'scalar';
  if (accepts(type, 'text')) return 'text';
  const text = start.replace(BLANKS, '');
  const item = itemTypeOf(type);
  if (text === '' && isWhole) return item === undefined ? 'json' : 'json lines';
  if (/^[[{]/.test(text)) return jsonForm(type, start, isWhole, false);
  const { value } = firstLine(start, isWhole);
  if (item !== undefined && value !== undefined && accepts(item, value)) return 'json lines';
  if (takesRows(type) && hasColumns(start, isWhole)) return 'csv';
  return item === undefined && accepts(type, {}) && /^["\d-]/.test(text) ? 'json' : 'nothing';
}

/** JSON Lines are recognised by their first line, which is a value by itself and not the only one. */
function jsonForm(type: FieldType, start: string, isWhole: boolean, isNamedLines: boolean): Form {
  const { value, isOnly } = firstLine(start, isWhole);
  const item = itemTypeOf(type);
  if (value === undefined) {
    const first = start.replace(BLANKS, '')[0];
    if (isNamedLines) return first === '[' && !accepts(type, [[]]) ? 'json' : 'json lines';
    return first === '{' && item !== undefined && !accepts(type, {}) && isLongLine(start) ? 'json lines' : 'json';
  }
  if (!isOnly) return 'json lines';
  const isItem = item !== undefined && accepts(item, value);
  if (isNamedLines) return !isItem && accepts(type, value) ? 'json' : 'json lines';
  return isItem && !accepts(type, value) ? 'json lines' : 'json';
}

/** A first line that continues beyond what was looked at. */
function isLongLine(start: string): boolean {
  return !start.trimStart().includes('\n');
}

/** The JSON value on the first line that is not blank, and whether there is nothing after it; no value where it is none. */
function firstLine(start: string, isWhole: boolean): { readonly value?: unknown; readonly isOnly: boolean } {
  const text = start.replace(BLANKS, '');
  const end = text.indexOf('\n');
  if (end === -1 && !isWhole) return { isOnly: false };
  const parsed = parseJson(end === -1 ? text : text.slice(0, end));
  if ('fault' in parsed) return { isOnly: false };
  return { value: parsed.value, isOnly: end === -1 || !/^\s*[[{"\w-]/.test(text.slice(end)) };
}

/** Whether any file is taken as the text it is. */
export function wantsText(type: FieldType): boolean {
  if (type.kind === 'union') return type.members.every((member) => member.kind === 'none' || wantsText(member));
  return type.kind === 'str';
}

function isScalar(type: FieldType): boolean {
  if (type.kind === 'union') return type.members.every((member) => member.kind === 'str' || isScalar(member));
  return ['int', 'float', 'bool', 'none', 'literal'].includes(type.kind);
}
