/** Bytes of an item, or of a value that is no list and no dict, beyond which it is not looked at. */
export const MOST_BYTES = 64 * 1024 * 1024;

/** What a splitter finds. Null stands for what is too long to be looked at; lines are counted from 1. */
export interface JsonEvents {
  /** The value is a list or a dict. */
  open(mark: '[' | '{'): void;
  /** An item of it; `"key": value` of a dict. */
  item(bytes: Buffer | null, line: number): void;
  /** It is neither. `start` is its first bytes. */
  value(bytes: Buffer | null, start: Buffer): void;
  fault(what: string, line: number): never;
}

const [QUOTE, COMMA, BACKSLASH, NEWLINE] = [0x22, 0x2c, 0x5c, 0x0a];
const [OPEN_LIST, CLOSE_LIST, OPEN_DICT, CLOSE_DICT] = [0x5b, 0x5d, 0x7b, 0x7d];
const BLANKS = new Set([0x20, 0x09, 0x0d, NEWLINE]);
const BYTE_ORDER_MARK = Buffer.from('\uFEFF');
const START = 4096;

/** Cuts a JSON text into the items of its list or dict while it arrives. What is inside an item is not looked at. */
export class JsonSplitter {
  readonly #events: JsonEvents;
  #state: 'start' | 'items' | 'value' | 'after' = 'start';
  #close = CLOSE_LIST;
  #depth = 0;
  #inString = false;
  #escaped = false;
  #line = 1;
  #items = 0;
  #parts: Buffer[] = [];
  #size = 0;
  #begin: Buffer = Buffer.alloc(0);

  constructor(events: JsonEvents) {
    this.#events = events;
  }

  take(chunk: Buffer): void {
    let index = 0;
    if (this.#state === 'start') {
      chunk = this.#withoutMark(chunk);
      index = this.#start(chunk);
    }
    if (this.#state === 'value') this.#keep(chunk.subarray(index));
    if (this.#state === 'items') index = this.#takeItems(chunk, index);
    if (this.#state === 'after') this.#blanks(chunk, index);
  }

  end(): void {
    if (this.#state === 'start') this.#events.fault('it is empty', this.#line);
    if (this.#state === 'items') {
      const missing = this.#close === CLOSE_LIST ? ']' : '}';
      this.#events.fault(`it ends before the ${missing} that belongs to it`, this.#line);
    }
    if (this.#state === 'value') this.#events.value(this.#taken(), this.#begin);
  }

  #withoutMark(chunk: Buffer): Buffer {
    return chunk.subarray(0, 3).equals(BYTE_ORDER_MARK) ? chunk.subarray(3) : chunk;
  }

  #start(chunk: Buffer): number {
    let index = 0;
    while (BLANKS.has(chunk[index] ?? 0)) {
      if (chunk[index] === NEWLINE) this.#line += 1;
      index += 1;
    }
    const first = chunk[index];
    if (first === undefined) return index;
    if (first !== OPEN_LIST && first !== OPEN_DICT) {
      this.#state = 'value';
      return index;
    }
    this.#state = 'items';
    this.#close = first === OPEN_LIST ? CLOSE_LIST : CLOSE_DICT;
    this.#events.open(first === OPEN_LIST ? '[' : '{');
    return index + 1;
  }

  /** The position after the end of the list or dict. */
  #takeItems(chunk: Buffer, from: number): number {
    let begin = from;
    let index = from;
    while (index < chunk.length) {
      if (this.#inString) {
        index = this.#string(chunk, index);
        continue;
      }
      const byte = chunk[index] ?? 0;
      index += 1;
      if (byte === QUOTE) this.#inString = true;
      else if (byte === NEWLINE) this.#line += 1;
      else if (byte === OPEN_LIST || byte === OPEN_DICT) this.#depth += 1;
      else if (byte === CLOSE_LIST || byte === CLOSE_DICT) {
        this.#depth -= 1;
        if (this.#depth < 0) {
          this.#finish(chunk.subarray(begin, index - 1), byte);
          return index;
        }
      } else if (byte === COMMA && this.#depth === 0) {
        this.#finish(chunk.subarray(begin, index - 1), byte);
        begin = index;
      }
    }
    this.#keep(chunk.subarray(begin));
    return index;
  }

  /** The position after the string that goes on here, or after the chunk. */
  #string(chunk: Buffer, from: number): number {
    let index = from;
    if (this.#escaped) {
      this.#escaped = false;
      index += 1;
    }
    const quote = chunk.indexOf(QUOTE, index);
    const end = quote === -1 ? chunk.length : quote;
    let backslashes = 0;
    while (end - backslashes > index && chunk[end - backslashes - 1] === BACKSLASH) backslashes += 1;
    const isEscaped = backslashes % 2 === 1;
    if (quote === -1) this.#escaped = isEscaped;
    else if (!isEscaped) this.#inString = false;
    return quote === -1 ? end : end + 1;
  }

  #keep(bytes: Buffer): void {
    if (this.#begin.length < START && this.#state === 'value') {
      this.#begin = Buffer.concat([this.#begin, bytes.subarray(0, START)]);
    }
    this.#size += bytes.length;
    if (this.#size > MOST_BYTES) this.#parts = [];
    else if (bytes.length > 0) this.#parts.push(bytes);
  }

  #taken(): Buffer | null {
    const [first, ...others] = this.#parts;
    const whole = first !== undefined && others.length === 0 ? first : Buffer.concat(this.#parts);
    const taken = this.#size > MOST_BYTES ? null : whole;
    this.#parts = [];
    this.#size = 0;
    return taken;
  }

  #finish(bytes: Buffer, mark: number): void {
    this.#keep(bytes);
    const item = this.#taken();
    const isLast = mark !== COMMA;
    if (isLast && mark !== this.#close) {
      const [wanted, found] = mark === CLOSE_DICT ? [']', '}'] : ['}', ']'];
      this.#events.fault(`there is a ${found} where a ${wanted} is wanted`, this.#line);
    }
    const isEmpty = item !== null && item.every((byte) => BLANKS.has(byte));
    if (!isEmpty) this.#events.item(item, this.#line - (item === null ? 0 : newlines(item)));
    else if (!isLast || this.#items > 0) this.#events.fault('a value is missing beside a comma', this.#line);
    this.#items += 1;
    if (isLast) this.#state = 'after';
  }

  #blanks(chunk: Buffer, from: number): void {
    for (let index = from; index < chunk.length; index += 1) {
      const byte = chunk[index] ?? 0;
      if (!BLANKS.has(byte)) this.#events.fault('there is more after the end of the JSON value', this.#line);
      if (byte === NEWLINE) this.#line += 1;
    }
  }
}

/** Of the item, without those before it. */
function newlines(item: Buffer): number {
  let count = 0;
  let hasBegun = false;
  for (let index = 0; index < item.length; index += 1) {
    if (item[index] === NEWLINE && hasBegun) count += 1;
    hasBegun ||= !BLANKS.has(item[index] ?? 0);
  }
  return count;
}
