import { nearestName } from '../nearest-name.ts';
import type { Field, FieldType, Signature } from './field-type.ts';
import { describeValue, isPlainObject, renderPath, type Path, type ValueProblem } from './problem.ts';
import { renderType } from './render.ts';
import { KEY_PATTERNS, literalKey } from './to-json-schema.ts';
import { entriesOf, objectOf } from '../ordered-json.ts';

export type Checked =
  | { readonly ok: true; readonly values: Readonly<Record<string, unknown>> }
  | { readonly ok: false; readonly problems: readonly ValueProblem[] };

/** Names of a mistake beyond this many are not listed. */
const MAX_PROBLEMS = 20;
/** Lists and dicts within each other. */
export const MAX_DEPTH = 100;
/** An integer that a double cannot hold, as it travels. */
const LARGE_INTEGER = /^-?[1-9][0-9]{15,}$/;

/**
 * The values of the output fields as the signature has them, or what is wrong with them.
 *
 * The rules are those of SUBMIT in the kernel (python/rlm_kernel/typed.py), for values that have been JSON already:
 * - whole floats are integers where an int is wanted; nothing else changes its type, `"3"` is no int and 3 no str;
 * - an int beyond ±(2^53 - 1) is a string of its digits, because JSON's readers here have doubles only; where an int is
 *   wanted such a string (and a bigint) is one. A float field takes the nearest double;
 * - keys of dicts are strings as JSON writes them: `{1: x}` of `dict[int, T]` is `{"1": x}`;
 * - halves of surrogate pairs become their escapes, `\ud800`;
 * - NaN, infinities, undefined and what is nested deeper than 100 are refused.
 */
export function checkOutputs(signature: Pick<Signature, 'outputs'>, values: unknown): Checked {
  return checkFields(signature.outputs, values);
}

/** The same for the inputs; what it returns is what the kernel makes Python values of, as JSON. */
export function checkInputs(signature: Pick<Signature, 'inputs'>, values: unknown): Checked {
  return checkFields(signature.inputs, values);
}

/** One line a problem. */
export function describeProblems(problems: readonly ValueProblem[]): string {
  const lines = problems.slice(0, MAX_PROBLEMS).map(({ message }) => message);
  if (problems.length > MAX_PROBLEMS) lines.push(`... and ${problems.length - MAX_PROBLEMS} more`);
  return lines.join('\n');
}

function checkFields(fields: readonly Field[], values: unknown): Checked {
  if (!isPlainObject(values)) {
    const names = fields.map(({ name }) => name).join(', ');
    const got = describeValue(values);
    const message = `expected the fields ${names}, got ${got}`;
    return { ok: false, problems: [{ field: '', path: '', expected: `the fields ${names}`, got, message }] };
  }
  const checker = new Checker();
  const checked = fields.map(({ name, type }): readonly [string, unknown] => {
    const path: Path = [null, name];
    if (Object.hasOwn(values, name)) return [name, checker.check(values[name], type, path)];
    checker.missing(path, type);
    return [name, null];
  });
  const names = fields.map(({ name }) => name);
  for (const name of Object.keys(values)) {
    if (!names.includes(name)) checker.unknown([null, name], names, 'field');
  }
  return checker.problems.length > 0
    ? { ok: false, problems: checker.problems }
    : { ok: true, values: Object.fromEntries(checked) };
}

/** Returns values as they are to be kept, and gathers what is wrong. */
class Checker {
  readonly problems: ValueProblem[] = [];

  check(value: unknown, type: FieldType, path: Path, depth = 0): unknown {
    if (depth > MAX_DEPTH) return this.#refuse(path, type, `something nested deeper than ${MAX_DEPTH}`);
    switch (type.kind) {
      case 'str':
        return typeof value === 'string' ? wellFormed(value) : this.#wrong(path, type, value);
      case 'int':
        return this.#int(value, type, path);
      case 'float':
        return this.#float(value, type, path);
      case 'bool':
        return typeof value === 'boolean' ? value : this.#wrong(path, type, value);
      case 'none':
        return value === null ? value : this.#wrong(path, type, value);
      case 'any':
        return this.#any(value, path, depth);
      case 'literal':
        return type.values.some((each) => each === value) ? value : this.#wrong(path, type, value);
      case 'union':
        return this.#union(value, type, path, depth);
      case 'dict':
        return this.#dict(value, type, path, depth);
      case 'object':
        return this.#object(value, type, path, depth);
      default:
        return this.#array(value, type, path, depth);
    }
  }

  missing(path: Path, type: FieldType): void {
    const expected = renderType(type);
    this.#add(path, expected, 'nothing', `is missing; expected ${expected}`);
  }

  unknown(path: Path, names: readonly string[], what: 'field' | 'key'): void {
    const meant = nearestName(String(path[1]), names);
    const advice = meant === undefined ? `the ${what}s are ${names.join(', ')}` : `did you mean ${meant}?`;
    this.#add(path, 'nothing', 'a value', `there is no such ${what}; ${advice}`);
  }

  #add(path: Path, expected: string, got: string, message: string): void {
    const text = renderPath(path);
    this.problems.push({ field: fieldOf(path), path: text, expected, got, message: `${text}: ${message}` });
  }

  #wrong(path: Path, type: FieldType, value: unknown): null {
    return this.#refuse(path, type, describeValue(value));
  }

  #refuse(path: Path, type: FieldType, got: string): null {
    const expected = renderType(type);
    this.#add(path, expected, got, `expected ${expected}, got ${got}`);
    return null;
  }

  #int(value: unknown, type: FieldType, path: Path): unknown {
    if (typeof value === 'string')
      return LARGE_INTEGER.test(value) && !isSafe(BigInt(value)) ? value : this.#wrong(path, type, value);
    if (typeof value === 'bigint') return integer(value);
    return typeof value === 'number' && Number.isInteger(value)
      ? integer(BigInt(value))
      : this.#wrong(path, type, value);
  }

  #float(value: unknown, type: FieldType, path: Path): unknown {
    const number = typeof value === 'bigint' ? Number(value) : value;
    return typeof number === 'number' && Number.isFinite(number) ? number : this.#wrong(path, type, value);
  }

  #any(value: unknown, path: Path, depth: number): unknown {
    if (typeof value === 'string') return wellFormed(value);
    if (value === null || typeof value === 'boolean') return value;
    if (typeof value === 'bigint') return integer(value);
    if (typeof value === 'number') return Number.isFinite(value) ? value : this.#wrong(path, ANY, value);
    if (Array.isArray(value)) return value.map((item, index) => this.check(item, ANY, [path, index], depth + 1));
    if (!isPlainObject(value)) return this.#wrong(path, ANY, value);
    return mapValues(value, (item, key) => this.check(item, ANY, [path, key], depth + 1));
  }

  #array(
    value: unknown,
    type: Extract<FieldType, { kind: 'list' | 'tuple' | 'tuple_of' }>,
    path: Path,
    depth: number,
  ): unknown {
    if (!Array.isArray(value)) return this.#wrong(path, type, value);
    if (type.kind !== 'tuple') return value.map((item, index) => this.check(item, type.item, [path, index], depth + 1));
    if (value.length !== type.items.length) return this.#wrong(path, type, value);
    return type.items.map((item, index) => this.check(value[index], item, [path, index], depth + 1));
  }

  #dict(value: unknown, type: Extract<FieldType, { kind: 'dict' }>, path: Path, depth: number): unknown {
    if (!isPlainObject(value)) return this.#wrong(path, type, value);
    return mapValues(value, (item, key) => {
      if (isKey(key, type.key)) return this.check(item, type.value, [path, key], depth + 1);
      const [expected, got] = [`a key of type ${renderType(type.key)}`, describeValue(key)];
      this.#add([path, key], expected, got, `expected ${expected}, got ${got}`);
      return null;
    });
  }

  #object(value: unknown, type: Extract<FieldType, { kind: 'object' }>, path: Path, depth: number): unknown {
    if (!isPlainObject(value)) return this.#wrong(path, type, value);
    const types = new Map(type.properties.map((property) => [property.name, property.type]));
    for (const { name, required, type: inner } of type.properties) {
      if (required && !Object.hasOwn(value, name)) this.missing([path, name], inner);
    }
    return mapValues(value, (item, key) => {
      const inner = types.get(key) ?? type.additional;
      if (inner !== null) return this.check(item, inner, [path, key], depth + 1);
      this.unknown([path, key], [...types.keys()], 'key');
      return null;
    });
  }

  /** The first member that takes the value; where one alone has its shape, what is wrong inside is told. */
  #union(value: unknown, type: Extract<FieldType, { kind: 'union' }>, path: Path, depth: number): unknown {
    const attempts = [];
    for (const member of type.members) {
      const checker = new Checker();
      const checked = checker.check(value, member, path, depth);
      if (checker.problems.length === 0) return checked;
      if (hasShape(value, member)) attempts.push(checker.problems);
    }
    const [only, ...others] = attempts;
    if (only === undefined || others.length > 0) return this.#wrong(path, type, value);
    this.problems.push(...only);
    return null;
  }
}

const ANY = { kind: 'any' } as const;

function hasShape(value: unknown, { kind }: FieldType): boolean {
  if (Array.isArray(value)) return kind === 'list' || kind === 'tuple' || kind === 'tuple_of';
  return isPlainObject(value) && (kind === 'dict' || kind === 'object');
}

function isKey(key: string, type: FieldType): boolean {
  if (type.kind === 'int' || type.kind === 'float' || type.kind === 'bool')
    return new RegExp(KEY_PATTERNS[type.kind]).test(key);
  if (type.kind === 'literal') return type.values.some((value) => literalKey(value) === key);
  return type.kind === 'union' ? type.members.some((member) => isKey(key, member)) : true;
}

function isSafe(value: bigint): boolean {
  return value <= Number.MAX_SAFE_INTEGER && value >= -Number.MAX_SAFE_INTEGER;
}

function integer(value: bigint): number | string {
  return isSafe(value) ? Number(value) : String(value);
}

function wellFormed(text: string): string {
  return text.replaceAll(/\p{Cs}/gu, (half) => `\\u${half.charCodeAt(0).toString(16)}`);
}

function fieldOf([parent, step]: Path): string {
  return parent === null ? String(step) : fieldOf(parent);
}

function mapValues(
  object: Readonly<Record<string, unknown>>,
  map: (value: unknown, key: string) => unknown,
): Record<string, unknown> {
  return objectOf(
    entriesOf(object)
      .filter(([, value]) => value !== undefined)
      .map(([key, value]) => [wellFormed(key), map(value, key)] as const),
  );
}
