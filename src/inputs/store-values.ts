import type { StoredInput } from '../domain/inputs.ts';
import { checkInputs, describeProblems } from '../domain/signature/check-value.ts';
import type { Field, Signature } from '../domain/signature/field-type.ts';
import { describeValue, isPlainObject } from '../domain/signature/problem.ts';
import { renderType } from '../domain/signature/render.ts';
import { summarizeValue } from '../domain/summarize-value.ts';
import type { BlobStore } from '../storage/blob-store.ts';
import { checkNames, invalid, wanted } from './invalid.ts';
import { itemsSource, itemTypeOf, valueSource } from './json-source.ts';
import { TextCounter } from './counters.ts';
import { encodingOf, transcoded } from './encoding.ts';
import { InputPath } from './input-path.ts';
import { pathSource } from './path-source.ts';
import { checkedOptions } from './read-options.ts';
import { Utf8Reader } from './utf8-reader.ts';
import { storeSources } from './read-inputs.ts';
import type { Source } from './source.ts';

/**
 * Keeps the inputs of an analysis, given as values. Nothing is written before all names and whole values are checked.
 *
 * @param values - an object with a value for each input: a JSON value; for a list also anything that can be iterated,
 *   synchronously or not (a generator, an object stream), whose items are written as they come; for a str also its bytes;
 *   `file(path)` or `folder(path)`.
 * @param options.warn - told what was found in files and what was left out of folders.
 * @throws TypedError `Input.Invalid` with every problem that was found, one a line; what is wrong with an item that is
 *   yielded is told when it comes.
 */
export async function storeValues(
  blobs: Pick<BlobStore, 'putStream'>,
  signature: Pick<Signature, 'inputs'>,
  values: unknown,
  options: { readonly warn?: (text: string) => void } = {},
): Promise<StoredInput[]> {
  if (!isPlainObject(values)) {
    throw invalid(
      `the inputs must be an object of values by name, not ${describeValue(values)}\n${wanted(signature.inputs)}`,
    );
  }
  const given = Object.keys(values).filter((name) => values[name] !== undefined);
  checkNames(signature.inputs, given);
  const whole = signature.inputs.filter(({ name }) => !isStreamed(values[name]));
  const checked = checkInputs({ inputs: whole }, Object.fromEntries(whole.map(({ name }) => [name, values[name]])));
  if (!checked.ok) throw invalid(describeProblems(checked.problems));
  const sources: (readonly [Field, Source])[] = [];
  for (const field of signature.inputs) {
    const value = whole.includes(field) ? checked.values[field.name] : values[field.name];
    // oxlint-disable-next-line no-await-in-loop -- the first fault is reported
    sources.push([field, await sourceOf(field, value)]);
  }
  const { inputs, warnings } = await storeSources(blobs, sources);
  for (const warning of warnings) options.warn?.(warning);
  return inputs;
}

async function sourceOf(field: Field, value: unknown): Promise<Source> {
  if (value instanceof InputPath) return pathSource(value.path, field, process.cwd(), checkedOptions(value.options));
  if (value instanceof Uint8Array) return bytesSource(value, field);
  return isIterable(value) ? itemsSource(value, field) : valueSource(value, field.type);
}

function bytesSource(bytes: Uint8Array, { name, type }: Field): Source {
  if (type.kind !== 'str') {
    const advice = itemTypeOf(type) === undefined ? 'give the value' : 'give a list';
    throw invalid(`${name}: bytes are the text of a str, and the signature wants ${renderType(type)}; ${advice}`);
  }
  const counter = new TextCounter();
  async function* measured(): AsyncGenerator<Uint8Array> {
    const reader = new Utf8Reader();
    for await (const chunk of transcoded(once(bytes), encodingOf(bytes, undefined, name))) {
      counter.take(reader.read(chunk));
      yield chunk;
    }
    counter.take(reader.end());
  }
  return { format: 'text', bytes: measured(), summary: () => summarizeValue(counter.preview(), type) };
}

async function* once<T>(value: T): AsyncGenerator<T> {
  yield value;
}

function isStreamed(value: unknown): boolean {
  return value instanceof InputPath || value instanceof Uint8Array || isIterable(value);
}

/** Not a list, which is checked as a whole, and not a Map, which is no list. */
function isIterable(value: unknown): value is AsyncIterable<unknown> | Iterable<unknown> {
  return (
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    !(value instanceof Map) &&
    (Symbol.asyncIterator in value || Symbol.iterator in value)
  );
}
