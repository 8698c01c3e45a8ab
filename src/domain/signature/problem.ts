import { isIdentifier } from './names.ts';

/** One thing that is wrong with a value. */
export interface ValueProblem {
  readonly field: string;
  /** Where in the field, as Python writes it: `wealth[3].amount`, `facts['odd key']`. */
  readonly path: string;
  /** A type, as the signature writes it. */
  readonly expected: string;
  /** What was there: `str 'three'`; `nothing` where it is missing. */
  readonly got: string;
  /** The whole in one line, path first. */
  readonly message: string;
}

export type Path = readonly [parent: Path | null, step: string | number];

const MAX_TEXT = 40;
const MAX_KEYS = 5;

/** The first step is the name of the field; an object's keys follow a dot where they can. */
export function renderPath([parent, step]: Path): string {
  if (parent === null) return String(step);
  const before = renderPath(parent);
  if (typeof step === 'number') return `${before}[${step}]`;
  return isIdentifier(step) ? `${before}.${step}` : `${before}[${renderValue(step)}]`;
}

/** A value as Python's name of its type, and enough of it to be recognised. */
export function describeValue(value: unknown): string {
  if (value === null) return 'None';
  if (Array.isArray(value)) return value.length === 1 ? 'list of 1 item' : `list of ${value.length} items`;
  if (typeof value === 'object') {
    if (!isPlainObject(value)) return value.constructor.name;
    const keys = Object.keys(value);
    if (keys.length === 0) return 'an empty dict';
    const shown = keys.slice(0, MAX_KEYS).map(renderValue);
    if (keys.length > MAX_KEYS) shown.push('...');
    return `dict with ${keys.length === 1 ? 'the key' : 'the keys'} ${shown.join(', ')}`;
  }
  if (typeof value === 'string') return `str ${renderValue(value)}`;
  if (typeof value === 'boolean') return `bool ${value ? 'True' : 'False'}`;
  if (typeof value === 'number') return `${Number.isInteger(value) ? 'int' : 'float'} ${numberText(value)}`;
  return typeof value === 'bigint' ? `int ${value}` : typeof value;
}

/** One whose keys are all there is to it: no Date, no Map. */
export function isPlainObject(value: unknown): value is Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

function numberText(value: number): string {
  if (Number.isNaN(value)) return 'nan';
  if (Number.isFinite(value)) return String(value);
  return value > 0 ? 'inf' : '-inf';
}

function renderValue(text: string): string {
  const characters = Array.from(text.slice(0, 2 * MAX_TEXT + 2));
  const shown = characters.length > MAX_TEXT ? `${characters.slice(0, MAX_TEXT).join('')}...` : text;
  const quote = shown.includes("'") && !shown.includes('"') ? '"' : "'";
  return `${quote}${JSON.stringify(shown)
    .slice(1, -1)
    .replaceAll(String.raw`\"`, '"')
    .replaceAll(quote, `\\${quote}`)}${quote}`;
}
