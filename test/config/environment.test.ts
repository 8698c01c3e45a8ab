import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { cacheDirectory, stateDirectory } from '../../src/config/directories.ts';
import { loadDotEnv } from '../../src/config/dot-env.ts';
import { readConfigFile } from '../../src/config/read-config-file.ts';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'config-'));
});

afterEach(async () => {
  await chmod(folder, 0o700);
  await rm(folder, { recursive: true });
});

describe('readConfigFile', () => {
  it('takes config.yaml of the folder when there is one', async () => {
    expect(await readConfigFile(undefined, folder)).toBeUndefined();
    await writeFile(join(folder, 'config.yaml'), 'rlm: {}');
    expect(await readConfigFile(undefined, folder)).toEqual({ path: 'config.yaml', text: 'rlm: {}' });
  });

  it('insists on a file that was named', async () => {
    await expect(readConfigFile('other.yaml', folder)).rejects.toThrow('other.yaml: there is no such file');
    await expect(readConfigFile('.', folder)).rejects.toThrow('.: it cannot be read (EISDIR)');
  });
});

describe('loadDotEnv', () => {
  it('adds what is not set yet, and leaves the given environment as it is', async () => {
    await writeFile(join(folder, '.env'), 'A=from file\nB="quoted"\n# comment\nexport C=exported\nD=file');
    const env = { A: 'set', D: '' };
    expect(await loadDotEnv(folder, env)).toEqual({ A: 'set', B: 'quoted', C: 'exported', D: '' });
    expect(env).toEqual({ A: 'set', D: '' });
    await writeFile(join(folder, '.env'), 'DAYTONA_API_KEY=mine\nDAYTONA_API_URL=https://somewhere.else/api');
    expect(await loadDotEnv(folder, {}), 'where keys are sent').toEqual({ DAYTONA_API_KEY: 'mine' });
  });

  it('adds nothing without a file', async () => {
    expect(await loadDotEnv(folder, { A: '1' })).toEqual({ A: '1' });
  });
});

describe('directories', () => {
  it('follow our own variables, then the XDG ones, then the defaults', () => {
    const xdg = { HOME: '/home/me', XDG_STATE_HOME: '/xdg/state', XDG_CACHE_HOME: '/xdg/cache' };
    expect(stateDirectory({ ...xdg, DURABLE_RLM_STATE: '/own' })).toBe('/own');
    expect(cacheDirectory({ ...xdg, DURABLE_RLM_CACHE: 'here' })).toBe(resolve('here'));
    expect([stateDirectory(xdg), cacheDirectory(xdg)]).toEqual(['/xdg/state/durable-rlm', '/xdg/cache/durable-rlm']);
    const home = { HOME: '/home/me', XDG_STATE_HOME: 'relative', XDG_CACHE_HOME: '' };
    expect(stateDirectory(home)).toBe('/home/me/.local/state/durable-rlm');
    expect(cacheDirectory(home)).toBe('/home/me/.cache/durable-rlm');
    expect(stateDirectory({})).toBe(join(homedir(), '.local', 'state', 'durable-rlm'));
  });
});
