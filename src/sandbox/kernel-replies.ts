import { z } from 'zod';
import { isRecord } from '../domain/is-record.ts';
import {
  KERNEL_PROTOCOL,
  type BlockResult,
  type EventsReply,
  type InputReply,
  type KernelEvent,
  type KernelInfo,
  type ProcessReply,
  type UnchangedReply,
} from '../domain/kernel-protocol.ts';
import { malformed } from './kernel-http.ts';
import { parseJson } from '../domain/ordered-json.ts';

const MAX_DEPTH = 200;
const MAX_SHORT_CHARACTERS = 1_000;
const MAX_PENDING_CALLS = 10_000;

/** In one reply: what code hands over has 1,000,000 in a call, and the kernel sends 32 MiB of calls at once. */
const MAX_VALUES = 4_000_000;
/** Only an escape can name half of a character: the bytes themselves were read as UTF-8. */
const SURROGATE_ESCAPE = /\\u[dD][89a-fA-F]/;

/** The bytes of a reply as JSON, every string of it valid Unicode, nothing nested beyond 200, its values bounded. */
export function parseReply(bytes: Buffer): unknown {
  const text = bytes.toString('utf8');
  let value: unknown;
  try {
    value = parseJson(text);
  } catch {
    throw malformed('a reply that is not JSON');
  }
  checkStructure(value);
  if (SURROGATE_ESCAPE.test(text)) checkTexts(value);
  return value;
}

function checkStructure(root: unknown): void {
  let values = 0;
  const look = (value: unknown, depth: number): void => {
    values += 1;
    if (values > MAX_VALUES) throw malformed('a reply of too many values');
    if (typeof value !== 'object' || value === null) return;
    if (depth >= MAX_DEPTH) throw malformed('a reply that is nested too deeply');
    if (Array.isArray(value)) for (const item of value) look(item, depth + 1);
    else for (const key in value) look((value as Record<string, unknown>)[key], depth + 1);
  };
  look(root, 0);
}

function checkTexts(value: unknown): void {
  if (typeof value === 'string') {
    if (!value.isWellFormed()) throw malformed('text that is not Unicode');
  } else if (typeof value === 'object' && value !== null) {
    if (!Array.isArray(value)) for (const key of Object.keys(value)) checkTexts(key);
    for (const item of Object.values(value)) checkTexts(item);
  }
}

const short = z.string().max(MAX_SHORT_CHARACTERS);
/** A safe integer from 0 on. */
const count = z.int().nonnegative();
const seconds = z.number().nonnegative();
/** Not copied key by key: `__proto__` would get lost. */
const object = z.custom<Readonly<Record<string, unknown>>>(isRecord);

const infoSchema: z.ZodType<KernelInfo> = z.object({
  protocol: z.literal(KERNEL_PROTOCOL),
  python: short,
  generation: count,
  block: count,
  head: short,
  status: z.enum(['new', 'idle', 'running']),
  restarts: count,
  missing: z.exactOptional(z.array(short)),
});

const callName = z.string().regex(/^\d{1,15}\.\d{1,15}$/);

const blockResult: z.ZodType<BlockResult> = z.object({
  status: z.enum(['ok', 'error', 'timeout', 'crashed', 'memory', 'interrupted']),
  stdout: z.string(),
  stderr: z.string(),
  stdout_length: count,
  stderr_length: count,
  error: z.string().nullable(),
  final: object
    .refine((final) => 'value' in final)
    .transform(({ value }) => ({ value }))
    .nullable(),
  execution_time: seconds,
});

const kernelEvent: z.ZodType<KernelEvent> = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('call'),
    cursor: count,
    call: callName,
    function: short,
    arguments: object,
    hash: z.string().regex(/^[0-9a-f]{64}$/),
  }),
  z.object({ type: z.literal('done'), cursor: count, result: blockResult }),
]);

const eventsSchema: z.ZodType<EventsReply> = z.object({
  events: z.array(kernelEvent),
  cursor: count,
  state: z.enum(['running', 'waiting', 'done']),
  pending: z.array(callName).max(MAX_PENDING_CALLS),
});

const inputSchema: z.ZodType<InputReply> = z.object({ received: count, loaded: z.boolean() });

/** `z.base64()` would decode it. */
const base64 = z
  .string()
  .refine((text) => text.length % 4 === 0)
  .regex(/^[A-Za-z0-9+/]*={0,2}$/);

const processSchema: z.ZodType<ProcessReply> = z.object({
  code: count,
  stdout: base64,
  stderr: base64,
  truncated: z.boolean(),
});

const unchangedSchema: z.ZodType<UnchangedReply> = z.object({ unchanged: z.boolean() });

/** Of a request that the status answers: `{}`. */
export function checkEmpty(reply: unknown): void {
  checked(object, reply);
}

export function kernelInfo(reply: unknown): KernelInfo {
  return checked(infoSchema, reply);
}

/** @param after the cursor that was asked for: the first event is the next. */
export function eventsReply(reply: unknown, block: number, after: number): EventsReply {
  const { events, cursor, state, pending } = checked(eventsSchema, reply);
  for (const [at, event] of events.entries()) {
    if (event.cursor !== after + at + 1) throw malformed('events out of order');
    if (event.type === 'done' && (at + 1 < events.length || state !== 'done'))
      throw malformed('a block that is done and continues');
  }
  const newest = after + events.length;
  if (cursor > newest) throw malformed('a cursor beyond its events');
  const calls = [...events.flatMap((event) => (event.type === 'call' ? [event.call] : [])), ...pending];
  if (calls.some((call) => !call.startsWith(`${block}.`))) throw malformed('a call of another block');
  return { events, cursor: newest, state, pending };
}

export function inputReply(reply: unknown): InputReply {
  return checked(inputSchema, reply);
}

export function unchangedReply(reply: unknown): UnchangedReply {
  return checked(unchangedSchema, reply);
}

export function processReply(reply: unknown): ProcessReply {
  return checked(processSchema, reply);
}

function checked<T>(schema: z.ZodType<T>, reply: unknown): T {
  const { data, error } = schema.safeParse(reply);
  if (error === undefined) return data;
  // Where it is, and not what: that comes out of a sandbox.
  const path = error.issues[0]?.path.join('.') ?? '';
  throw malformed(path === '' ? 'a malformed reply' : `a reply with a malformed ${path}`);
}
