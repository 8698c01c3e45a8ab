import { afterEach, describe, expect, it } from 'vitest';
import { probeModel } from '../../src/llm/probe-model.ts';
import { startScriptedModel, type ScriptedModel } from '../../src/testing/index.ts';

let scripted: ScriptedModel | undefined;

afterEach(async () => {
  await scripted?.close();
  scripted = undefined;
});

async function probe(env: NodeJS.ProcessEnv, apiKey?: string) {
  scripted = await startScriptedModel({ scripts: [], ...(apiKey === undefined ? {} : { apiKey }) });
  const model = { name: 'gemini/flash', timeout: 30, max_attempts: 10, base_url: scripted.url };
  return probeModel('gemini/flash', { model, env, host: 'here', signal: AbortSignal.timeout(10_000) });
}

describe('probeModel', () => {
  it('is content with an endpoint that answers', async () => {
    expect(await probe({ GEMINI_API_KEY: 'right-key' }, 'right-key')).toEqual({
      endpoint: new URL(scripted?.url ?? '').host,
      withKey: true,
    });
    expect(scripted?.count()).toBe(0);
  });

  it('tells a key that is refused', async () => {
    await expect(probe({ GEMINI_API_KEY: 'wrong-key' }, 'right-key')).rejects.toMatchObject({
      type: 'Model.Refused',
      message: expect.stringContaining('HTTP 401'),
    });
  });

  it('tells an endpoint that cannot be reached, and one that is slow', async () => {
    scripted = await startScriptedModel({ scripts: [] });
    const model = { name: 'x', timeout: 30, max_attempts: 10, base_url: scripted.url };
    await expect(probeModel('x', { model, env: {}, host: 'here', signal: AbortSignal.abort() })).rejects.toThrow(
      'did not answer in time',
    );
    await scripted.close();
    await expect(
      probeModel('x', { model, env: {}, host: 'here', signal: AbortSignal.timeout(10_000) }),
    ).rejects.toThrow(/cannot reach 127\.0\.0\.1:\d+ \(ECONNREFUSED/);
  });
});
