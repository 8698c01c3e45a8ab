import { ANY, type Field, type FieldType } from '../domain/signature/field-type.ts';
import { isPlainObject } from '../domain/signature/problem.ts';
import { renderType } from '../domain/signature/render.ts';
import { DictGlimpse, ListGlimpse, summarizeValue, UNKNOWN } from '../domain/summarize-value.ts';
import type { InputSummary } from '../domain/kernel-protocol.ts';
import { checkPart } from './check-part.ts';
import { DictTally } from './dict-tally.ts';
import { invalid } from './invalid.ts';
import { ListTally } from './list-tally.ts';
import { parseExactly, parseJsonBytes } from './parse-json.ts';

/** Takes the items of a list one by one, as JSON, and checks each against the field. */
export class ListCheck {
  readonly #field: Field;
  readonly #label: string;
  readonly #type: FieldType;
  readonly #tally = new ListTally();

  constructor(field: Field, label: string) {
    this.#field = field;
    this.#label = label;
    this.#type = memberOf(field, label, ['list', 'tuple', 'tuple_of'], 'a list');
  }

  item(bytes: Buffer | null, line: number): void {
    if (bytes === null) {
      this.#tally.take(UNKNOWN);
      return;
    }
    const parsed = parseJsonBytes(bytes);
    if ('fault' in parsed) throw invalid(`${this.#label}, line ${line} is not JSON: ${parsed.fault}`);
    const shown = this.#tally.shows ? parseExactly(bytes.toString('utf8')) : undefined;
    this.value(parsed.value, line, this.#itemType(), shown);
  }

  /** @param shown - the value as a summary shows it */
  value(value: unknown, line: number, type = this.#itemType(), shown: unknown = value): void {
    const problem = checkPart(`${this.#field.name}[${this.#tally.length}]`, type, value);
    if ('problems' in problem) throw invalid(`${this.#label}, line ${line}: ${problem.problems}`);
    this.#tally.take(shown);
  }

  #itemType(): FieldType {
    if (this.#type.kind === 'tuple') return this.#type.items[this.#tally.length] ?? ANY;
    return this.#type.kind === 'list' || this.#type.kind === 'tuple_of' ? this.#type.item : ANY;
  }

  end(): void {
    if (this.#type.kind !== 'tuple' || this.#type.items.length === this.#tally.length) return;
    throw invalid(
      `${this.#field.name}: expected ${renderType(this.#type)}, and ${this.#label} has ${this.#tally.length} items`,
    );
  }

  summary(): InputSummary {
    const { length, items } = this.#tally.glimpse();
    return summarizeValue(new ListGlimpse(items, length), this.#field.type);
  }
}

/** The same for the entries of a dict. */
export class DictCheck {
  readonly #field: Field;
  readonly #label: string;
  readonly #type: FieldType;
  readonly #tally: DictTally;
  readonly #missing: Set<string>;

  constructor(field: Field, label: string) {
    this.#field = field;
    this.#label = label;
    const type = memberOf(field, label, ['dict', 'object'], 'a dict');
    this.#tally = new DictTally(type.kind === 'dict' ? type.key : ANY);
    if (type.kind === 'object') {
      this.#missing = new Set(type.properties.filter(({ required }) => required).map(({ name }) => name));
      this.#type = { ...type, properties: type.properties.map((each) => ({ ...each, required: false })) };
    } else {
      this.#missing = new Set();
      this.#type = type;
    }
  }

  entry(bytes: Buffer | null, line: number): void {
    const { name } = this.#field;
    if (bytes === null) {
      this.#takeUnknown();
      return;
    }
    const whole = Buffer.concat([Buffer.from('{'), bytes, Buffer.from('}')]);
    const parsed = parseJsonBytes(whole);
    if ('fault' in parsed) throw invalid(`${this.#label}, line ${line} is not JSON: ${parsed.fault}`);
    const checked = checkPart(name, this.#type, parsed.value);
    if ('problems' in checked) throw invalid(`${this.#label}, line ${line}: ${checked.problems}`);
    const [key = ''] = isPlainObject(parsed.value) ? Object.keys(parsed.value) : [];
    this.#missing.delete(key);
    this.#tally.take(key, this.#tally.shows(key) ? valueOf(parseExactly(whole.toString('utf8')), key) : undefined);
  }

  /** Its key cannot be known either; that it is missing is left to the kernel. */
  #takeUnknown(): void {
    this.#missing.clear();
    this.#tally.take('...', UNKNOWN);
  }

  end(): void {
    const [missing] = this.#missing;
    if (missing === undefined) return;
    throw invalid(
      `${this.#field.name}.${missing}: is missing in ${this.#label}; expected ${renderType(this.#field.type)}`,
    );
  }

  summary(): InputSummary {
    const { entries, length } = this.#tally.glimpse();
    return summarizeValue(new DictGlimpse(entries, length), this.#field.type);
  }
}

function valueOf(object: unknown, key: string): unknown {
  return isPlainObject(object) ? object[key] : undefined;
}

/** The part of the field's type that such a value can have; Any where several could. */
function memberOf({ name, type }: Field, label: string, kinds: readonly string[], what: string): FieldType {
  const members = (type.kind === 'union' ? type.members : [type]).filter(
    ({ kind }) => kind === 'any' || kinds.includes(kind),
  );
  const [only, ...others] = members;
  if (only === undefined) throw invalid(`${name}: expected ${renderType(type)}, and ${label} holds ${what}`);
  return others.length === 0 ? only : ANY;
}
