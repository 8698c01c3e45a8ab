import { appendFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { errorMessage } from '../domain/error-message.ts';
import { createCallRecords, paidTwice, type CallRecords, type ScriptedCall } from './call-record.ts';
import { chatCompletionBody, errorBody } from './chat-completion.ts';
import { readConversation, type Conversation } from './conversation.ts';
import { flattenScripts, type Reply, type Script, type ScriptedReply, type Scripts } from './script.ts';

export interface ScriptedModelOptions {
  /** Asked in order; the first that has a reply answers. */
  readonly scripts: Scripts;
  /** Milliseconds from a request's arrival to its reply. Default 0. */
  readonly latencyMs?: number;
  /** Default: a free one. */
  readonly port?: number;
  /** With it, a request that does not bear this key gets a 401. */
  readonly apiKey?: string;
  /** Names of the models it has: it lists them, and refuses any other. Default: whatever it is asked for. */
  readonly models?: readonly string[];
  /** File that gets one JSON line for each call that has ended. */
  readonly logFile?: string;
}

export interface ScriptedModel {
  /** Base URL for `model.base_url`, such as `http://127.0.0.1:40123/v1`. */
  readonly url: string;
  readonly calls: readonly ScriptedCall[];
  /** Number of calls, of those the predicate accepts. */
  count(predicate?: (call: ScriptedCall) => boolean): number;
  /** Answered calls whose conversation had been answered before. */
  paidTwice(): readonly ScriptedCall[];
  /** Greatest number of calls at the same time. */
  peak(): number;
  /** Parts of the scripts that no conversation came to. */
  unplayed(): readonly string[];
  /** Conversations that no script had a reply for. */
  unscripted(): readonly string[];
  /** Resolves with the first call, past or future, that the predicate accepts; rejects after `timeoutMs` (30 s). */
  when(predicate: (call: ScriptedCall) => boolean, timeoutMs?: number): Promise<ScriptedCall>;
  /** @throws Error that lists what was left unplayed and what was asked without a script */
  assertAllPlayed(): void;
  /** Ends the server and every connection, then checks as `assertAllPlayed` does, unless `check` is false. */
  close(options?: { readonly check?: boolean }): Promise<void>;
}

/** What `GET /scripted` answers: for a scripted model in another process. */
export interface ScriptedModelSummary {
  readonly calls: number;
  readonly answered: number;
  readonly paidTwice: number;
  readonly peak: number;
  readonly unplayed: readonly string[];
  readonly unscripted: readonly string[];
}

interface Stage {
  readonly scripts: readonly Script[];
  readonly records: CallRecords;
  readonly unscripted: string[];
  readonly latencyMs: number;
  readonly apiKey: string | undefined;
  readonly models: readonly string[] | undefined;
  readonly summary: () => ScriptedModelSummary;
}

const LARGEST_REQUEST = 64 * 1024 * 1024;

/** Starts an OpenAI-compatible server on loopback whose replies are written in advance. */
export async function startScriptedModel(options: ScriptedModelOptions): Promise<ScriptedModel> {
  const { logFile } = options;
  const records = createCallRecords((call) => {
    if (logFile !== undefined) appendFileSync(logFile, `${JSON.stringify(call)}\n`);
  });
  const scripts = flattenScripts(options.scripts);
  const unscripted: string[] = [];
  const unplayed = (): string[] => scripts.flatMap((script) => script.unplayed());
  const summary = (): ScriptedModelSummary => ({
    calls: records.calls.length,
    answered: records.calls.filter((call) => call.outcome === 'answered').length,
    paidTwice: paidTwice(records.calls).length,
    peak: records.peak(),
    unplayed: unplayed(),
    unscripted,
  });
  const stage: Stage = {
    scripts,
    records,
    unscripted,
    latencyMs: options.latencyMs ?? 0,
    apiKey: options.apiKey,
    models: options.models,
    summary,
  };
  const server = createServer((request, response) => void serve(stage, request, response));
  // Idle connections of a client that pools them must outlive any pause of a run, or its next request meets a reset.
  server.keepAliveTimeout = 3_600_000;
  const port = await listen(server, options.port ?? 0);

  const assertAllPlayed = (): void => {
    const problems = [
      ...unplayed().map((part) => `left unplayed: ${part}`),
      ...unscripted.map((conversation) => `no script for: ${conversation}`),
    ];
    if (problems.length > 0) throw new Error(`the scripted model's scripts do not fit:\n${problems.join('\n')}`);
  };
  return {
    url: `http://127.0.0.1:${port}/v1`,
    calls: records.calls,
    count: (predicate) => (predicate === undefined ? records.calls : records.calls.filter(predicate)).length,
    paidTwice: () => paidTwice(records.calls),
    peak: () => records.peak(),
    unplayed,
    unscripted: () => unscripted,
    when: (predicate, timeoutMs = 30_000) => records.when(predicate, timeoutMs),
    assertAllPlayed,
    async close({ check = true } = {}) {
      await closeServer(server);
      if (check) assertAllPlayed();
    },
  };
}

async function serve(stage: Stage, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const arrived = performance.now();
  const path = (request.url ?? '').split('?')[0] ?? '';
  if (path === '/scripted') return sendJson(response, 200, stage.summary());
  if (path === '/scripted/calls') return sendJson(response, 200, stage.records.calls);
  try {
    const body = await readBody(request);
    if (stage.apiKey !== undefined && request.headers.authorization !== `Bearer ${stage.apiKey}`) {
      return sendError(response, 401, 'the scripted model was given another key');
    }
    if (path.endsWith('/v1/models')) {
      const data = (stage.models ?? []).map((id) => ({ id, object: 'model' }));
      return sendJson(response, 200, { object: 'list', data });
    }
    if (!path.endsWith('/v1/chat/completions')) return sendError(response, 404, `the scripted model has no ${path}`);
    const requested = readConversation(body, request.headers);
    if (stage.models?.includes(requested.model) === false)
      return sendError(response, 404, `The model \`${requested.model}\` does not exist`, 'model_not_found');
    await play(stage, requested, response, arrived);
  } catch (error) {
    sendError(response, 400, errorMessage(error));
  }
}

async function play(
  stage: Stage,
  requested: Parameters<CallRecords['begin']>[0],
  response: ServerResponse,
  arrived: number,
): Promise<void> {
  const { conversation, index } = stage.records.begin(requested);
  let script = '';
  const leaving = new Promise<void>((resolve) => {
    response.once('close', () => {
      stage.records.end(index, response.writableFinished ? 'failed' : 'aborted', script);
      resolve();
    });
  });
  const end = (outcome: 'answered' | 'failed' | 'cut' | 'unscripted'): void =>
    stage.records.end(index, outcome, script);

  const found = await firstReply(stage.scripts, conversation).catch((error: unknown) => String(error));
  if (found === undefined || typeof found === 'string') {
    const description = `${describe(conversation)}${found === undefined ? '' : ` (its script threw ${found})`}`;
    stage.unscripted.push(description);
    response.once('finish', () => end('unscripted'));
    return sendError(response, 400, `no script for ${description}`, 'unscripted');
  }
  script = found.script;
  const reply = typeof found.reply === 'string' ? { text: found.reply } : found.reply;
  const remaining = (reply.latencyMs ?? stage.latencyMs) - (performance.now() - arrived);
  if (remaining > 0) await sleepUnlessGone(remaining, leaving, response);
  if (response.closed || response.destroyed) return;
  perform(reply, conversation, response, index, end);
}

/** Sends the reply, or does the fault in its place. */
function perform(
  reply: ScriptedReply,
  conversation: Conversation,
  response: ServerResponse,
  index: number,
  end: (outcome: 'answered' | 'failed' | 'cut') => void,
): void {
  if (reply.error !== undefined) {
    const { status, headers, body } = reply.error;
    response.once('finish', () => end('failed'));
    response.writeHead(status, { 'content-type': 'application/json', ...headers });
    if (typeof body === 'string') response.end(body);
    else response.end(body === undefined ? errorBody(`scripted ${status}`, status) : JSON.stringify(body));
    return;
  }
  if (reply.hang === true) return;
  const text = reply.raw ?? chatCompletionBody(reply, conversation, `scripted-${index}`);
  const body = Buffer.from(text);
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': body.length });
  if (reply.cut === true) {
    end('cut');
    response.write(body.subarray(0, body.length >> 1), () => response.destroy());
    return;
  }
  response.once('finish', () => end(reply.raw === undefined ? 'answered' : 'failed'));
  response.end(body);
}

async function firstReply(
  scripts: readonly Script[],
  conversation: Conversation,
): Promise<{ script: string; reply: Reply } | undefined> {
  for (const script of scripts) {
    const reply = await script.reply(conversation);
    if (reply !== undefined) return { script: script.name, reply };
  }
  return undefined;
}

async function sleepUnlessGone(milliseconds: number, leaving: Promise<void>, response: ServerResponse): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const slept = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, milliseconds);
  });
  await (response.closed ? undefined : Promise.race([slept, leaving]));
  clearTimeout(timer);
}

function describe({ model, turn, opening, last }: Conversation): string {
  return `model ${model}, turn ${turn}, opening ${excerpt(opening)}, last message ${excerpt(last)}`;
}

function excerpt(text: string): string {
  return JSON.stringify(text.length <= 400 ? text : `${text.slice(0, 150)} ... ${text.slice(-240)}`);
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > LARGEST_REQUEST) throw new Error(`a request of more than ${LARGEST_REQUEST} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function sendJson(response: ServerResponse, status: number, value: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value));
}

function sendError(response: ServerResponse, status: number, message: string, code: string | number = status): void {
  if (response.headersSent || response.destroyed) return;
  response.writeHead(status, { 'content-type': 'application/json' }).end(errorBody(message, code));
}

/** @returns the port it listens on */
function listen(server: Server, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => {
      server.off('error', reject);
      const address = server.address();
      resolve(typeof address === 'object' && address !== null ? address.port : port);
    });
  });
}

function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
