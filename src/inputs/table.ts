import { nearestName } from '../domain/nearest-name.ts';
import { ANY, NONE, type Field, type FieldType, unionOf } from '../domain/signature/field-type.ts';
import { renderType } from '../domain/signature/render.ts';
import { ExactNumber } from '../domain/summarize-value.ts';
import { accepts } from './check-part.ts';
import { cellText, cellValue } from './cell-value.ts';
import { invalid } from './invalid.ts';
import { itemTypeOf } from './json-source.ts';
import type { ListItems } from './list-items.ts';
import { toJson } from './to-json.ts';

/** Rows of odd lengths whose lines are listed. */
const SHOWN_LINES = 5;
const SHOWN_COLUMNS = 8;
const MAX_COLUMNS = 20_000;
const MAX_LISTED_COLUMNS = 50;

/** What a table is read from. */
export interface TableSource {
  readonly label: string;
  /** Of CSV: what names it on the command line. */
  readonly typed?: string;
  /** Of CSV: whether its delimiter is named there. */
  readonly isNamedDelimiter?: boolean;
}

/** A row of a table, and where it ends in its file. */
export interface TableRow {
  readonly values: readonly unknown[];
  readonly line: number;
}

/**
 * The rows of a table become dicts by the names in the first one, as JSON Lines, each checked against the field. A row
 * that is too short has null at its end.
 */
export class Table {
  readonly #items: ListItems;
  readonly #label: string;
  readonly #delimiterAdvice: string;
  readonly #type: FieldType;
  readonly #input: string;
  #nameless = 0;
  #names: readonly string[] | undefined;
  #rows = 0;
  #renamed: readonly string[] = [];
  readonly #short: number[] = [];
  readonly #long: number[] = [];

  /** @throws TypedError `Input.Invalid` where the field can hold no rows */
  constructor(field: Field, { label, typed = `@${label}`, isNamedDelimiter = false }: TableSource, items: ListItems) {
    this.#input = field.name;
    this.#label = label;
    this.#delimiterAdvice = isNamedDelimiter
      ? 'or name another delimiter'
      : `or name the delimiter (${typed};delimiter=...)`;
    this.#type = recordTypeOf(field, label);
    this.#items = items;
  }

  /** @returns a line of JSON; '' for the first row, and for blank ones above it */
  take({ values, line }: TableRow): string {
    if (this.#names === undefined) {
      if (values.every(isBlank)) return '';
      this.#names = this.#header(values);
      return '';
    }
    const { length } = this.#names;
    this.#rows += 1;
    // A delimiter at the end of each line, as some programs write it, begins no value.
    if (values.slice(length).some((value) => !isBlank(value))) {
      this.#long.push(line);
      return '';
    }
    if (values.length < length) this.#short.push(line);
    const place = `${this.#label}, line ${line}`;
    const record = this.#record(values, this.#names, place);
    const shown = this.#items.shows ? withSignedZeros(record) : record;
    this.#items.take(record, place, { type: this.#type, shown, advice: () => this.#numberAdvice(record) });
    return `${toJson(record)}\n`;
  }

  /** @throws TypedError `Input.Invalid` */
  end(): void {
    if (this.#names === undefined) throw invalid(`${this.#label} is empty: the first row must name the columns`);
    if (this.#long.length === 0) return;
    const columns = `${this.#names.length} column${this.#names.length === 1 ? '' : 's'}`;
    const tooLong = `${this.#label}: ${rows(this.#long.length, this.#rows)} more values than the ${columns}: ${lines(this.#long)}`;
    // A report, with its title above the table, or with comments.
    const isTitled = this.#names.length === 1 && this.#long.length * 2 > this.#rows;
    if (isTitled || this.#long.length === this.#rows)
      throw invalid(
        `${tooLong}; the names of the columns were read from the first line, ${this.#columns()}: delete what stands above them, ` +
          this.#delimiterAdvice,
      );
    throw invalid(`${tooLong}; put values that hold the delimiter in quotes, ${this.#delimiterAdvice}`);
  }

  /** What was found, after the end: `2 rows, columns id, amount`. */
  describe(): string {
    const columns = this.#names?.length === 1 ? 'column' : 'columns';
    return `${this.#rows} row${this.#rows === 1 ? '' : 's'}, ${columns} ${this.#columns()}`;
  }

  #columns(): string {
    const names = this.#names ?? [];
    const more = names.length > SHOWN_COLUMNS ? ` and ${names.length - SHOWN_COLUMNS} more` : '';
    return `${names.slice(0, SHOWN_COLUMNS).map(shownName).join(', ')}${more}`;
  }

  /** What looks wrong, after the end. */
  notes(): readonly string[] {
    const notes: string[] = [];
    const columns = this.#names?.length ?? 0;
    if (columns > 1 && this.#nameless * 2 >= columns)
      notes.push(
        `${this.#input}: ${this.#label}: ${this.#nameless} of ${columns} columns have no name in the first row; ` +
          'where the names stand below a title, or right of empty columns, delete what is before them',
      );
    if (this.#renamed.length > 0)
      notes.push(
        `${this.#input}: ${this.#label} has columns of the same name; they were renamed: ${this.#renamed.join(', ')}`,
      );
    if (this.#short.length > 0)
      notes.push(
        `${this.#input}: ${this.#label}: ${rows(this.#short.length, this.#rows)} fewer values than the ${this.#names?.length} columns: ` +
          `${lines(this.#short)}; what is missing is None`,
      );
    return notes;
  }

  #header(values: readonly unknown[]): readonly string[] {
    if (values.length > MAX_COLUMNS)
      throw invalid(
        `${this.#label} has ${values.length} columns, and at most ${MAX_COLUMNS} can be read; is its delimiter right?`,
      );
    const given = values.map(cellText);
    this.#nameless = given.filter((name) => name.trim() === '').length;
    const names = withoutDuplicates(given);
    this.#renamed = names
      .flatMap((name, index) => (name === given[index] ? [] : [`${shownName(given[index] ?? '')} to ${name}`]))
      .slice(0, SHOWN_COLUMNS);
    checkColumns(names, this.#type, this.#label);
    return names;
  }

  /** Numbers as people write them are texts to Python, too. */
  #numberAdvice(record: Readonly<Record<string, unknown>>): string {
    const odd = Object.entries(record).filter(
      ([name, value]) => typeof value === 'string' && isNumeric(columnTypeOf(name, this.#type)) && /\d/.test(value),
    );
    if (odd.length === 0) return '';
    const names = odd.slice(0, SHOWN_COLUMNS).map(([name]) => shownName(name));
    return `\na number is written as in 1234 or 1234.5: make ${names.join(', ')} a str, which the code can convert`;
  }

  #record(values: readonly unknown[], names: readonly string[], place: string): Record<string, unknown> {
    return Object.fromEntries(
      names.map((name, index) => {
        const value = values[index];
        if (value === undefined || value === null) return [name, null];
        const type = columnTypeOf(name, this.#type);
        const cell = cellValue(value, type);
        if (typeof value === 'string' && value.trim() === '' && !accepts(type, cell)) {
          const wanted = renderType(unionOf([type, NONE]));
          throw invalid(`${place}, column ${name}: the cell is empty; make it ${wanted}`);
        }
        return [name, cell];
      }),
    );
  }
}

/** As pandas: the second `x` is `x.1`, the third `x.2`. */
export function withoutDuplicates(names: readonly string[]): readonly string[] {
  const taken = new Set(names);
  const seen = new Set<string>();
  const counts = new Map<string, number>();
  return names.map((name) => {
    if (!seen.has(name)) {
      seen.add(name);
      return name;
    }
    let count = counts.get(name) ?? 1;
    while (taken.has(`${name}.${count}`)) count += 1;
    counts.set(name, count + 1);
    taken.add(`${name}.${count}`);
    seen.add(`${name}.${count}`);
    return `${name}.${count}`;
  });
}

function rows(odd: number, all: number): string {
  return `${odd} of ${all} row${all === 1 ? '' : 's'} ${odd === 1 ? 'has' : 'have'}`;
}

function lines(numbers: readonly number[]): string {
  const more = numbers.length > SHOWN_LINES ? ` and ${numbers.length - SHOWN_LINES} more` : '';
  return `line${numbers.length === 1 ? '' : 's'} ${numbers.slice(0, SHOWN_LINES).join(', ')}${more}`;
}

/** Whether the field is a list of rows. */
export function takesRows(type: FieldType): boolean {
  return recordTypesOf(type).length > 0;
}

function recordTypesOf(type: FieldType): readonly FieldType[] {
  const item = itemTypeOf(type);
  if (item === undefined) return [];
  return (item.kind === 'union' ? item.members : [item]).filter(({ kind }) => ['dict', 'object', 'any'].includes(kind));
}

/** What a row must be; Any where that is left to the kernel. */
function recordTypeOf({ name, type }: Field, label: string): FieldType {
  const [only, ...others] = recordTypesOf(type);
  if (only !== undefined) return others.length === 0 ? only : ANY;
  throw invalid(
    `${name}: ${label} is a list of rows, and the signature wants ${renderType(type)}: ` +
      'make the field a list[dict] or a list[{column: type, ...}], or a str for its text',
  );
}

function checkColumns(names: readonly string[], type: FieldType, label: string): void {
  if (type.kind !== 'object') return;
  const known = type.properties.map(({ name }) => name);
  for (const { name, required } of type.properties) {
    if (required && !names.includes(name))
      throw invalid(
        `${label} has no column ${name}; its columns are ${names.slice(0, MAX_LISTED_COLUMNS).map(shownName).join(', ')}` +
          (names.length > MAX_LISTED_COLUMNS ? ` and ${names.length - MAX_LISTED_COLUMNS} more` : '') +
          (blanks(name, names) ?? ''),
      );
  }
  const unknown = type.additional === null ? names.find((name) => !known.includes(name)) : undefined;
  if (unknown === undefined) return;
  const nearest = nearestName(unknown, known);
  const advice =
    nearest === undefined ? `add ${unknown}, or ..., to the object in the signature` : `did you mean ${nearest}?`;
  throw invalid(`${label} has a column ${unknown} that ${renderType(type)} does not have; ${advice}`);
}

/** A name that differs by blanks alone, which nobody sees. */
function blanks(wanted: string, names: readonly string[]): string | undefined {
  const same = names.find((name) => name.trim() === wanted);
  if (same === undefined) return undefined;
  return `; ${shownName(same)} has blanks around it: remove them in the file, or make the field a list[dict]`;
}

/** In quotes where one would not see where it begins and ends. */
function shownName(name: string): string {
  return name === '' || name !== name.trim() ? `'${name}'` : name;
}

function isBlank(value: unknown): boolean {
  return value === null || value === undefined || (typeof value === 'string' && value.trim() === '');
}

function isNumeric(type: FieldType): boolean {
  if (type.kind === 'union') return type.members.some(isNumeric) && !accepts(type, 'text');
  return type.kind === 'int' || type.kind === 'float';
}

function columnTypeOf(name: string, type: FieldType): FieldType {
  if (type.kind === 'dict') return type.value;
  if (type.kind !== 'object') return ANY;
  return type.properties.find((property) => property.name === name)?.type ?? type.additional ?? ANY;
}

/** JavaScript's JSON has no negative zero, and Python's has. */
function withSignedZeros(record: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(record).map(([name, value]) => [name, Object.is(value, -0) ? new ExactNumber('-0.0') : value]),
  );
}
