import { describe, expect, it } from 'vitest';
import {
  checkArguments,
  differences,
  newRunId,
  portableConfig,
  repositoryTitle,
  runIdentity,
  type RunIdentity,
} from '../../src/client/run-arguments.ts';
import { DEFAULT_CONFIG, type RunConfig } from '../../src/domain/config.ts';
import { runIdProblem } from '../../src/domain/ids.ts';

const HERE = { kind: 'path', path: '/some/where/project' } as const;
const NOW = new Date('2026-12-07T15:30:12Z');

describe('the digest of arguments', () => {
  const identity = (prompt: string, config: RunConfig = DEFAULT_CONFIG, branch?: string): Promise<RunIdentity> =>
    runIdentity({ repo: 'project', prompt, ...(branch === undefined ? {} : { branch }) }, HERE, config);
  const digest = async (...args: Parameters<typeof identity>): Promise<string> => (await identity(...args)).digest;

  it('is the same for the same run, wherever blobs and Temporal are', async () => {
    const elsewhere: RunConfig = {
      ...DEFAULT_CONFIG,
      storage: { driver: 'file', path: '/elsewhere' },
      temporal: { ...DEFAULT_CONFIG.temporal, address: 'host:7233' },
    };
    expect(await digest('Do it', elsewhere)).toBe(await digest('Do it'));
  });

  it('is another for another prompt, branch or setting', async () => {
    const other: RunConfig = { ...DEFAULT_CONFIG, rlm: { ...DEFAULT_CONFIG.rlm, max_sandboxes: 3 } };
    const digests = [await digest('a'), await digest('b'), await digest('a', other), await digest('a', undefined, 'x')];
    expect(new Set(digests).size).toBe(4);
  });

  it('tells what differs, each by its name, and what is long by its name alone', async () => {
    const other: RunConfig = { ...DEFAULT_CONFIG, rlm: { ...DEFAULT_CONFIG.rlm, max_sandboxes: 3 } };
    const [a, b] = [await identity('Do it'), await identity('Do that', other, 'x')];
    expect(differences(a.parts, a.parts)).toEqual([]);
    expect(differences(a.parts, b.parts)).toEqual([
      'prompt ("Do it" then, "Do that" now)',
      'branch ("x" now, not given then)',
      'rlm.max_sandboxes (3 now, not given then)',
    ]);
    const long = await identity('Do it '.repeat(50));
    expect(long.parts['prompt']).toMatch(/^sha256:/);
    expect(differences(a.parts, long.parts)).toEqual(['prompt']);
  });
});

describe('the configuration that travels', () => {
  it('holds only what is not the default, so that workers of other versions understand it', () => {
    const config: RunConfig = {
      ...DEFAULT_CONFIG,
      model: { ...DEFAULT_CONFIG.model, prices: { m: { input: 1, output: 2 } } },
      rlm: { ...DEFAULT_CONFIG.rlm, max_cost: 5 },
    };
    expect(portableConfig(DEFAULT_CONFIG)).toEqual({});
    expect(portableConfig(config)).toEqual({
      model: { prices: { m: { input: 1, output: 2 } } },
      rlm: { max_cost: 5 },
    });
  });
});

describe('a run id that is made up', () => {
  it.each([
    [HERE, 'project-1207-153012-'],
    [{ kind: 'url', url: 'https://example.com/scikit-learn/scikit-learn.git' }, 'scikit-learn-1207-153012-'],
    [{ kind: 'url', url: 'git@example.com:group/My Repo' }, 'My-Repo-1207-153012-'],
    [{ kind: 'path', path: '/' }, 'run-1207-153012-'],
    [{ kind: 'path', path: '/home/.dotfiles/' }, 'dotfiles-1207-153012-'],
    [{ kind: 'path', path: `/${'é'.repeat(300)}x` }, 'x-1207-153012-'],
  ] as const)('%o', (repository, beginning) => {
    const id = newRunId(repositoryTitle(repository), NOW, () => 0.5);
    expect(id).toBe(`${beginning}i000`);
    expect(runIdProblem(id)).toBeUndefined();
  });
});

describe('checking', () => {
  it('refuses an empty prompt and a wrong id', () => {
    expect(() => checkArguments({ repo: '.', prompt: ' \n' })).toThrow('The prompt is empty');
    expect(() => checkArguments({ repo: '.', prompt: 'x', id: 'a/b' })).toThrow('cannot be a run id');
    expect(() => checkArguments({ repo: '.', prompt: 'x', id: 'a.b:c@d+e_f-1' })).not.toThrow();
  });
});
