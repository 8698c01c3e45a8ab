import { createServer, type Server } from 'node:http';
import { once } from 'node:events';
import { connect } from 'node:net';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { createChatModels } from '../../src/llm/openai-chat-models.ts';
import { startScriptedModel, type ScriptedModel } from '../../src/testing/index.ts';

let scripted: ScriptedModel | undefined;
let proxy: Server | undefined;

afterEach(async () => {
  await scripted?.close();
  proxy?.closeAllConnections();
  proxy?.close();
});

/** A proxy that leads every tunnel to the scripted model, and remembers where it should have led. */
async function startProxy(targetPort: number): Promise<{ url: string; asked: string[] }> {
  const asked: string[] = [];
  proxy = createServer().on('connect', (request, client) => {
    asked.push(request.url ?? '');
    const target = connect(targetPort, '127.0.0.1', () => client.write('HTTP/1.1 200 OK\r\n\r\n'));
    for (const socket of [client, target]) socket.on('error', () => socket.destroy());
    client.pipe(target).pipe(client);
  });
  proxy.listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  const address = proxy.address();
  return { url: `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`, asked };
}

async function ask(base_url: string, env: NodeJS.ProcessEnv): Promise<string> {
  const models = createChatModels({
    model: { name: 'x', timeout: 30, max_attempts: 10, check: true, base_url },
    env,
    host: 'here',
  });
  const messages = [{ role: 'user', content: 'hello' }] as const;
  const reply = await models.complete(
    { purpose: 'turn', model: 'x', messages, idempotencyKey: 'k' },
    new AbortController().signal,
  );
  return reply.text;
}

describe('a proxy of the environment', () => {
  it('is used, but not for loopback, and without a warning', async () => {
    const warned = vi.spyOn(process, 'emitWarning');
    scripted = await startScriptedModel({ scripts: () => 'through' });
    const { url, asked } = await startProxy(Number(new URL(scripted.url).port));
    const env = { HTTP_PROXY: url, NO_PROXY: 'exempt.test' };
    expect(await ask('http://model.test/v1', env)).toBe('through');
    expect(asked).toEqual(['model.test:80']);
    expect(await ask(scripted.url, env)).toBe('through');
    expect(asked).toHaveLength(1);
    expect(warned.mock.calls).toEqual([]);
    warned.mockRestore();
  });
});
