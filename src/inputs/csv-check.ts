import { nearestName } from '../domain/nearest-name.ts';
import { ANY, NONE, type Field, type FieldType, unionOf } from '../domain/signature/field-type.ts';
import { renderType } from '../domain/signature/render.ts';
import { ExactNumber } from '../domain/summarize-value.ts';
import { accepts } from './check-part.ts';
import type { Check } from './checking.ts';
import { CsvRows } from './csv-rows.ts';
import { invalid } from './invalid.ts';
import { itemTypeOf } from './json-source.ts';
import { ListCheck } from './list-check.ts';
import { oddBytes, Utf8Reader } from './utf8-reader.ts';

/** A CSV text: a list of dicts by the names in its first row. */
export function checkCsv(field: Field, label: string): Check {
  const item = recordType(field, label);
  const list = new ListCheck(field, label);
  const reader = new Utf8Reader();
  let names: readonly string[] | undefined;
  const row = (values: readonly string[], line: number): void => {
    if (names === undefined) names = checkHeader(values, item, label);
    else if (values.length > names.length)
      throw invalid(`${label}, line ${line}: it has ${values.length} values for ${names.length} columns`);
    else if (values.length > 0) {
      checkBlanks(names, values, item, `${label}, line ${line}`);
      const record = recordOf(names, values, item);
      list.value(record, line, item, withSignedZeros(record));
    }
  };
  const rows = new CsvRows(row, (what, line): never => {
    throw invalid(`${label}, line ${line} is not CSV: ${what}`);
  });
  return {
    take: (chunk) => {
      rows.take(reader.read(chunk));
    },
    end() {
      rows.take(reader.end());
      rows.end();
      if (names === undefined) throw invalid(`${label} is empty: the first row must name the columns`);
      list.end();
    },
    summary: () => list.summary(),
    warnings: () => oddBytes(field.name, reader.isUtf8 ? [] : [label]),
  };
}

/** What a row must be; Any where that is left to the kernel. */
function recordType({ name, type }: Field, label: string): FieldType {
  const item = itemTypeOf(type);
  const records = (item?.kind === 'union' ? item.members : [item]).filter(
    (each) => each?.kind === 'dict' || each?.kind === 'object' || each?.kind === 'any',
  );
  const [only, ...others] = records;
  if (only !== undefined) return others.length === 0 ? only : ANY;
  throw invalid(
    `${name}: ${label} is a list of rows, and the signature wants ${renderType(type)}: ` +
      'make the field a list[dict] or a list[{column: type, ...}], or a str for its text',
  );
}

function checkHeader(names: readonly string[], type: FieldType, label: string): readonly string[] {
  if (names.length === 0) throw invalid(`${label} begins with an empty line: the first row must name the columns`);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) throw invalid(`${label}: two columns are called '${twice}'; rename one of them`);
  if (type.kind !== 'object') return names;
  const known = type.properties.map(({ name }) => name);
  const columns = `its columns are ${names.join(', ')}`;
  for (const { name, required } of type.properties) {
    if (required && !names.includes(name)) throw invalid(`${label} has no column ${name}; ${columns}`);
  }
  const unknown = type.additional === null ? names.find((name) => !known.includes(name)) : undefined;
  if (unknown === undefined) return names;
  const nearest = nearestName(unknown, known);
  const advice =
    nearest === undefined ? `add ${unknown}, or ..., to the object in the signature` : `did you mean ${nearest}?`;
  throw invalid(`${label} has a column ${unknown} that ${renderType(type)} does not have; ${advice}`);
}

function checkBlanks(names: readonly string[], values: readonly string[], record: FieldType, place: string): void {
  for (const [index, text] of values.entries()) {
    if (text.trim() !== '') continue;
    const name = names[index] ?? '';
    const type = typeOf(name, record);
    if (accepts(type, cellValue(text, type))) continue;
    throw invalid(`${place}, column ${name}: the cell is empty; make it ${renderType(unionOf([type, NONE]))}`);
  }
}

function recordOf(names: readonly string[], values: readonly string[], type: FieldType): Record<string, unknown> {
  return Object.fromEntries(
    names.map((name, index) => {
      const value = values[index];
      return [name, value === undefined ? null : cellValue(value, typeOf(name, type))];
    }),
  );
}

/** JSON's numbers have no negative zero, and Python's have. */
function withSignedZeros(record: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(record).map(([name, value]) => [name, Object.is(value, -0) ? new ExactNumber('-0.0') : value]),
  );
}

function typeOf(name: string, type: FieldType): FieldType {
  if (type.kind === 'dict') return type.value;
  if (type.kind !== 'object') return ANY;
  return type.properties.find((property) => property.name === name)?.type ?? type.additional ?? ANY;
}

const INTEGER = /^[+-]?\d+(?:_\d+)*$/;
const NUMBER = /^[+-]?(?:\d+(?:_\d+)*\.?(?:\d+(?:_\d+)*)?|\.\d+(?:_\d+)*)(?:[eE][+-]?\d+(?:_\d+)*)?$/;

/** What the kernel makes of a cell; the text where it is not what the type wants. */
function cellValue(text: string, type: FieldType): unknown {
  const trimmed = text.trim();
  switch (type.kind) {
    case 'int':
      return INTEGER.test(trimmed) ? BigInt(trimmed.replaceAll('_', '').replace(/^\+/, '')) : text;
    case 'float':
      return NUMBER.test(trimmed) ? Number(trimmed.replaceAll('_', '')) : text;
    case 'bool':
      return /^(?:true|false)$/i.test(trimmed) ? trimmed.toLowerCase() === 'true' : text;
    case 'none':
      return text === '' ? null : text;
    case 'union':
      return unionValue(text, type.members);
    default:
      return text;
  }
}

function unionValue(text: string, members: readonly FieldType[]): unknown {
  if (text === '' && members.some(({ kind }) => kind === 'none')) return null;
  for (const member of members) {
    const value = cellValue(text, member);
    if (accepts(member, value)) return value;
  }
  return text;
}
