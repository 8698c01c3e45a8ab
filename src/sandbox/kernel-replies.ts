import type {
  BlockResult,
  EventsReply,
  InputReply,
  KernelEvent,
  KernelInfo,
  ProcessReply,
} from '../domain/kernel-protocol.ts';
import { KERNEL_PROTOCOL } from '../domain/kernel-protocol.ts';
import { malformed } from './kernel-http.ts';

const DEEPEST = 200;
const SHORT = 1_000;
const MOST_PENDING = 10_000;

type Fields = Readonly<Record<string, unknown>>;

/** The bytes of a reply as an object, every string of it valid Unicode and nothing nested beyond 200. */
export function parseReply(bytes: Buffer): Fields {
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString('utf8'));
  } catch {
    throw malformed('a reply that is not JSON');
  }
  checkValue(value, 0);
  return object(value, 'reply');
}

function checkValue(value: unknown, depth: number): void {
  if (typeof value === 'string') {
    if (!value.isWellFormed()) throw malformed('text that is not Unicode');
  } else if (typeof value === 'object' && value !== null) {
    if (depth >= DEEPEST) throw malformed('a reply that is nested too deeply');
    for (const [key, item] of Object.entries(value)) {
      if (!Array.isArray(value)) checkValue(key, depth);
      checkValue(item, depth + 1);
    }
  }
}

export function kernelInfo(reply: Fields): KernelInfo {
  const info = {
    protocol: whole(reply, 'protocol'),
    python: short(reply, 'python'),
    generation: whole(reply, 'generation'),
    block: whole(reply, 'block'),
    head: short(reply, 'head'),
    status: oneOf(reply, 'status', ['new', 'idle', 'running']),
    restarts: whole(reply, 'restarts'),
    ...(reply['missing'] === undefined
      ? {}
      : { missing: list(reply, 'missing').map((name) => shortText(name, 'missing')) }),
  } satisfies KernelInfo;
  if (info.protocol !== KERNEL_PROTOCOL) {
    throw malformed(`protocol ${info.protocol} instead of ${KERNEL_PROTOCOL}`);
  }
  return info;
}

export function eventsReply(reply: Fields, block: number, after: number): EventsReply {
  const events: KernelEvent[] = [];
  let cursor = after;
  for (const value of list(reply, 'events')) {
    const event = kernelEvent(object(value, 'event'), block);
    if (event.cursor !== cursor + 1 || events.at(-1)?.type === 'done') throw malformed('events out of order');
    cursor = event.cursor;
    events.push(event);
  }
  const state = oneOf(reply, 'state', ['running', 'waiting', 'done']);
  if (whole(reply, 'cursor') > cursor) throw malformed('a cursor beyond its events');
  if (events.at(-1)?.type === 'done' && state !== 'done') throw malformed('a block that is done and goes on');
  const pending = list(reply, 'pending').map((name) => callName(name, block));
  if (pending.length > MOST_PENDING) throw malformed('too many pending calls');
  return { events, cursor, state, pending };
}

function kernelEvent(event: Fields, block: number): KernelEvent {
  const cursor = whole(event, 'cursor');
  if (oneOf(event, 'type', ['call', 'done']) === 'done') {
    return { type: 'done', cursor, result: blockResult(object(event['result'], 'result')) };
  }
  const hash = short(event, 'hash');
  if (!/^[0-9a-f]{64}$/.test(hash)) throw malformed('a malformed hash');
  return {
    type: 'call',
    cursor,
    call: callName(event['call'], block),
    function: short(event, 'function'),
    arguments: object(event['arguments'], 'arguments'),
    hash,
  };
}

function blockResult(result: Fields): BlockResult {
  const error = result['error'];
  const final = result['final'];
  if (error !== null && typeof error !== 'string') throw malformed('a malformed error');
  if (final !== null && !('value' in object(final, 'final'))) throw malformed('a malformed final');
  return {
    status: oneOf(result, 'status', ['ok', 'error', 'timeout', 'crashed', 'memory', 'interrupted']),
    stdout: text(result, 'stdout'),
    stderr: text(result, 'stderr'),
    stdout_length: whole(result, 'stdout_length'),
    stderr_length: whole(result, 'stderr_length'),
    error,
    final: final === null ? null : { value: object(final, 'final')['value'] },
    execution_time: seconds(result, 'execution_time'),
  };
}

export function inputReply(reply: Fields): InputReply {
  const received = whole(reply, 'received');
  if (reply['loaded'] !== true) return { received, loaded: false };
  const summary = object(reply['summary'], 'summary');
  const length = summary['length'] === null ? null : whole(summary, 'length');
  return {
    received,
    loaded: true,
    summary: { type: short(summary, 'type'), length, preview: short(summary, 'preview') },
  };
}

export function processReply(reply: Fields): ProcessReply {
  if (typeof reply['truncated'] !== 'boolean') throw malformed('a malformed truncated');
  return {
    code: whole(reply, 'code'),
    stdout: base64(reply, 'stdout'),
    stderr: base64(reply, 'stderr'),
    truncated: reply['truncated'],
  };
}

function object(value: unknown, name: string): Fields {
  if (!isObject(value)) throw malformed(`a malformed ${name}`);
  return value;
}

function isObject(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function list(fields: Fields, name: string): readonly unknown[] {
  const value = fields[name];
  if (!Array.isArray(value)) throw malformed(`a malformed ${name}`);
  return value;
}

function text(fields: Fields, name: string): string {
  const value = fields[name];
  if (typeof value !== 'string') throw malformed(`a malformed ${name}`);
  return value;
}

function short(fields: Fields, name: string): string {
  return shortText(fields[name], name);
}

function shortText(value: unknown, name: string): string {
  if (typeof value !== 'string') throw malformed(`a malformed ${name}`);
  if (value.length > SHORT) throw malformed(`an overlong ${name}`);
  return value;
}

function base64(fields: Fields, name: string): string {
  const value = text(fields, name);
  if (value.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(value)) throw malformed(`a malformed ${name}`);
  return value;
}

function whole(fields: Fields, name: string): number {
  const value = fields[name];
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) throw malformed(`a malformed ${name}`);
  return value;
}

function seconds(fields: Fields, name: string): number {
  const value = fields[name];
  if (typeof value !== 'number' || !Number.isFinite(value) || value < 0) throw malformed(`a malformed ${name}`);
  return value;
}

function oneOf<const T extends string>(fields: Fields, name: string, values: readonly T[]): T {
  const found = values.find((value) => value === fields[name]);
  if (found === undefined) throw malformed(`a malformed ${name}`);
  return found;
}

function callName(value: unknown, block: number): string {
  if (typeof value !== 'string' || !/^\d{1,15}\.\d{1,15}$/.test(value) || !value.startsWith(`${block}.`)) {
    throw malformed('a malformed name of a call');
  }
  return value;
}
