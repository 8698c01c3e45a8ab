import { describe, expect, it } from 'vitest';
import {
  argumentsDigest,
  checkArguments,
  newRunId,
  portableConfig,
  repositoryTitle,
} from '../../src/client/run-arguments.ts';
import { DEFAULT_CONFIG, type RunConfig } from '../../src/domain/config.ts';
import { runIdProblem } from '../../src/domain/ids.ts';

const HERE = { kind: 'path', path: '/some/where/project' } as const;
const NOW = new Date('2026-12-07T15:30:12Z');

describe('the digest of arguments', () => {
  const digest = (prompt: string, config: RunConfig = DEFAULT_CONFIG, branch?: string): Promise<string> =>
    argumentsDigest({ repo: 'project', prompt, ...(branch === undefined ? {} : { branch }) }, HERE, config);

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
