import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { afterEach, describe, expect, it } from 'vitest';
import { probeModel } from '../../src/llm/probe-model.ts';
import { startScriptedModel, type ScriptedModel } from '../../src/testing/index.ts';

let scripted: ScriptedModel | undefined;
let server: Server | undefined;

afterEach(async () => {
  await scripted?.close({ check: false });
  scripted = undefined;
  server?.closeAllConnections();
  server?.close();
  server = undefined;
});

interface Endpoint {
  readonly apiKey?: string;
  readonly models?: readonly string[];
}

async function probe(env: NodeJS.ProcessEnv, endpoint: Endpoint = {}, name = 'gemini/flash') {
  scripted = await startScriptedModel({ scripts: () => 'OK', ...endpoint });
  const model = { name, timeout: 30, max_attempts: 10, check: true, base_url: scripted.url };
  return probeModel(name, { model, env, signal: AbortSignal.timeout(10_000) });
}

/** An endpoint that answers in its own way. */
async function serve(answer: (path: string, respond: (status: number, body: string) => void) => void): Promise<string> {
  server = createServer((request, response) => {
    answer(request.url ?? '', (status, body) => response.writeHead(status).end(body));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  return `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}/v1`;
}

function probeAt(base_url: string, signal = AbortSignal.timeout(10_000)) {
  const model = { name: 'openai/m', timeout: 30, max_attempts: 10, check: true, base_url };
  return probeModel('openai/m', { model, env: { OPENAI_API_KEY: 'a-key-of-mine' }, signal });
}

describe('probeModel', () => {
  it('asks nothing that costs where the list of models tells enough', async () => {
    const key = { GEMINI_API_KEY: 'right-key' };
    const endpoint = { apiKey: 'right-key', models: ['models/flash', 'models/pro'] };
    expect(await probe(key, endpoint)).toEqual({
      kind: 'good',
      endpoint: new URL(scripted?.url ?? '').host,
      withKey: true,
    });
    expect(scripted?.count()).toBe(0);
  });

  it('tells a key that is refused', async () => {
    await expect(probe({ GEMINI_API_KEY: 'wrong-key' }, { apiKey: 'right-key' })).rejects.toMatchObject({
      type: 'Model.Refused',
      message: expect.stringContaining('HTTP 401'),
    });
  });

  it('tells a model that does not exist, and one that may be meant', async () => {
    const endpoint = { models: ['gpt-5-mini', 'gpt-5'] };
    await expect(probe({ OPENAI_API_KEY: 'any-key' }, endpoint, 'openai/gpt-5-minni')).rejects.toMatchObject({
      type: 'Model.BadRequest',
      message: expect.stringMatching(/HTTP 404.*does not exist.*Did you mean "openai\/gpt-5-mini"\?$/),
    });
  });

  it('takes a model that is not listed but answers', async () => {
    const url = await serve((path, respond) =>
      path.endsWith('/models')
        ? respond(200, '{"data":[{"id":"another"}]}')
        : respond(200, '{"choices":[{"message":{"content":"OK"}}]}'),
    );
    expect(await probeAt(url)).toMatchObject({ kind: 'good' });
  });

  it('takes one that wants more tokens than it is asked for', async () => {
    const message = 'Could not finish the message because max_tokens or model output limit was reached.';
    const url = await serve((path, respond) =>
      path.endsWith('/models') ? respond(404, 'no list') : respond(400, JSON.stringify({ error: { message } })),
    );
    expect(await probeAt(url)).toMatchObject({ kind: 'good' });
  });

  it.each<[string, number, string, RegExp]>([
    ['nothing', 404, '{"detail":"Not Found"}', /HTTP 404.*Check model\.name and model\.base_url/],
    ['a web page', 200, '<!doctype html><title>Welcome</title>', /a web page instead of JSON/],
    ['a page that forbids', 403, '<html>Forbidden</html>', /HTTP 403/],
  ])('tells an address where there is %s', async (_, status, body, message) => {
    const url = await serve((_path, respond) => respond(status, body));
    await expect(probeAt(url)).rejects.toThrow(message);
  });

  it('tells an account without credit that may list the models', async () => {
    const url = await serve((path, respond) =>
      path.endsWith('/models')
        ? respond(200, '{"data":[{"id":"another"}]}')
        : respond(402, '{"error":{"message":"Insufficient credits"}}'),
    );
    await expect(probeAt(url)).rejects.toMatchObject({ type: 'Model.Refused' });
  });

  it.each([429, 500, 503])('is unsure of an endpoint that is busy or has a fault: %d', async (status) => {
    const url = await serve((_path, respond) => respond(status, '{"error":{"message":"later"}}'));
    expect(await probeAt(url)).toMatchObject({ kind: 'unsure', reason: expect.stringContaining('later') });
  });

  it('is unsure of one that is slow, and tells one that cannot be reached', async () => {
    const url = await serve(() => undefined);
    expect(await probeAt(url, AbortSignal.timeout(50))).toMatchObject({
      kind: 'unsure',
      reason: expect.stringContaining('did not answer in time'),
    });
    server?.closeAllConnections();
    await new Promise((resolve) => server?.close(resolve));
    await expect(probeAt(url)).rejects.toThrow(/cannot reach 127\.0\.0\.1:\d+ \(ECONNREFUSED/);
  });
});
