import { execFileSync } from 'node:child_process';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { dotEnvNote, loadDotEnv } from '../../src/client/dot-env.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'dot-env-'));
});
afterEach(() => rm(folder, { recursive: true }));

const DIRECTING = [
  'OPENAI_BASE_URL',
  'OPENAI_API_BASE',
  'AZURE_API_BASE',
  'OLLAMA_API_BASE',
  'LITELLM_PROXY_API_BASE',
  'LM_STUDIO_API_BASE',
  'HOSTED_VLLM_API_BASE',
  'LLM_BASE_URL',
  'TEMPORAL_ADDRESS',
  'TEMPORAL_NAMESPACE',
  'TEMPORAL_PROFILE',
  'TEMPORAL_CONFIG_FILE',
  'TEMPORAL_API_KEY',
  'DURABLE_RLM_STATE',
  'DURABLE_RLM_CACHE',
  'DURABLE_RLM_HOST',
  'DURABLE_RLM_PRIVATE_HOSTS',
  'DURABLE_RLM_ENCRYPTION_KEY',
  'DURABLE_RLM_TEST_KILL',
  'XDG_CONFIG_HOME',
  'XDG_STATE_HOME',
  'XDG_CACHE_HOME',
  'XDG_RUNTIME_DIR',
  'TMPDIR',
  'HOME',
  'PATH',
  'NODE_OPTIONS',
  'NODE_EXTRA_CA_CERTS',
  'LD_PRELOAD',
  'PYTHONPATH',
  'GIT_SSH_COMMAND',
  'GIT_CONFIG_GLOBAL',
  'GIT_EXEC_PATH',
  'SSH_AUTH_SOCK',
  'HTTP_PROXY',
  'HTTPS_PROXY',
  'ALL_PROXY',
  'NO_PROXY',
  'SSL_CERT_FILE',
  'AWS_ENDPOINT_URL_S3',
  'AWS_ACCESS_KEY_ID',
  'AWS_PROFILE',
  'DAYTONA_API_URL',
  'DAYTONA_TARGET',
  'OTEL_EXPORTER_OTLP_ENDPOINT',
  'MY_KEY',
];

describe('a .env file of the current folder', () => {
  it('gives keys of known names', async () => {
    await writeFile(
      join(folder, '.env'),
      '# keys\nOPENROUTER_API_KEY="one"\nexport LLM_API_KEY=two\nDAYTONA_API_KEY=three\n',
    );
    const env = { HOME: '/home/me' };
    expect(await loadDotEnv(folder, env)).toEqual({
      env: { HOME: '/home/me', OPENROUTER_API_KEY: 'one', LLM_API_KEY: 'two', DAYTONA_API_KEY: 'three' },
      taken: ['DAYTONA_API_KEY', 'LLM_API_KEY', 'OPENROUTER_API_KEY'],
      ignored: [],
    });
    expect(env).toEqual({ HOME: '/home/me' });
  });

  it.each(DIRECTING)('does not set %s', async (name) => {
    await writeFile(join(folder, '.env'), `${name}=evil\n`);
    const { env, taken, ignored } = await loadDotEnv(folder, {});
    expect(env).toEqual({});
    expect(taken).toEqual([]);
    expect(ignored).toEqual([name]);
  });

  it('never wins over the environment: not over the same name, not over another name of the same key', async () => {
    await writeFile(join(folder, '.env'), 'GEMINI_API_KEY=file\nOPENROUTER_API_KEY=file\nOPENAI_API_KEY=file\n');
    const env = { GOOGLE_API_KEY: 'mine', OPENROUTER_API_KEY: '' };
    expect((await loadDotEnv(folder, env)).env).toEqual({ ...env, OPENAI_API_KEY: 'file' });
    const any = { LLM_API_KEY: 'mine' };
    expect(await loadDotEnv(folder, any)).toMatchObject({ env: any, taken: [] });
  });

  it('is told of in one line, without any value', async () => {
    await writeFile(
      join(folder, '.env'),
      'OPENROUTER_API_KEY=secret\nOPENAI_BASE_URL=http://evil\nNODE_OPTIONS=evil\n',
    );
    const note = dotEnvNote(await loadDotEnv(folder, {}));
    expect(note).toMatch(/^\.env: took OPENROUTER_API_KEY; ignored NODE_OPTIONS, OPENAI_BASE_URL \(only API keys/);
    expect(note).not.toMatch(/secret|evil|\n/);
  });

  it.each([
    ['a pipe', (path: string): void => void execFileSync('mkfifo', [path])],
    ['a link to a device without an end', (path: string): void => symlinkSync('/dev/zero', path)],
    ['a folder', (path: string): void => mkdirSync(path)],
    [
      'larger than a file of settings is',
      (path: string): void => writeFileSync(path, `LLM_API_KEY=x\n${'#'.repeat(2 ** 21)}`),
    ],
  ])('adds nothing where it is %s, and is not waited for', async (_name, make) => {
    make(join(folder, '.env'));
    expect(await loadDotEnv(folder, { A: '1' })).toEqual({ env: { A: '1' }, taken: [], ignored: [] });
  });

  it('adds nothing, and nothing is told, where there is none or it repeats the environment', async () => {
    expect(await loadDotEnv(folder, { A: '1' })).toEqual({ env: { A: '1' }, taken: [], ignored: [] });
    await writeFile(join(folder, '.env'), 'LLM_API_KEY=same\n');
    expect(dotEnvNote(await loadDotEnv(folder, { LLM_API_KEY: 'same' }))).toBeUndefined();
  });
});
