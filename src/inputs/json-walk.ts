import { DictPreview, ExactNumber } from '../domain/summarize-value.ts';
import { MAX_DEPTH } from '../domain/signature/check-value.ts';
import { ANY, type FieldType, type Property, unionOf } from '../domain/signature/field-type.ts';
import { renderPath, type Path } from '../domain/signature/problem.ts';
import { renderType } from '../domain/signature/render.ts';
import { checkPart } from './check-part.ts';
import { DictCounter, ListCounter } from './counters.ts';
import { JsonFault, type Token } from './json-tokens.ts';

/** Characters of a path that is too deep to be read. */
const MAX_SHOWN_PATH = 60;

/** Takes tokens one by one; what comes of them is what a summary shows of the value, however large it is. */
type Walk<Result> = Generator<undefined, Result, Token>;

/** What is wrong with a JSON value for the type that is wanted. */
export class TypeFault extends Error {}

/** Where a value stands, and whether a summary shows it. */
interface Place {
  readonly path: Path;
  readonly depth: number;
  readonly isShown: boolean;
}

/**
 * Checks a JSON value against a type while it arrives, token by token.
 *
 * @throws JsonFault where it is not JSON, TypeFault where it is not what the type says
 */
export function* walkValue(type: FieldType, name: string): Walk<unknown> {
  return yield* valueOf(yield, type, { path: [null, name], depth: 0, isShown: true });
}

function* valueOf(token: Token, type: FieldType, place: Place): Walk<unknown> {
  if (token.kind === 'value') return leaf(token.value, type, place.path);
  if (place.depth > MAX_DEPTH) throw tooDeep(`${renderPath(place.path).slice(0, MAX_SHOWN_PATH)}...: `);
  const { mark } = token;
  if (mark !== '[' && mark !== '{') throw unexpected(mark);
  const members = membersOf(type, mark);
  const [only, ...others] = members;
  if (only === undefined) {
    const got = mark === '[' ? 'a list' : 'a dict';
    throw new TypeFault(`${renderPath(place.path)}: expected ${renderType(type)}, got ${got}`);
  }
  if (others.length > 0) {
    // Which of them it is shows only when all of it is there.
    const value = yield* built(mark, place.depth);
    check(value, unionOf(members), place.path);
    return value;
  }
  return mark === '[' ? yield* listOf(only, place) : yield* dictOf(only, place);
}

/** The part of a type that such a container can have. */
function membersOf(type: FieldType, mark: '[' | '{'): readonly FieldType[] {
  const kinds = mark === '[' ? ['list', 'tuple_of', 'tuple'] : ['dict', 'object'];
  const members = type.kind === 'union' ? type.members : [type];
  return members.filter(({ kind }) => kind === 'any' || kinds.includes(kind));
}

function leaf(value: string | ExactNumber | boolean | null, type: FieldType, path: Path): unknown {
  const isFree = type.kind === 'str' || type.kind === 'any';
  if (!isFree || typeof value !== 'string') check(value, type, path);
  return value;
}

function check(value: unknown, type: FieldType, path: Path): void {
  if (accepts(value, type)) return;
  const checked = checkPart(renderPath(path), type, plain(value));
  if ('problems' in checked) throw new TypeFault(checked.problems);
}

/** Most values, without the cost of their path. */
function accepts(value: unknown, { kind }: FieldType): boolean {
  if (value instanceof ExactNumber) {
    if (kind === 'int') return /^-?\d+$/.test(value.source);
    return (kind === 'float' || kind === 'any') && Number.isFinite(Number(value.source));
  }
  return typeof value === 'boolean' ? kind === 'bool' || kind === 'any' : value === null && kind === 'any';
}

function* listOf(type: FieldType, place: Place): Walk<unknown> {
  const items = new ListCounter();
  let token = yield;
  while (!isMark(token, ']') || items.length > 0) {
    const isShown: boolean = place.isShown && items.shows;
    const inner: Place = { path: [place.path, items.length], depth: place.depth + 1, isShown };
    const item: unknown = yield* valueOf(token, itemTypeAt(type, items.length), inner);
    items.take(isShown ? item : undefined);
    if (yield* isLast(']')) break;
    token = yield;
  }
  if (type.kind === 'tuple' && type.items.length !== items.length) {
    const got = `a list of ${items.length} item${items.length === 1 ? '' : 's'}`;
    throw new TypeFault(`${renderPath(place.path)}: expected ${renderType(type)}, got ${got}`);
  }
  return items.preview();
}

function itemTypeAt(type: FieldType, index: number): FieldType {
  if (type.kind === 'tuple') return type.items[index] ?? ANY;
  return type.kind === 'list' || type.kind === 'tuple_of' ? type.item : ANY;
}

function* dictOf(type: FieldType, place: Place): Walk<DictPreview> {
  const entries = new DictCounter();
  const missing = new Map<string, Property>();
  if (type.kind === 'object') for (const each of type.properties) if (each.required) missing.set(each.name, each);
  let token = yield;
  while (!isMark(token, '}') || entries.length > 0) {
    const key = keyOf(token);
    const inner: Place = {
      path: [place.path, key],
      depth: place.depth + 1,
      isShown: place.isShown && entries.shows(key),
    };
    const colon = yield;
    if (!isMark(colon, ':')) throw new JsonFault('a colon is missing after a key');
    const value: unknown = yield* valueOf(yield, entryTypeOf(type, key, place.path), inner);
    entries.take(key, inner.isShown ? value : undefined);
    missing.delete(key);
    if (yield* isLast('}')) break;
    token = yield;
  }
  const [lacking] = missing.values();
  if (lacking !== undefined) check({}, { kind: 'object', properties: [lacking], additional: ANY }, place.path);
  return entries.preview();
}

function entryTypeOf(type: FieldType, key: string, path: Path): FieldType {
  if (type.kind === 'dict') {
    const { kind } = type.key;
    if (kind !== 'str' && kind !== 'any') check({ [key]: null }, { kind: 'dict', key: type.key, value: ANY }, path);
    return type.value;
  }
  if (type.kind !== 'object') return ANY;
  const found = type.properties.find(({ name }) => name === key)?.type ?? type.additional;
  if (found !== null) return found;
  const properties = type.properties.map((each) => ({ ...each, required: false }));
  check({ [key]: null }, { kind: 'object', properties, additional: null }, path);
  return ANY;
}

/** A value as a whole, of numbers as they are written. */
function* built(mark: '[' | '{', depth: number): Walk<unknown> {
  if (depth > MAX_DEPTH) throw tooDeep();
  const items: unknown[] = [];
  const entries = new Map<string, unknown>();
  const close = mark === '[' ? ']' : '}';
  let token = yield;
  while (!isMark(token, close) || items.length > 0) {
    let key = '';
    if (mark === '{') {
      key = keyOf(token);
      const colon = yield;
      if (!isMark(colon, ':')) throw new JsonFault('a colon is missing after a key');
      token = yield;
    }
    if (token.kind === 'mark' && token.mark !== '[' && token.mark !== '{') throw unexpected(token.mark);
    const value: unknown = token.kind === 'value' ? token.value : yield* built(token.mark as '[' | '{', depth + 1);
    items.push(value);
    entries.set(key, value);
    if (yield* isLast(close)) break;
    token = yield;
  }
  return mark === '[' ? items : new DictPreview([...entries], entries.size);
}

function* isLast(close: ']' | '}'): Walk<boolean> {
  const token = yield;
  if (isMark(token, close)) return true;
  if (isMark(token, ',')) return false;
  throw new JsonFault(`a comma or ${close} is missing`);
}

function keyOf(token: Token): string {
  if (token.kind === 'value' && typeof token.value === 'string') return token.value;
  throw new JsonFault(isMark(token, '}') ? 'there is a comma before the }' : 'a key in quotes is missing');
}

function isMark(token: Token, mark: string): boolean {
  return token.kind === 'mark' && token.mark === mark;
}

function tooDeep(place = ''): TypeFault {
  return new TypeFault(`${place}it is nested deeper than ${MAX_DEPTH}; make the field a str, which the code can parse`);
}

function unexpected(mark: string): JsonFault {
  return new JsonFault(mark === ']' ? 'there is a comma before the ]' : `a value is missing before ${mark}`);
}

/** As JSON.parse has it. */
function plain(value: unknown): unknown {
  if (value instanceof ExactNumber) return Number(value.source);
  if (Array.isArray(value)) return value.map(plain);
  if (value instanceof DictPreview) return Object.fromEntries(value.entries.map(([key, item]) => [key, plain(item)]));
  return value;
}
