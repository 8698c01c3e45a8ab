import { ANY, type Field, type FieldType } from '../domain/signature/field-type.ts';
import { isPlainObject } from '../domain/signature/problem.ts';
import { renderType } from '../domain/signature/render.ts';
import { summarizeValue } from '../domain/summarize-value.ts';
import { checkPart } from './check-part.ts';
import { invalid } from './invalid.ts';
import { ListCounter } from './counters.ts';
import { encoded, type Source } from './source.ts';
import { entriesOf, stringifyJson } from '../domain/ordered-json.ts';

/** A list of more items, or with longer texts, is written item by item, as it is read again. */
const MANY_ITEMS = 1000;
const LONG_TEXTS = 1024 * 1024;

/** A JSON value that was checked. */
export function valueSource(value: unknown, type: FieldType): Source {
  const summary = () => summarizeValue(value, type);
  if (type.kind === 'str' && typeof value === 'string') return { format: 'text', bytes: encoded([value]), summary };
  if (Array.isArray(value) && isLarge(value)) {
    return { format: 'jsonl', bytes: encoded(lines(value)), summary };
  }
  return { format: 'json', bytes: encoded(jsonPieces(value)), summary };
}

function isLarge(items: readonly unknown[]): boolean {
  let length = 0;
  for (const item of items) {
    length += typeof item === 'string' ? item.length : 0;
    if (length > LONG_TEXTS) return true;
  }
  return items.length > MANY_ITEMS;
}

function* lines(items: readonly unknown[]): Generator<string> {
  for (const item of items) yield `${stringifyJson(item)}\n`;
}

/** Entry by entry: the text of a large value as a whole may be longer than JavaScript's texts can be. */
function* jsonPieces(value: unknown): Generator<string> {
  if (Array.isArray(value)) {
    yield '[';
    for (const [index, item] of value.entries()) yield `${index === 0 ? '' : ','}${stringifyJson(item)}`;
    yield ']';
  } else if (isPlainObject(value)) {
    let separator = '{';
    for (const [key, item] of entriesOf(value)) {
      yield `${separator}${JSON.stringify(key)}:${stringifyJson(item)}`;
      separator = ',';
    }
    yield separator === '{' ? '{}' : '}';
  } else {
    yield stringifyJson(value);
  }
}

/**
 * Items that somebody yields, one after the other; each is checked before it is written.
 *
 * @throws TypedError `Input.Invalid` where the field is no list
 */
export function itemsSource(items: AsyncIterable<unknown> | Iterable<unknown>, { name, type }: Field): Source {
  const item = itemTypeOf(type);
  if (item === undefined) {
    throw invalid(
      `${name}: a stream of values makes a list, and the signature wants ${renderType(type)}; give the value`,
    );
  }
  const counter = new ListCounter();
  async function* written(): AsyncGenerator<string> {
    for await (const each of items) {
      const path = `${name}[${counter.length}]`;
      if (each instanceof Uint8Array) {
        throw invalid(
          `${path}: bytes are no item; for the lines of a file use file(path), or yield the items themselves`,
        );
      }
      const checked = checkPart(path, item ?? ANY, each);
      if ('problems' in checked) throw invalid(checked.problems);
      counter.take(checked.value);
      yield `${stringifyJson(checked.value)}\n`;
    }
  }
  return { format: 'jsonl', bytes: encoded(written()), summary: () => summarizeValue(counter.preview(), type) };
}

/** Of a list that the type allows, what its items are; undefined where it allows none. */
export function itemTypeOf(type: FieldType): FieldType | undefined {
  if (type.kind === 'any') return ANY;
  if (type.kind === 'list' || type.kind === 'tuple_of') return type.item;
  if (type.kind !== 'union') return undefined;
  const [only, ...others] = type.members.map(itemTypeOf).filter((each) => each !== undefined);
  return others.length === 0 ? only : ANY;
}
