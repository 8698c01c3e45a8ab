import { describe, expect, it } from 'vitest';
import { ConfigError } from '../../src/config/config-error.ts';
import { loadConfig, parseConfig } from '../../src/config/load-config.ts';
import { DEFAULT_CONFIG, type RunConfig } from '../../src/domain/config.ts';

type Overrides = Parameters<typeof loadConfig>[0]['overrides'];

function load(text: string, overrides: Overrides = {}): RunConfig {
  return loadConfig({ files: [{ path: 'config.yaml', text, folder: '/home/me' }], overrides }).config;
}

function problems(text: string, overrides: Overrides = {}): string[] {
  try {
    loadConfig({ files: [{ path: 'my.yaml', text, folder: '/home/me' }], overrides });
  } catch (error) {
    if (error instanceof ConfigError) {
      return error.problems.map(({ source, line, column, message }) => `${source}:${line}:${column}: ${message}`);
    }
    throw error;
  }
  return [];
}

describe('loadConfig', () => {
  it.each(['', '# nothing\n', '{}', 'model:\nrlm:\n  max_cost:\n  max_iterations: ~\n'])(
    'fills in every default: %j',
    (text) => {
      expect(load(text)).toStrictEqual(DEFAULT_CONFIG);
    },
  );

  it('takes what the file says', () => {
    const text = [
      'model:',
      '  name: openai/gpt-5',
      '  by_depth: {1: anthropic/claude, 2: gemini/flash}',
      '  prices:',
      '    openai/gpt-5: {input: 1.25, output: 10}',
      '  base_url: http://127.0.0.1:9/v1',
      'rlm: {max_depth: 0, max_cost: 0.5, on_error: fail}',
      'temporal: {address: "[::1]:7233"}',
    ].join('\n');
    expect(load(text)).toStrictEqual({
      ...DEFAULT_CONFIG,
      model: {
        check: true,
        name: 'openai/gpt-5',
        by_depth: { '1': 'anthropic/claude', '2': 'gemini/flash' },
        prices: { 'openai/gpt-5': { input: 1.25, output: 10 } },
        base_url: 'http://127.0.0.1:9/v1',
        timeout: 600,
        max_attempts: 10,
      },
      rlm: { ...DEFAULT_CONFIG.rlm, max_depth: 0, max_cost: 0.5, on_error: 'fail' },
      temporal: { ...DEFAULT_CONFIG.temporal, address: '[::1]:7233' },
    });
  });

  it('takes the unix socket of a Temporal server', () => {
    expect(load('temporal: {address: "unix:///run/temporal.sock"}').temporal.address).toBe('unix:///run/temporal.sock');
  });

  it('lets the command line win, setting by setting', () => {
    const config = load('rlm: {max_iterations: 3, max_depth: 2}', {
      rlm: { max_iterations: 7, max_cost: undefined },
      temporal: { task_queue: 'mine' },
    });
    expect(config.rlm).toMatchObject({ max_iterations: 7, max_depth: 2 });
    expect(config.rlm).not.toHaveProperty('max_cost');
    expect(config.temporal.task_queue).toBe('mine');
  });
});

describe('a mistake', () => {
  it('is named with file, line and column, all of them at once', () => {
    const text = ['rlm:', '  max_iterations: "50"', '  max_cost: -1', 'sandbox:', '  memory_mb: 1', 'modle: {}'].join(
      '\n',
    );
    expect(problems(text)).toEqual([
      'my.yaml:2:19: rlm.max_iterations must be a whole number of at least 1, but is the text "50".',
      'my.yaml:3:13: rlm.max_cost must be a number above 0, but is -1.',
      'my.yaml:5:14: sandbox.memory_mb must be a whole number of at least 64, but is 1.',
      'my.yaml:6:1: modle is not a setting. Did you mean model?',
    ]);
  });

  it.each<[string, string]>([
    ['rlm: {max_iteration: 3}', 'my.yaml:1:7: rlm.max_iteration is not a setting. Did you mean max_iterations?'],
    ['max_sandboxes: 3', 'my.yaml:1:1: max_sandboxes is not a setting. It belongs under rlm:'],
    ['storage: {colour: red}', 'my.yaml:1:11: storage.colour is not a setting. Known here: driver, path, bucket'],
    ['storage: {driver: s3}', 'my.yaml:1:1: storage.bucket is missing: it must be text.'],
    ['storage: {bucket: b}', 'my.yaml:1:19: storage.bucket is for `driver: s3`, but is the text "b".'],
    ['storage: {driver: s3, bucket: b, path: p}', 'my.yaml:1:40: storage.path is for `driver: file`; for a bucket'],
    ['storage: {access_key_id: k}', 'my.yaml:1:11: storage.access_key_id is not a setting. Credentials are read from'],
    ['model: {api_key: k}', 'my.yaml:1:9: model.api_key is not a setting. Keys are read from the environment'],
    ['rlm: 3', 'my.yaml:1:6: rlm must be a section of settings, but is 3.'],
    ['[1]', 'my.yaml:1:1: the configuration must be a section of settings, but is a list.'],
    ['rlm: {max_sandboxes: 0}', 'my.yaml:1:22: rlm.max_sandboxes must be a whole number of at least 1, but is 0.'],
    ['rlm: {max_parallel: 501}', 'my.yaml:1:21: rlm.max_parallel must be a whole number from 1 to 500, but is 501.'],
    ['rlm: {max_depth: 1.5}', 'my.yaml:1:18: rlm.max_depth must be a whole number of at least 0, but is 1.5.'],
    ['rlm: {global_timeout: .nan}', 'my.yaml:1:23: rlm.global_timeout must be a number above 0'],
    ['rlm: {on_error: pasue}', 'my.yaml:1:17: rlm.on_error must be one of pause, fail, but is the text "pasue". Did'],
    ['model: {name: " "}', 'my.yaml:1:15: model.name must not be empty.'],
    ['model: {name: [a]}', 'my.yaml:1:15: model.name must be text, but is a list.'],
    [
      'model: {temperature: hot}',
      'my.yaml:1:22: model.temperature must be a number from 0 to 2, but is the text "hot"',
    ],
    ['model: {timeout: 0}', 'my.yaml:1:18: model.timeout must be a number above 0'],
    ['model: {base_url: host}', 'my.yaml:1:19: model.base_url must be an http or https address'],
    ['model: {by_depth: {one: a}}', 'my.yaml:1:20: model.by_depth.one: its name must be a depth'],
    ['model: {prices: {m: {input: 1}}}', 'my.yaml:1:18: model.prices.m.output is missing: it must be a number'],
    ['temporal: {address: localhost}', 'my.yaml:1:21: temporal.address must be host:port'],
    ['temporal: {address: "unix://relative"}', 'my.yaml:1:21: temporal.address must be host:port'],
    ['a: &x {max_iterations: 0}\nrlm: *x', 'my.yaml:1:24: rlm.max_iterations must be a whole number'],
  ])('%s', (text, expected) => {
    expect(problems(text).some((problem) => problem.startsWith(expected))).toBe(true);
  });

  it.each<[string, string]>([
    ['rlm: {max_cost: 1', 'my.yaml:1:'],
    ['rlm:\n\tmax_cost: 1', 'my.yaml:2:1: Tabs are not allowed'],
    ['rlm: {}\nrlm: {}', 'my.yaml:2:1: Map keys must be unique'],
    ['rlm: {}\n---\nrlm: {}', 'my.yaml:2:1: the file holds several documents; keep one'],
    ['rlm: !python/object {}', 'my.yaml:1:6: Unresolved tag'],
  ])('that is not even YAML: %j', (text, expected) => {
    expect(problems(text)[0]).toContain(expected);
  });

  it('of the command line is said to be one', () => {
    expect(problems('rlm: {max_cost: 3}', { rlm: { max_cost: -3 } })).toEqual([
      'command line:undefined:undefined: rlm.max_cost must be a number above 0, but is -3.',
    ]);
  });

  it('never quotes what may be a key', () => {
    for (const text of [
      'model: {api_key_env: gsk_0123456789}',
      'repository: {token_env: ghp_0123456789}',
      'model: {base_url: "https://user:sk-0123456789@host/v1"}',
      'model: {api_key: sk-0123456789}',
    ]) {
      const [problem] = problems(text);
      expect(problem).toBeDefined();
      expect(problem).not.toContain('0123456789');
    }
  });

  it('is one readable message and of the type Input.Invalid', () => {
    expect(() => load('a: 1\nb: 2')).toThrow(
      expect.objectContaining({
        type: 'Input.Invalid',
        message: expect.stringMatching(
          /^the configuration has 2 problems:\nconfig\.yaml:1:1: a .*\nconfig\.yaml:2:1: b /,
        ),
      }),
    );
  });
});

describe('parseConfig', () => {
  it('checks a value that came from no file', () => {
    expect(parseConfig({})).toStrictEqual(DEFAULT_CONFIG);
    expect(parseConfig(DEFAULT_CONFIG)).toStrictEqual(DEFAULT_CONFIG);
    expect(() => parseConfig({ rlm: { max_depth: -1 } })).toThrow(
      /^rlm\.max_depth must be a whole number of at least 0, but is -1\.$/,
    );
    expect(() => parseConfig('text')).toThrow(ConfigError);
  });
});
