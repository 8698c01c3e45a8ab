import { createServer } from 'node:net';
import { once } from 'node:events';
import { inspect } from 'node:util';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { ModelConfig } from '../../src/domain/config.ts';
import { TypedError } from '../../src/domain/failures.ts';
import type { ChatModels, ChatReply } from '../../src/llm/chat-model.ts';
import { createChatModels } from '../../src/llm/openai-chat-models.ts';
import { startScriptedModel, type ScriptedModel, type ScriptedReply, type Scripts } from '../../src/testing/index.ts';

const KEY = 'very-secret-key-0123456789';
const MODEL = 'openrouter/test/model';

let scripted: ScriptedModel | undefined;

afterEach(async () => {
  await scripted?.close({ check: false });
  scripted = undefined;
});

async function modelsFor(scripts: Scripts, config: Partial<ModelConfig> = {}, env: NodeJS.ProcessEnv = {}) {
  await scripted?.close({ check: false });
  scripted = await startScriptedModel({ scripts });
  return chatModels({ base_url: scripted.url, ...config }, env);
}

function chatModels(config: Partial<ModelConfig>, env: NodeJS.ProcessEnv = {}): ChatModels {
  return createChatModels({
    model: { name: MODEL, timeout: 30, max_attempts: 10, check: true, ...config },
    env: { OPENROUTER_API_KEY: KEY, ...env },
    host: 'here',
  });
}

function complete(models: ChatModels, options: { model?: string; signal?: AbortSignal } = {}): Promise<ChatReply> {
  return models.complete(
    {
      model: options.model ?? MODEL,
      messages: [
        { role: 'system', content: 'be brief' },
        { role: 'user', content: 'hello' },
      ],
      purpose: 'turn',
      idempotencyKey: 'run/0#1',
    },
    options.signal ?? new AbortController().signal,
  );
}

async function failure(reply: ScriptedReply, config: Partial<ModelConfig> = {}): Promise<TypedError> {
  const models = await modelsFor(() => reply, config);
  const outcome: unknown = await complete(models).catch((thrown: unknown) => thrown);
  if (!(outcome instanceof TypedError)) throw new Error(`no TypedError but ${inspect(outcome)}`);
  return outcome;
}

function error(status: number, message = '', more: object = {}): ScriptedReply {
  return { error: { status, body: { error: { message, ...more } } } };
}

describe('a reply', () => {
  it('carries text, reason, model and usage with the cost the provider reports', async () => {
    const models = await modelsFor(() => ({
      text: 'hi',
      usage: { input_tokens: 12, output_tokens: 3, cost: 0.004 },
      finishReason: 'length',
    }));
    expect(await complete(models)).toEqual({
      text: 'hi',
      finish_reason: 'length',
      model: 'test/model',
      usage: { input_tokens: 12, output_tokens: 3, cost: 0.004, llm_calls: 1 },
    });
  });

  it('costs what model.prices says when the provider does not, else nothing', async () => {
    const usage = { input_tokens: 2_000_000, output_tokens: 500_000 };
    const models = await modelsFor(() => ({ text: '', usage }), { prices: { [MODEL]: { input: 1.5, output: 4 } } });
    expect((await complete(models)).usage.cost).toBe(5);
    expect((await complete(models, { model: 'openrouter/another' })).usage.cost).toBe(0);
  });

  it.each<[string, object, object]>([
    [
      'texts',
      { prompt_tokens: '12', completion_tokens: '3', cost: '0.5' },
      { input_tokens: 12, output_tokens: 3, cost: 0.5 },
    ],
    ['negative', { prompt_tokens: -1, completion_tokens: 3, cost: -2 }, { input_tokens: 0, output_tokens: 3, cost: 3 }],
    ['missing', {}, { input_tokens: 0, output_tokens: 0, cost: 0 }],
    ['null', { prompt_tokens: 2, completion_tokens: 1, cost: null }, { input_tokens: 2, output_tokens: 1, cost: 3 }],
    ['of other names', { input_tokens: 2, output_tokens: 1 }, { input_tokens: 2, output_tokens: 1, cost: 3 }],
    [
      'no numbers',
      { prompt_tokens: 'many', completion_tokens: [], cost: {} },
      { input_tokens: 0, output_tokens: 0, cost: 0 },
    ],
  ])('counts what it can where usage is %s', async (_, usage, expected) => {
    const raw = JSON.stringify({ choices: [{ message: { content: 'x' }, finish_reason: 'stop' }], usage });
    const models = await modelsFor(() => ({ raw }), { prices: { [MODEL]: { input: 1_000_000, output: 1_000_000 } } });
    const { cost, ...counts } = (await complete(models)).usage;
    const { cost: price, ...tokens } = expected as { cost: number };
    expect(counts).toEqual({ ...tokens, llm_calls: 1 });
    expect(cost).toBe(
      usage && 'cost' in usage && typeof usage.cost === 'string' ? 0.5 : counts.input_tokens + counts.output_tokens,
    );
    expect(price).toBe(cost);
  });

  it('is asked for as a whole, and read where it comes as a stream', async () => {
    const bodies: unknown[] = [];
    const models = await modelsFor((conversation) => {
      bodies.push(conversation);
      return {
        raw: 'data: {"choices":[{"delta":{"content":"h"}}]}\n\ndata: {"choices":[{"delta":{"content":"i"},"finish_reason":"length"}]}\n\n',
      };
    });
    expect(await complete(models)).toMatchObject({ text: 'hi', finish_reason: 'length' });
  });

  it.each([
    ['that breaks off', 'data: {"choices":[{"delta":{"content":"h"}}]}\n\n'],
    ['of what is not JSON', 'data: nonsense\n\n'],
    ['of an error', 'data: {"error":{"code":503,"message":"overloaded"}}\n\ndata: [DONE]\n\n'],
    ['of nothing', 'data: [DONE]\n\n'],
  ])('does not take a stream %s for an answer', async (_, raw) => {
    expect(await failure({ raw })).toMatchObject({ type: 'Model.Unavailable' });
  });

  it.each(['error', 'network_error', 'insufficient_system_resource'])(
    'is none where the provider broke it off: %s',
    async (finish_reason) => {
      const raw = JSON.stringify({ choices: [{ message: { content: 'half' }, finish_reason }] });
      expect(await failure({ raw })).toMatchObject({
        type: 'Model.Unavailable',
        message: expect.stringContaining(finish_reason),
      });
    },
  );

  it("adds the provider's bill to the fee when the account brings its own provider key", async () => {
    const raw = JSON.stringify({
      choices: [{ message: { content: 'x' }, finish_reason: 'stop' }],
      usage: { cost: 0.01, is_byok: true, cost_details: { upstream_inference_cost: 0.2 } },
    });
    expect((await complete(await modelsFor(() => ({ raw })))).usage.cost).toBeCloseTo(0.21);
  });

  it.each([null, '', []])('may be empty: content %j is the text ""', async (content) => {
    const raw = JSON.stringify({ choices: [{ message: { content }, finish_reason: 'stop' }] });
    expect(await complete(await modelsFor(() => ({ raw })))).toMatchObject({ text: '', finish_reason: 'stop' });
  });

  it('leaves out the thinking where content is a list of parts', async () => {
    const content = [
      { type: 'thinking', thinking: [] },
      { type: 'text', text: 'the answer' },
    ];
    const raw = JSON.stringify({ choices: [{ message: { content }, finish_reason: 'tool_calls' }] });
    expect(await complete(await modelsFor(() => ({ raw })))).toMatchObject({
      text: 'the answer',
      finish_reason: 'other',
    });
  });

  it.each(['reasoning', 'reasoning_content'])('keeps apart what the model reasoned: %s', async (field) => {
    const message = { content: 'the answer', [field]: 'first this' };
    const raw = JSON.stringify({ choices: [{ message, finish_reason: 'stop' }] });
    expect(await complete(await modelsFor(() => ({ raw })))).toMatchObject({
      text: 'the answer',
      reasoning: 'first this',
    });
  });

  it.each([
    ['tool_calls', [{ id: '1', type: 'function', function: { name: 'python', arguments: '{"code": "1"}' } }]],
    ['function_call', { name: 'python', arguments: '{"code": "1"}' }],
  ])('that calls a tool has the call as its text: %s', async (field, value) => {
    const message = { content: null, [field]: value };
    const raw = JSON.stringify({ choices: [{ message, finish_reason: 'tool_calls' }] });
    const text = String.raw`<tool_call>{"name":"python","arguments":"{\"code\": \"1\"}"}</tool_call>`;
    expect(await complete(await modelsFor(() => ({ raw })))).toMatchObject({ text });
  });
});

describe('a request', () => {
  it('bears the key, the idempotency key, and nothing about the machine', async () => {
    const headers: Record<string, unknown>[] = [];
    const models = await modelsFor((conversation) => {
      headers.push(conversation.headers);
      return 'ok';
    });
    await complete(models);
    expect(headers[0]).toMatchObject({
      authorization: `Bearer ${KEY}`,
      'idempotency-key': 'run/0#1',
      'user-agent': 'durable-rlm',
    });
    expect(Object.keys(headers[0] ?? {}).filter((name) => name.startsWith('x-'))).toEqual([]);
  });

  it('bears no authorization without a key', async () => {
    const seen: (string | undefined)[] = [];
    const models = await modelsFor(
      ({ headers }) => {
        seen.push(headers.authorization);
        return 'ok';
      },
      {},
      { OPENROUTER_API_KEY: '' },
    );
    await complete(models);
    expect(seen).toEqual([undefined]);
  });

  it('is made once: the client does not retry', async () => {
    const models = await modelsFor(() => ({ error: { status: 500 } }));
    await expect(complete(models)).rejects.toMatchObject({ type: 'Model.Unavailable' });
    expect(scripted?.count()).toBe(1);
  });

  it('asks nobody when the key is missing', async () => {
    const models = chatModels({}, { OPENROUTER_API_KEY: '' });
    await expect(complete(models)).rejects.toMatchObject({
      type: 'Model.KeyMissing',
      message: expect.stringContaining('here'),
    });
  });

  it('takes the key from the environment at each call', async () => {
    const env: NodeJS.ProcessEnv = {};
    const models = createChatModels({
      model: { name: MODEL, timeout: 30, max_attempts: 10, check: true },
      env,
      host: 'here',
    });
    await expect(complete(models)).rejects.toMatchObject({ type: 'Model.KeyMissing' });
    env['OPENROUTER_API_KEY'] = 'broken key';
    await expect(complete(models)).rejects.toThrow('OPENROUTER_API_KEY on here holds spaces');
  });
});

describe('an error of the provider', () => {
  it.each<[string, ScriptedReply, string]>([
    ['429', error(429, 'slow down'), 'Model.RateLimited'],
    ['529', error(529, 'overloaded'), 'Model.RateLimited'],
    ['429 because the quota is used up', error(429, 'see billing', { code: 'insufficient_quota' }), 'Model.Refused'],
    ['401', error(401, 'bad key'), 'Model.Refused'],
    ['402', error(402, 'no credit'), 'Model.Refused'],
    ['403', error(403, 'not yours'), 'Model.Refused'],
    ['400 that means 401', error(400, 'API key not valid. Please pass a valid API key.'), 'Model.Refused'],
    ['400 that means 402', error(400, 'Your credit balance is too low'), 'Model.Refused'],
    ['400 on context length', error(400, 'x', { code: 'context_length_exceeded' }), 'Model.ContextLength'],
    ['400 on a long prompt', error(400, 'prompt is too long: 210000 tokens > 200000 maximum'), 'Model.ContextLength'],
    ['400 on maximum context', error(400, "This model's maximum context length is 8192"), 'Model.ContextLength'],
    ['400 on token count', error(400, 'The input token count (9) exceeds the maximum number'), 'Model.ContextLength'],
    ['413', error(413, 'request too large'), 'Model.ContextLength'],
    ['400', error(400, 'max_tokens is too large: 99999'), 'Model.BadRequest'],
    ['404', error(404, 'no such model'), 'Model.BadRequest'],
    ['405', error(405, 'post to another place'), 'Model.BadRequest'],
    ['422', error(422, 'unprocessable'), 'Model.BadRequest'],
    ['408', error(408), 'Model.Unavailable'],
    ['500', error(500, 'oops'), 'Model.Unavailable'],
    ['503', error(503), 'Model.Unavailable'],
    ['502 with a page', { error: { status: 502, body: '<html><h1>Bad gateway</h1></html>' } }, 'Model.Unavailable'],
    ["400 in Google's list", { error: { status: 400, body: [{ error: { message: 'bad' } }] } }, 'Model.BadRequest'],
  ])('%s', async (_, reply, type) => {
    const thrown = await failure(reply);
    expect(thrown.type).toBe(type);
    expect(thrown.message).toContain(`${MODEL}: HTTP ${String(reply.error?.status)}`);
    expect(thrown.message.length).toBeLessThan(700);
  });

  it('in a 200 is one all the same', async () => {
    const inBody = { raw: JSON.stringify({ error: { code: 429, message: 'upstream is busy' } }) };
    expect(await failure(inBody)).toMatchObject({ type: 'Model.RateLimited' });
    const inChoice = { raw: JSON.stringify({ choices: [{ error: { code: 502, message: 'gone' }, message: {} }] }) };
    expect(await failure(inChoice)).toMatchObject({ type: 'Model.Unavailable' });
  });

  it('is quoted, and the words of the provider behind a router with it', async () => {
    const metadata = { raw: 'the model is loading' };
    const thrown = await failure(error(503, 'Provider returned error', { metadata }));
    expect(thrown.message).toContain('Provider returned error: the model is loading');
    expect((await failure({ error: { status: 502, body: '<html>' } })).message).toContain('a web page');
  });

  it.each<[Record<string, string>, number | undefined]>([
    [{ 'retry-after': '7' }, 7000],
    [{ 'retry-after': '0.5' }, 500],
    [{ 'retry-after-ms': '120', 'retry-after': '7' }, 120],
    [{ 'retry-after': 'Thu, 01 Jan 1970 00:00:00 GMT' }, 0],
    [{ 'retry-after': '86400' }, 86_400_000],
    [{ 'retry-after': '8640000' }, 86_400_000],
    [{ 'retry-after': '-1' }, 0],
    [{ 'retry-after-ms': '0' }, 0],
    [{ 'retry-after': '0' }, 0],
    [{ 'retry-after': '1m26.4s' }, 86_400],
    [{ 'x-ratelimit-reset-requests': '1s', 'x-ratelimit-reset-tokens': '6m0s' }, 1000],
    [
      {
        'x-ratelimit-reset-requests': '1s',
        'x-ratelimit-remaining-requests': '7',
        'x-ratelimit-reset-tokens': '6m0s',
        'x-ratelimit-remaining-tokens': '0',
      },
      360_000,
    ],
    [{ 'x-ratelimit-reset': '20ms' }, 20],
    [{ 'retry-after': 'tomorrow at 7' }, undefined],
    [{ 'retry-after': 'soon' }, undefined],
    [{}, undefined],
  ])('says when to ask again: %j', async (headers, expected) => {
    const thrown = await failure({ error: { status: 429, headers } });
    expect([thrown.type, thrown.retryAfterMs]).toEqual(['Model.RateLimited', expected]);
  });

  it('says when to ask again as a date, and in the body as Google does', async () => {
    const date = new Date(Date.now() + 60_000).toUTCString();
    const dated = await failure({ error: { status: 503, headers: { 'retry-after': date } } });
    expect(dated.retryAfterMs).toBeGreaterThan(30_000);
    expect(dated.retryAfterMs).toBeLessThanOrEqual(60_000);
    const details = [{ '@type': 'RetryInfo', retryDelay: '34s' }];
    expect((await failure(error(429, 'quota per minute', { details }))).retryAfterMs).toBe(34_000);
  });

  it.each<[string, number | undefined]>([
    ['Please retry in 2.5s.', 2500],
    ['Rate limit reached. Please try again in 20s. Visit our page.', 20_000],
    ['Please try again in 1h34m52.896s', 5_692_896],
    ['Please try again in 350ms', 350],
    ['please try again after 1 seconds', 1000],
    ['Please retry after 7 seconds.', 7000],
    ['Try again in 2 minutes', 120_000],
    ['try again later, limit: 20 requests', undefined],
    ['your quota resets soon', undefined],
  ])('says when to ask again in its message: %s', async (message, expected) => {
    const thrown = await failure(error(429, message));
    expect([thrown.type, thrown.retryAfterMs]).toEqual(['Model.RateLimited', expected]);
  });

  it('says when to ask again in the headers that a router quotes', async () => {
    const reset = String(Date.now() + 3000);
    const metadata = { headers: { 'X-RateLimit-Remaining': '0', 'X-RateLimit-Reset': reset } };
    const { retryAfterMs = 0 } = await failure(error(429, 'Rate limit exceeded', { metadata }));
    expect(retryAfterMs).toBeGreaterThan(1000);
    expect(retryAfterMs).toBeLessThanOrEqual(3000);
  });

  it('says what to do', async () => {
    const refused = await failure(error(401, 'bad key'));
    expect(refused.message).toContain('into OPENROUTER_API_KEY or LLM_API_KEY');
    const unsent = await modelsFor(() => error(401), {}, { OPENROUTER_API_KEY: '' });
    await expect(complete(unsent)).rejects.toThrow('No key was sent: set OPENROUTER_API_KEY or LLM_API_KEY');
  });
});

describe('an answer that never comes whole', () => {
  it('a connection cut in the middle', async () => {
    expect(await failure({ text: 'half', cut: true })).toMatchObject({
      type: 'Model.Unavailable',
      message: expect.stringContaining('the connection to 127.0.0.1'),
    });
  });

  it('no answer within the time-out', async () => {
    expect(await failure({ hang: true }, { timeout: 0.05 })).toMatchObject({
      type: 'Model.Unavailable',
      message: expect.stringContaining('no answer within 0.05 s (model.timeout)'),
    });
  });

  it('a reply that stops half-way within the time-out', async () => {
    const server = createServer((socket) => {
      socket.on('error', () => undefined);
      socket.once('data', () => socket.write('HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{"choices": '));
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    const port = typeof address === 'object' ? address?.port : 0;
    const models = chatModels({ base_url: `http://127.0.0.1:${port}/v1`, timeout: 0.2 });
    await expect(complete(models)).rejects.toMatchObject({
      type: 'Model.Unavailable',
      message: expect.stringContaining('model.timeout'),
    });
    server.close();
  });

  it('nobody listening', async () => {
    scripted = await startScriptedModel({ scripts: [] });
    const { url } = scripted;
    await scripted.close();
    await expect(complete(chatModels({ base_url: url }))).rejects.toMatchObject({
      type: 'Model.Unavailable',
      message: expect.stringContaining('ECONNREFUSED'),
    });
  });

  it.each<[string, string]>([
    ['invalid JSON', '{"choices": ['],
    ['no choices', '{"choices": []}'],
    ['no message', '{"choices": [{}]}'],
    ['nothing', ''],
    ['null', 'null'],
    ['a list', '[]'],
    ['a web page', '<!doctype html><title>Sign in</title>'],
  ])('%s', async (_, raw) => {
    expect(await failure({ raw })).toMatchObject({ type: 'Model.Unavailable' });
  });

  it('a call that is aborted ends as an AbortError with the reason', async () => {
    const models = await modelsFor(() => ({ hang: true }));
    const caller = new AbortController();
    const reply = complete(models, { signal: caller.signal });
    await scripted?.when((call) => call.outcome === 'pending');
    caller.abort(new Error('the run was cancelled'));
    await expect(reply).rejects.toMatchObject({ name: 'AbortError', cause: { message: 'the run was cancelled' } });
    await scripted?.when((call) => call.outcome === 'aborted');
  });

  it('a call that was aborted before is not made', async () => {
    const models = await modelsFor(() => 'ok');
    await expect(complete(models, { signal: AbortSignal.abort() })).rejects.toMatchObject({ name: 'AbortError' });
    expect(scripted?.count()).toBe(0);
  });
});

describe('the key', () => {
  const forms = [KEY, `Bearer ${KEY}`, Buffer.from(KEY).toString('base64'), 'sk-or-v1-somebody-elses-key'];

  it.each([400, 401, 403, 429, 500])('is cut out of what a provider says with a %d', async (status) => {
    const thrown = await failure({
      error: { status, body: { error: { message: `you sent ${forms.join(' and ')}`, code: KEY } } },
    });
    const everything = inspect(thrown, { depth: 10, showHidden: true });
    expect(everything).toContain('[redacted]');
    for (const form of forms) expect(everything).not.toContain(form);
  });

  it('is in no failure of the connection and on no console', async () => {
    const consoles = (['log', 'info', 'warn', 'error', 'debug'] as const).map((name) => vi.spyOn(console, name));
    vi.stubEnv('OPENAI_LOG', 'debug');
    try {
      for (const reply of [{ cut: true, text: KEY }, { raw: `<html>${KEY}` }, { raw: KEY }] satisfies ScriptedReply[]) {
        expect(inspect(await failure(reply), { depth: 10, showHidden: true })).not.toContain(KEY);
      }
      expect(consoles.flatMap((spy) => spy.mock.calls)).toEqual([]);
    } finally {
      vi.unstubAllEnvs();
      for (const spy of consoles) spy.mockRestore();
    }
  });
});
