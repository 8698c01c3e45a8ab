import { describe, expect, it } from 'vitest';
import { parseConfig } from '../../src/config/load-config.ts';
import type { ConfigInput } from '../../src/config/schema.ts';
import { authorize, refusalMessage, type RequestedRepository, type Verdict } from '../../src/domain/authorize.ts';
import type { RunConfig } from '../../src/domain/config.ts';

/** What a worker with a configuration says to the input of a run. */
function ask(worker: ConfigInput, input: object, repository?: RequestedRepository): Verdict {
  const own = parseConfig(worker);
  const { model, rlm, sandbox } = own;
  const config = parseConfig(input, { model, rlm, sandbox });
  const given = input as Parameters<typeof authorize>[0]['given'];
  return authorize(
    { given, config, ...(repository === undefined ? {} : { repository }) },
    { own, folders: own.worker.allow.folders },
  );
}

function refused(verdict: Verdict): string[] {
  return verdict.kind === 'refused' ? verdict.refusals.map(({ setting }) => setting) : [];
}

function configOf(verdict: Verdict): RunConfig {
  if (verdict.kind === 'refused') throw new Error(refusalMessage(verdict.refusals, 'here'));
  return verdict.config;
}

const URL = { kind: 'url', url: 'https://github.com/acme/tool.git' } as const;
const FOREIGN = 'http://127.0.0.1:9/v1';

/** What an input asks for, and the worker's configuration that allows it. */
const ASKED: readonly (readonly [
  setting: string,
  input: object,
  allows: ConfigInput,
  repository?: RequestedRepository,
])[] = [
  [
    'model.base_url',
    { model: { base_url: FOREIGN } },
    { worker: { allow: { endpoints: [{ base_url: `${FOREIGN}/` }] } } },
  ],
  ['model.base_url', { model: { base_url: FOREIGN } }, { model: { base_url: FOREIGN } }],
  [
    'model.api_key_env',
    { model: { api_key_env: 'AWS_SECRET_ACCESS_KEY' } },
    { worker: { allow: { api_key_envs: ['AWS_SECRET_ACCESS_KEY'] } } },
  ],
  ['sandbox.isolation', { sandbox: { isolation: 'none' } }, { worker: { allow: { isolation_none: true } } }],
  ['sandbox.isolation', { sandbox: { isolation: 'none' } }, { sandbox: { isolation: 'none' } }],
  ['sandbox.provider', { sandbox: { provider: 'daytona' } }, { worker: { allow: { sandbox_providers: ['daytona'] } } }],
  ['sandbox.python', { sandbox: { python: '/tmp/python' } }, { worker: { allow: { python: ['/tmp/python'] } } }],
  ['sandbox.setup', { sandbox: { setup: ['make'] } }, { worker: { allow: { setup: true } } }],
  ['sandbox.setup', { sandbox: { setup: ['make'] } }, { sandbox: { setup: ['make'] } }],
  ['sandbox.setup_env', { sandbox: { setup_env: ['TOKEN'] } }, { worker: { allow: { setup_env: ['TOKEN'] } } }],
  ['sandbox.daytona.image', { sandbox: { daytona: { image: 'any' } } }, { worker: { allow: { daytona: true } } }],
  ['repo', {}, { worker: { allow: { folders: ['/srv/git'] } } }, { kind: 'path', path: '/srv/git/tool' }],
  [
    'repo',
    {},
    { worker: { allow: { repositories: [{ url: 'ssh://github.com/acme' }] } } },
    { kind: 'url', url: 'git@github.com:acme/tool.git' },
  ],
  [
    'repository.token_env',
    { repository: { token_env: 'TOKEN' } },
    { worker: { allow: { repositories: [{ url: 'https://github.com/acme', token_env: 'TOKEN' }] } } },
    URL,
  ],
  ['rlm.max_cost', { rlm: { max_cost: 10 } }, { rlm: { max_cost: 10 } }],
  ['rlm.max_sandboxes', { rlm: { max_sandboxes: 51 } }, { rlm: { max_sandboxes: 51 } }],
  ['rlm.global_timeout', { rlm: { global_timeout: 3601 } }, { rlm: { global_timeout: 7200 } }],
  ['rlm.max_llm_calls', { rlm: { max_llm_calls: 501 } }, { rlm: { max_llm_calls: 501 } }],
  ['sandbox.memory_mb', { sandbox: { memory_mb: 4096 } }, { sandbox: { memory_mb: 4096 } }],
  ['model.max_attempts', { model: { max_attempts: 11 } }, { model: { max_attempts: 11 } }],
];

describe('the input of a run that asks for what reaches further than its worker says', () => {
  it.each(ASKED.map((asked) => ({ asked, name: asked[0] })))('is refused by name: $name', ({ asked }) => {
    const [setting, input, , repository] = asked;
    const strict: ConfigInput = setting === 'rlm.max_cost' ? { rlm: { max_cost: 5 } } : {};
    const verdict = ask(strict, input, repository);
    expect(refused(verdict)).toEqual([setting]);
    expect(verdict.kind === 'refused' && refusalMessage(verdict.refusals, 'host-a')).toMatch(
      /^The worker on host-a does not allow .* To allow it, set /,
    );
  });

  it.each(ASKED.map((asked) => ({ asked, name: asked[0] })))(
    'is allowed by the setting that the refusal names: $name',
    ({ asked }) => {
      const [, input, allows, repository] = asked;
      expect(refused(ask(allows, input, repository))).toEqual([]);
    },
  );

  it('is told all of it at once', () => {
    const input = {
      model: { base_url: FOREIGN },
      sandbox: { isolation: 'none', setup: ['x'] },
      rlm: { max_sandboxes: 500 },
    };
    expect(refused(ask({}, input)).toSorted()).toEqual([
      'model.base_url',
      'rlm.max_sandboxes',
      'sandbox.isolation',
      'sandbox.setup',
    ]);
  });

  it.each([
    [{ storage: { path: '/tmp/else' } }, 'storage.path'],
    [{ tools: { files: ['/tmp/tool.mjs'] } }, 'tools.files'],
    [{ worker: { allow: { isolation_none: true } } }, 'worker.allow'],
    [{ temporal: { address: '127.0.0.1:1' } }, 'temporal.address'],
  ])('cannot bring what is the worker’s alone: %j', (input, setting) => {
    expect(refused(ask({}, input))).toEqual([setting]);
  });
});

describe('an input that is allowed', () => {
  it('has the worker’s values for what it does not name', () => {
    const worker: ConfigInput = {
      model: { name: 'vllm/mine', base_url: FOREIGN, api_key_env: 'MINE' },
      rlm: { max_cost: 5, max_sandboxes: 7 },
      sandbox: { isolation: 'none', setup: ['make'] },
    };
    const { model, rlm, sandbox } = configOf(ask(worker, { rlm: { max_sandboxes: 3 } }));
    expect(model).toMatchObject({ name: 'vllm/mine', base_url: FOREIGN, api_key_env: 'MINE' });
    expect(rlm).toMatchObject({ max_cost: 5, max_sandboxes: 3 });
    expect(sandbox).toMatchObject({ isolation: 'none', setup: ['make'] });
  });

  it('may name any known provider, be stricter, and write the defaults out', () => {
    const input = {
      model: { name: 'anthropic/claude', temperature: 0 },
      rlm: { max_cost: 1, on_error: 'fail', output_limit: 100 },
      sandbox: { isolation: 'bubblewrap', provider: 'local', memory_mb: 512 },
      temporal: { queues: 'separate' },
    };
    expect(refused(ask({}, input))).toEqual([]);
  });

  it('sends to an endpoint the key that is named for it, never the worker’s other one', () => {
    const other = 'http://127.0.0.1:10/v1';
    const worker: ConfigInput = {
      model: { base_url: FOREIGN, api_key_env: 'MINE' },
      worker: { allow: { endpoints: [{ base_url: other, api_key_env: 'THEIRS' }, { base_url: `${other}/free` }] } },
    };
    expect(configOf(ask(worker, { model: { base_url: other } })).model.api_key_env).toBe('THEIRS');
    expect(configOf(ask(worker, { model: { base_url: `${other}/free` } })).model.api_key_env).toBeUndefined();
    expect(refused(ask(worker, { model: { base_url: other, api_key_env: 'MINE' } }))).toEqual(['model.api_key_env']);
    expect(refused(ask(worker, { model: { api_key_env: 'THEIRS' } }))).toEqual(['model.api_key_env']);
  });

  it('cannot make a model cheaper than the worker knows it to be', () => {
    const prices = (input: number): ConfigInput => ({ model: { prices: { m: { input, output: 1 } } } });
    expect(configOf(ask(prices(3), prices(0))).model.prices).toEqual({ m: { input: 3, output: 1 } });
  });

  it.each([
    ['openai/m', 'm'],
    ['m', 'openai/m'],
    ['openai/m', 'OpenAI/m'],
    ['openrouter/acme/m', 'acme/m'],
  ])('nor by its other name: %s, which is also %s', (known, other) => {
    const prices = (name: string, input: number): ConfigInput => ({
      model: { prices: { [name]: { input, output: input } } },
    });
    expect(configOf(ask(prices(known, 3), prices(other, 0))).model.prices).toEqual({
      [known]: { input: 3, output: 3 },
    });
  });

  it('gets the worker’s token for the repositories that it is named for, and for no other', () => {
    const worker: ConfigInput = {
      repository: { token_env: 'OWN' },
      worker: { allow: { repositories: [{ url: 'https://github.com/acme', token_env: 'TOKEN' }] } },
    };
    const other = { kind: 'url', url: 'https://evil.example/acme/tool.git' } as const;
    expect(configOf(ask(worker, {}, URL)).repository).toEqual({ token_env: 'TOKEN' });
    expect(configOf(ask(worker, {}, other)).repository, 'no credentials at all').toEqual({ anonymous: true });
    expect(refused(ask(worker, { repository: { token_env: 'TOKEN' } }, other))).toEqual(['repository.token_env']);
  });

  it('keeps the worker’s network at Daytona where it names another image', () => {
    const worker: ConfigInput = {
      sandbox: { provider: 'daytona', daytona: { network_block_all: true, snapshot: 'mine' } },
      worker: { allow: { daytona: true } },
    };
    expect(configOf(ask(worker, { sandbox: { daytona: { image: 'other' } } })).sandbox.daytona).toEqual({
      network_block_all: true,
      image: 'other',
    });
  });

  it('names folders below those that are allowed, not beside them', () => {
    const worker: ConfigInput = { worker: { allow: { folders: ['/srv/git'] } } };
    expect(refused(ask(worker, {}, { kind: 'path', path: '/srv/git' }))).toEqual([]);
    expect(refused(ask(worker, {}, { kind: 'path', path: '/srv/git-private/tool' }))).toEqual(['repo']);
  });

  it('takes up runs of others, and those of the worker’s own user only where it may', () => {
    const take = (worker: ConfigInput, granted: boolean): Verdict => {
      const own = parseConfig(worker);
      return authorize({ given: {}, config: own, source: { run: 'theirs', granted } }, { own, folders: [] });
    };
    expect(refused(take({}, false))).toEqual([]);
    expect(refused(take({}, true))).toEqual(['fork']);
    expect(refused(take({ worker: { allow: { own_runs: true } } }, true))).toEqual([]);
  });

  it('cannot do without the approvals that the worker’s own configuration asks for', () => {
    const approve = (input: object): unknown => configOf(ask({ rlm: { approve: ['patch'] } }, input)).rlm.approve;
    expect(approve({})).toEqual(['patch']);
    expect(approve({ rlm: { approve: [] } })).toEqual(['patch']);
    expect(approve({ rlm: { approve: ['tools'] } })).toEqual(['patch', 'tools']);
  });
});
