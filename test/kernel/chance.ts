const PATHS = ['info', 'setup', 'exec', 'events', 'output', 'answers', 'interrupt', 'process', 'renew', 'nothing'];
const FIELDS = [
  ['generation', 'block', 'head', 'code', 'timeout', 'output_limit', 'answers', 'call', 'value', 'argv', 'stdin'],
  [
    'variables',
    'functions',
    'cwd',
    'seed',
    'events',
    'cursor',
    'state',
    'pending',
    'type',
    'result',
    'final',
    '__proto__',
  ],
].flat();
const STRINGS = ['', 'call', 'done', 'running', '1.1', '\ud800', '\u0000', 'x'.repeat(5000), '../..', '1e999'];
const NUMBERS = [0, 1, -1, 0.5, 2 ** 53, -(2 ** 60), 1e300];
const INTERRUPTING = new Set(['exec', 'setup', 'process', 'shutdown']);

/** Repeatable bad luck. */
export class Chance {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  number(below: number): number {
    // mulberry32
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let value = this.#state;
    value = Math.imul(value ^ (value >>> 15), value | 1);
    value ^= value + Math.imul(value ^ (value >>> 7), value | 61);
    return ((value ^ (value >>> 14)) >>> 0) % below;
  }

  pick<T>(values: readonly T[]): T {
    const value = values[this.number(values.length)];
    if (value === undefined) throw new Error('nothing to pick from');
    return value;
  }

  bytes(most: number): Buffer {
    return Buffer.from(Array.from({ length: this.number(most) }, () => this.number(256)));
  }

  /** Any JSON value. */
  value(depth = 0): unknown {
    switch (this.number(depth > 4 ? 4 : 7)) {
      case 0:
        return this.pick(STRINGS);
      case 1:
        return this.pick(NUMBERS);
      case 2:
        return this.pick([null, true, false]);
      case 3:
        return this.bytes(20).toString('latin1');
      case 4:
        return Array.from({ length: this.number(5) }, () => this.value(depth + 1));
      default:
        return this.object(depth + 1);
    }
  }

  object(depth = 0): Record<string, unknown> {
    return Object.fromEntries(Array.from({ length: this.number(8) }, () => [this.pick(FIELDS), this.value(depth)]));
  }

  /** A request that is broken somewhere; never one that could rightly begin a block or a command. */
  request(): { bytes: Buffer; hangUp: boolean } {
    const path = this.pick(PATHS);
    const object = this.object();
    if (INTERRUPTING.has(path)) object['generation'] = this.pick([1, 'x', null, -1]);
    if (path === 'process') object['argv'] = this.pick([[], 7, [''], [1], null]);
    const body = Buffer.from(JSON.stringify(object));
    const method = this.pick(['GET', 'POST', 'POST', 'POST', 'BREW']);
    const query =
      this.number(3) === 0 ? `?block=${this.number(3)}&after=${this.pick(STRINGS)}&wait_ms=${this.number(9)}` : '';
    const length = this.number(8) === 0 ? this.pick([0, 1, 5, 999_999, -1]) : body.length;
    const head = `${method} /v1/${path}${query.replaceAll(/[^\x20-\x7e]/g, '?')} HTTP/1.1\r\nContent-Length: ${length}\r\n\r\n`;
    return { bytes: this.#damage(Buffer.concat([Buffer.from(head, 'latin1'), body])), hangUp: this.number(4) === 0 };
  }

  /** A reply to a poll for events that may look right in part. */
  reply(): Buffer {
    const event = { type: this.pick(['call', 'done', 'other']), cursor: this.pick([1, 2, 0, '1']), ...this.object() };
    const value = this.pick<unknown>([
      { events: [event], cursor: 1, state: 'running', pending: [], ...this.object() },
      { events: [], cursor: this.number(3), state: this.pick(['running', 'waiting', 'done']), pending: [this.value()] },
      this.value(),
    ]);
    const body = Buffer.from(JSON.stringify(value) ?? 'undefined');
    const status = this.pick([200, 200, 200, 200, 409, 400, 500, 302, 999, 100]);
    const head = `HTTP/1.1 ${status} X\r\nContent-Length: ${this.number(10) === 0 ? this.number(99) : body.length}\r\nConnection: close\r\n\r\n`;
    return this.#damage(Buffer.concat([Buffer.from(head), body]));
  }

  #damage(bytes: Buffer): Buffer {
    switch (this.number(6)) {
      case 0:
        return bytes.subarray(0, this.number(bytes.length + 1));
      case 1: {
        const damaged = Buffer.from(bytes);
        for (let count = this.number(5); count >= 0; count -= 1)
          damaged[this.number(damaged.length)] = this.number(256);
        return damaged;
      }
      case 2:
        return Buffer.concat([bytes, this.bytes(50)]);
      default:
        return bytes;
    }
  }
}
