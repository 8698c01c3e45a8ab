import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { cacheDirectory, stateDirectory } from '../../src/config/directories.ts';
import { loadConfig } from '../../src/config/load-config.ts';
import { readConfigFiles } from '../../src/config/read-config-file.ts';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'config-'));
});

afterEach(async () => {
  await chmod(folder, 0o700);
  await rm(folder, { recursive: true });
});

describe('the files of a configuration', () => {
  const user = async (text: string): Promise<NodeJS.ProcessEnv> => {
    await mkdir(join(folder, 'own', 'durable-rlm'), { recursive: true });
    await writeFile(join(folder, 'own', 'durable-rlm', 'config.yaml'), text);
    return { XDG_CONFIG_HOME: join(folder, 'own') };
  };

  it('are the one of the current folder when there is one, which is known to be only found', async () => {
    const env = { HOME: join(folder, 'home') };
    expect(await readConfigFiles(undefined, { cwd: folder, env })).toEqual([]);
    await writeFile(join(folder, 'config.yaml'), 'rlm: {}');
    expect(await readConfigFiles(undefined, { cwd: folder, env })).toEqual([
      { path: 'config.yaml', text: 'rlm: {}', folder, origin: 'found' },
    ]);
  });

  it("are the user's own below the one that is named", async () => {
    const env = await user('rlm: {max_cost: 1}');
    await writeFile(join(folder, 'other.yaml'), 'rlm: {max_depth: 1}');
    const files = await readConfigFiles('other.yaml', { cwd: folder, env });
    expect(files.map(({ origin }) => origin)).toEqual(['user', 'named']);
    expect(loadConfig({ files }).config.rlm).toMatchObject({ max_cost: 1, max_depth: 1 });
    expect(loadConfig({ files }).given).toEqual({ rlm: { max_cost: 1, max_depth: 1 } });
  });

  it("are not read twice in the user's configuration folder", async () => {
    const env = await user('model: {base_url: "http://localhost:1"}');
    const files = await readConfigFiles(undefined, { cwd: join(folder, 'own', 'durable-rlm'), env });
    expect(files.map(({ origin }) => origin)).toEqual(['user']);
  });

  it('must be there where one is named', async () => {
    const place = { cwd: folder, env: { HOME: folder } };
    await expect(readConfigFiles('other.yaml', place)).rejects.toThrow('other.yaml: there is no such file');
    await expect(readConfigFiles('.', place)).rejects.toThrow('.: it cannot be read (EISDIR)');
  });

  it('name paths relative to themselves, not to the folder that a command is typed in', async () => {
    await mkdir(join(folder, 'mine'));
    await writeFile(
      join(folder, 'mine', 'my.yaml'),
      'storage: {path: runs}\ntools: {files: [tools.mjs, /abs.mjs], mcp: {one: {command: npx, args: [server]}, two: {command: x, cwd: sub}, three: {url: "http://h"}}}',
    );
    const files = await readConfigFiles('mine/my.yaml', { cwd: folder, env: { HOME: folder } });
    const { storage, tools } = loadConfig({ files }).config;
    expect(storage.path).toBe(join(folder, 'mine', 'runs'));
    expect(tools.files).toEqual([join(folder, 'mine', 'tools.mjs'), '/abs.mjs']);
    expect(Object.values(tools.mcp).map(({ cwd }) => cwd)).toEqual([
      join(folder, 'mine'),
      join(folder, 'mine', 'sub'),
      undefined,
    ]);
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
