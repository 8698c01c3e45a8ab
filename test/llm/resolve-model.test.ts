import { describe, expect, it } from 'vitest';
import { PROVIDERS } from '../../src/llm/providers.ts';
import { resolveModel } from '../../src/llm/resolve-model.ts';

describe('resolveModel', () => {
  it('takes base URL, key and name from the prefix', () => {
    expect(resolveModel('openrouter/google/gemini-3-flash-preview', {}, { OPENROUTER_API_KEY: 'sk-or' })).toMatchObject(
      {
        baseUrl: 'https://openrouter.ai/api/v1',
        apiKey: 'sk-or',
        model: 'google/gemini-3-flash-preview',
        body: { usage: { include: true } },
      },
    );
  });

  it("prefers the provider's own key to LLM_API_KEY, and any set variable to an empty one", () => {
    const both = { GEMINI_API_KEY: 'own', LLM_API_KEY: 'any' };
    expect(resolveModel('gemini/gemini-3-pro', {}, both).apiKey).toBe('own');
    expect(resolveModel('gemini/gemini-3-pro', {}, { ...both, GEMINI_API_KEY: ' ' }).apiKey).toBe('any');
  });

  it('trims what was pasted with a line break', () => {
    expect(resolveModel('openai/gpt', {}, { OPENAI_API_KEY: ' sk-1\n' }).apiKey).toBe('sk-1');
  });

  it('obeys model.base_url and model.api_key_env', () => {
    const config = { base_url: 'https://gateway.example/v1/', api_key_env: 'GATEWAY_KEY' };
    const env = { GATEWAY_KEY: 'mine', OPENAI_API_KEY: 'not this one' };
    expect(resolveModel('openai/gpt', config, env)).toMatchObject({
      baseUrl: 'https://gateway.example/v1',
      apiKey: 'mine',
      model: 'gpt',
      keyVariables: ['GATEWAY_KEY'],
    });
  });

  it.each(['gpt-oss', 'meta-llama/Llama-4'])('sends %s as it is to a base_url', (name) => {
    const resolved = resolveModel(name, { base_url: 'http://localhost:9/v1' }, {});
    expect([resolved.model, resolved.apiKey]).toEqual([name, undefined]);
  });

  it('asks local servers without a key, at the address their variable says', () => {
    expect(resolveModel('ollama/qwen3', {}, {})).toMatchObject({
      baseUrl: 'http://localhost:11434/v1',
      apiKey: undefined,
    });
    const env = { OLLAMA_API_BASE: 'http://gpu:11434', HOSTED_VLLM_API_BASE: 'http://gpu:8000/v1' };
    expect(resolveModel('ollama_chat/qwen3', {}, env).baseUrl).toBe('http://gpu:11434/v1');
    expect(resolveModel('hosted_vllm/openai/gpt-oss-20b', {}, env)).toMatchObject({
      baseUrl: 'http://gpu:8000/v1',
      model: 'openai/gpt-oss-20b',
    });
  });

  it("completes Fireworks' short names", () => {
    const env = { FIREWORKS_API_KEY: 'fw' };
    expect(resolveModel('fireworks_ai/glm-5', {}, env).model).toBe('accounts/fireworks/models/glm-5');
    expect(resolveModel('fireworks_ai/accounts/me/models/x', {}, env).model).toBe('accounts/me/models/x');
  });

  it.each(Object.keys(PROVIDERS))('reaches %s over http or https', (prefix) => {
    const config = PROVIDERS[prefix]?.baseUrl === undefined ? { base_url: 'https://one.example/v1' } : {};
    const resolved = resolveModel(`${prefix}/model`, config, { LLM_API_KEY: 'any' });
    expect(new URL(resolved.baseUrl).protocol).toMatch(/^https?:$/);
    const isLocal = new URL(resolved.baseUrl).hostname === 'localhost';
    expect(resolved.apiKey).toBe(isLocal ? undefined : 'any');
  });

  it('sends a key that is for any provider to no port of this machine that nobody has named', () => {
    const env = { LLM_API_KEY: 'any' };
    expect(resolveModel('vllm/x', {}, env).apiKey, 'whoever listens there').toBeUndefined();
    expect(resolveModel('vllm/x', {}, { ...env, HOSTED_VLLM_API_KEY: 'own' }).apiKey).toBe('own');
    expect(resolveModel('vllm/x', {}, { ...env, HOSTED_VLLM_API_BASE: 'http://gpu:8000/v1' }).apiKey).toBe('any');
    expect(resolveModel('vllm/x', { base_url: 'http://localhost:8000/v1' }, env).apiKey).toBe('any');
  });
});

describe('a name or key that will not do', () => {
  it('suggests the provider that was meant', () => {
    expect(() => resolveModel('opnerouter/x/y', {}, {})).toThrow(
      expect.objectContaining({
        type: 'Input.Invalid',
        message: expect.stringContaining('Did you mean "openrouter/x/y"?'),
      }),
    );
  });

  it('lists the providers and the way without one', () => {
    expect(() => resolveModel('gpt-5', {}, {})).toThrow(/does not name its provider.*openai.*model\.base_url/);
    expect(() => resolveModel('constructor/x', {}, {})).toThrow(/unknown provider/);
  });

  it('wants a name after the provider', () => {
    expect(() => resolveModel('openai/', {}, { OPENAI_API_KEY: 'k' })).toThrow(/no name after its provider/);
  });

  it('asks for the address where every customer has another', () => {
    expect(() => resolveModel('azure/gpt', {}, { AZURE_API_KEY: 'k' })).toThrow(/model\.base_url or AZURE_API_BASE/);
    expect(() => resolveModel('azure/gpt', {}, { AZURE_API_KEY: 'k', AZURE_API_BASE: 'my-host' })).toThrow(
      /AZURE_API_BASE must be an http or https address/,
    );
  });

  it('names the variables to set and the host', () => {
    expect(() => resolveModel('anthropic/claude', {}, {}, 'worker-7')).toThrow(
      expect.objectContaining({
        type: 'Model.KeyMissing',
        message: expect.stringMatching(/worker-7.*ANTHROPIC_API_KEY or LLM_API_KEY/),
      }),
    );
  });

  it('says to who asks from a command where to set them', () => {
    expect(() => resolveModel('anthropic/claude', {}, {})).toThrow(
      'No key for anthropic/claude: set ANTHROPIC_API_KEY or LLM_API_KEY in the environment or in a .env file in the current folder.',
    );
  });

  it('insists on a key that api_key_env names, even with a base_url', () => {
    const config = { base_url: 'http://localhost:9/v1', api_key_env: 'MY_KEY' };
    expect(() => resolveModel('x', config, { LLM_API_KEY: 'any' })).toThrow(/set MY_KEY/);
  });

  it('refuses a key that no header can carry, without quoting it', () => {
    const env = { OPENAI_API_KEY: 'sk-1\nsk-2' };
    expect(() => resolveModel('openai/gpt', {}, env)).toThrow(
      expect.objectContaining({ type: 'Model.KeyMissing', message: expect.not.stringContaining('sk-') }),
    );
  });
});
