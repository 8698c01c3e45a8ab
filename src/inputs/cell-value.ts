import type { FieldType } from '../domain/signature/field-type.ts';
import { accepts } from './check-part.ts';
import { toJson } from './to-json.ts';

/** As Python's `int` and `float` take them. */
const INTEGER = /^[+-]?\d+(?:_\d+)*$/;
/** As pandas writes integers of a column where some are missing. */
const WHOLE_FLOAT = /^([+-]?\d+)\.0+$/;
const NUMBER = /^[+-]?(?:\d+(?:_\d+)*\.?(?:\d+(?:_\d+)*)?|\.\d+(?:_\d+)*)(?:[eE][+-]?\d+(?:_\d+)*)?$/;

/**
 * A cell of a table as its column's type wants it: texts of CSV as numbers and booleans, numbers of XLSX as texts. As it
 * is where that makes no sense.
 */
export function cellValue(cell: unknown, type: FieldType): unknown {
  if (type.kind === 'union') return unionValue(cell, type.members);
  if (typeof cell !== 'string') return type.kind === 'str' ? textOf(cell) : cell;
  const text = cell.trim();
  switch (type.kind) {
    case 'int': {
      const whole = WHOLE_FLOAT.exec(text)?.[1] ?? text;
      return INTEGER.test(whole) ? BigInt(whole.replaceAll('_', '').replace(/^\+/, '')) : cell;
    }
    case 'float':
      return NUMBER.test(text) ? Number(text.replaceAll('_', '')) : cell;
    case 'bool':
      return /^(?:true|false)$/i.test(text) ? text.toLowerCase() === 'true' : cell;
    case 'none':
      return cell === '' ? null : cell;
    default:
      return cell;
  }
}

/** A cell as CSV writes it. */
export function cellText(cell: unknown): string {
  if (cell === null || cell === undefined) return '';
  return typeof cell === 'string' ? cell : toJson(cell);
}

function textOf(cell: unknown): unknown {
  if (typeof cell === 'boolean') return cell ? 'True' : 'False';
  return typeof cell === 'number' || typeof cell === 'bigint' ? String(cell) : cell;
}

function unionValue(cell: unknown, members: readonly FieldType[]): unknown {
  if (cell === '' && members.some(({ kind }) => kind === 'none')) return null;
  if (typeof cell !== 'string' && members.some((member) => accepts(member, cell))) return cell;
  for (const member of members) {
    const value = cellValue(cell, member);
    if (accepts(member, value)) return value;
  }
  return cell;
}
