const MAX_DEPTH = 100;
/** Bytes of a result as JSON. */
const LARGEST = 64 * 1024 * 1024;

/** What a tool returned cannot be JSON; the message says where and what to write instead. */
export class ResultError extends Error {}

/**
 * What a tool returned as a JSON value: Dates become ISO texts, undefined null, integers beyond 2^53 the text of their
 * digits, halves of surrogate pairs their escapes, and what has a `toJSON` what that returns.
 *
 * @throws ResultError for the rest (NaN, a Map, a function, what contains itself) and for more than 64 MB
 */
export function jsonResult(value: unknown): unknown {
  const found = new Converter().convert(value, 'the result');
  if (sizeOf(found) > LARGEST) throw new ResultError(TOO_LARGE);
  return found;
}

const TOO_LARGE = 'the result has more than 64 MB as JSON; return less of it';

function sizeOf(value: unknown): number {
  try {
    return Buffer.byteLength(JSON.stringify(value));
  } catch {
    // Longer than any string can be.
    return Infinity;
  }
}

class Converter {
  readonly #around = new Set<object>();
  #length = 0;

  convert(value: unknown, place: string): unknown {
    switch (typeof value) {
      case 'undefined':
        return null;
      case 'boolean':
        return value;
      case 'string':
        return this.#text(value);
      case 'number':
        if (Number.isFinite(value)) return value;
        throw new ResultError(`${place} is ${value}, which JSON does not have; return null instead`);
      case 'bigint':
        return BigInt(Number(value)) === value && Number.isSafeInteger(Number(value)) ? Number(value) : String(value);
      case 'object':
        return value === null ? null : this.#object(value, place);
      default:
        throw new ResultError(`${place} is a ${typeof value}; return what JSON has`);
    }
  }

  #text(text: string): string {
    this.#length += text.length;
    if (this.#length > LARGEST) throw new ResultError(TOO_LARGE);
    if (text.isWellFormed()) return text;
    return text.replaceAll(/\p{Surrogate}/gu, (half) => `\\u${half.charCodeAt(0).toString(16)}`);
  }

  #object(value: object, place: string): unknown {
    if (this.#around.has(value)) throw new ResultError(`${place} contains itself`);
    if (this.#around.size >= MAX_DEPTH) throw new ResultError(`${place} is nested deeper than ${MAX_DEPTH}`);
    const advice = adviceFor(value);
    if (advice !== undefined) throw new ResultError(`${place} ${advice}`);
    this.#around.add(value);
    try {
      return this.#contents(value, place);
    } finally {
      this.#around.delete(value);
    }
  }

  #contents(value: object, place: string): unknown {
    if (value instanceof Date) return value.toISOString();
    if ('toJSON' in value && typeof value.toJSON === 'function') {
      return this.convert((value as { toJSON(key: string): unknown }).toJSON(''), place);
    }
    if (Array.isArray(value)) return Array.from(value, (item, index) => this.convert(item, `${place}[${index}]`));
    return Object.fromEntries(
      Object.entries(value).map(([key, item]) => [
        this.#text(key),
        this.convert(item, /^[\w$]+$/.test(key) ? `${place}.${key}` : `${place}[${JSON.stringify(key.slice(0, 40))}]`),
      ]),
    );
  }
}

/** Of what `JSON.stringify` would make an empty object, or worse; as the end of a sentence. */
function adviceFor(value: object): string | undefined {
  if (value instanceof Date)
    return Number.isNaN(value.getTime()) ? 'is an invalid Date; return null instead' : undefined;
  if (value instanceof Map) return 'is a Map; return Object.fromEntries(map)';
  if (value instanceof Set) return 'is a Set; return [...set]';
  if (value instanceof Promise) return 'is a Promise; await it';
  if (value instanceof Error) return 'is an Error; throw it, or return its message';
  if (value instanceof RegExp) return 'is a RegExp; return its source';
  if (value instanceof WeakMap || value instanceof WeakSet)
    return `is a ${value.constructor.name}; return what JSON has`;
  if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) {
    return value instanceof Uint8Array
      ? "holds bytes, which JSON does not have; return Buffer.from(bytes).toString('base64'), or their text"
      : 'is a typed array or a buffer; return Array.from(it)';
  }
  if (Symbol.asyncIterator in value || (Symbol.iterator in value && !Array.isArray(value))) {
    return 'is an iterator or a stream; return an array of what it gives';
  }
  return undefined;
}
