import { createHash } from 'node:crypto';
import { appendFile, readFile } from 'node:fs/promises';
import { TypedError } from '../domain/failures.ts';
import { isRecord } from '../domain/is-record.ts';
import type { ChatMessage, ChatModels, ChatReply, ChatRequest } from './chat-model.ts';

/** A file with every exchange with models, a line of JSON each. */
export interface CassetteOptions {
  readonly file: string;
  /** `record`: models are asked, and what they say is added to the file. `replay`: the file answers, and no model is asked. */
  readonly mode: 'record' | 'replay';
}

/** An exchange as it is kept: what differs from run to run is left out of the request. */
interface Exchange {
  readonly v: 1;
  readonly purpose: string;
  readonly model: string;
  readonly messages: readonly ChatMessage[];
  readonly reply: ChatReply;
}

/** Puts a cassette between a worker and its models. */
export type Cassette = (models: ChatModels) => ChatModels;

export function openCassette({ file, mode }: CassetteOptions): Cassette {
  return mode === 'record' ? (models) => recording(models, file) : replaying(file);
}

function recording(models: ChatModels, file: string): ChatModels {
  return {
    async complete(request, signal) {
      const reply = await models.complete(request, signal);
      const exchange: Exchange = { v: 1, ...keptRequest(request), reply };
      await appendFile(file, `${JSON.stringify(exchange)}\n`, { mode: 0o600 });
      return reply;
    },
  };
}

function replaying(file: string): Cassette {
  let loaded: Promise<Map<string, Exchange[]>> | undefined;
  const given = new Map<string, number>();
  return () => ({
    async complete(request) {
      loaded ??= load(file);
      const recorded = await loaded;
      const key = keyOf(keptRequest(request));
      const exchanges = recorded.get(key);
      if (exchanges === undefined)
        throw new TypedError('Model.BadRequest', missing(file, request, [...recorded.values()].flat()));
      // The same request again gets what it got then; a retry beyond that the last of it.
      const at = given.get(key) ?? 0;
      given.set(key, at + 1);
      const { reply } = exchanges[Math.min(at, exchanges.length - 1)] as Exchange;
      // Nothing is paid for.
      return { ...reply, usage: { ...reply.usage, cost: 0 } };
    },
  });
}

async function load(file: string): Promise<Map<string, Exchange[]>> {
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    throw new TypedError('Input.Invalid', `The recording ${file} cannot be read: ${String(error)}`);
  });
  const exchanges = new Map<string, Exchange[]>();
  // A last line that was cut by a kill is none.
  for (const line of text.split('\n').slice(0, -1)) {
    const exchange: unknown = JSON.parse(line);
    if (!isRecord(exchange) || exchange['v'] !== 1)
      throw new TypedError('Input.Invalid', `${file} is not a recording of this version of rlm (--record makes one).`);
    const key = keyOf(exchange as unknown as Exchange);
    exchanges.set(key, [...(exchanges.get(key) ?? []), exchange as unknown as Exchange]);
  }
  return exchanges;
}

type KeptRequest = Pick<Exchange, 'purpose' | 'model' | 'messages'>;

function keptRequest({ purpose, model, messages }: ChatRequest): KeptRequest {
  const mark = markOf(messages);
  const kept = messages.map(({ role, content }) => ({ role, content: withoutTimes(withoutMark(content, mark)) }));
  return { purpose, model, messages: kept };
}

/** The mark between which a prompt shows what is not in our name: eight digits of the run's random id. */
function markOf(messages: readonly ChatMessage[]): string | undefined {
  for (const { content } of messages) {
    const mark = /<[a-z_]+ ([0-9a-f]{8})>/.exec(content)?.[1];
    if (mark !== undefined) return mark;
  }
  return undefined;
}

function withoutMark(text: string, mark: string | undefined): string {
  return mark === undefined ? text : text.replaceAll(mark, '0'.repeat(mark.length));
}

/** How long a block took, which a prompt says where it was long. */
function withoutTimes(text: string): string {
  return text.replaceAll(/^(Output(?: of block \d+ of \d+)?) \(\d+\.\d s\):$/gm, '$1:');
}

function keyOf({ purpose, model, messages }: KeptRequest): string {
  return createHash('sha256')
    .update(JSON.stringify([purpose, model, messages]))
    .digest('hex');
}

/** Characters shown around the place where two requests part. */
const SHOWN = 120;

function missing(file: string, request: ChatRequest, recorded: readonly Exchange[]): string {
  const asked = keptRequest(request);
  const nearest = recorded
    .filter(({ purpose }) => purpose === asked.purpose)
    .map((exchange) => ({ exchange, shared: sharedMessages(asked, exchange) }))
    .toSorted((a, b) => b.shared - a.shared)[0];
  const what = `The recording ${file} has no answer to this request (${asked.purpose}, ${asked.messages.length} messages).`;
  if (nearest === undefined) return `${what} It has none of this kind.`;
  const { exchange, shared } = nearest;
  if (exchange.model !== asked.model)
    return `${what} The nearest one asked ${exchange.model} instead of ${asked.model}.`;
  const [before, now] = [exchange.messages[shared]?.content ?? '(none)', asked.messages[shared]?.content ?? '(none)'];
  const at = differsAt(before, now);
  const around = (text: string): string => JSON.stringify(text.slice(Math.max(0, at - SHOWN / 3), at + SHOWN));
  return `${what} It differs from the nearest in message ${shared + 1}, at character ${at + 1}:\n- recorded: ${around(before)}\n- now:      ${around(now)}`;
}

function sharedMessages(a: KeptRequest, b: KeptRequest): number {
  const at = a.messages.findIndex(({ role, content }, index) => {
    const other = b.messages[index];
    return other?.role !== role || other.content !== content;
  });
  return at === -1 ? a.messages.length : at;
}

function differsAt(a: string, b: string): number {
  let at = 0;
  while (at < a.length && a[at] === b[at]) at += 1;
  return at;
}
