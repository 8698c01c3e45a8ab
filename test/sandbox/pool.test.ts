import { renameSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sweep } from '../../src/sandbox/sweep.ts';
import { createLocalProvider, type LocalProvider } from '../../src/sandbox/local/index.ts';
import type { SandboxHandle } from '../../src/domain/sandbox.ts';
import type { SandboxRequest } from '../../src/sandbox/provider.ts';
import { LABELS, makeRepository, sandboxRequest, shell, temporaryFolder, type TestRepository } from './fixtures.ts';

describe('sandboxes kept ready', { timeout: 60_000 }, () => {
  const folder = temporaryFolder();
  const logged: string[] = [];
  let repository: TestRepository;
  let provider: LocalProvider;
  let other: LocalProvider;

  beforeAll(() => {
    repository = makeRepository(`${folder.path}/repository`, { 'a.txt': 'a\n' });
    const options = { stateDirectory: `${folder.path}/state`, cacheDirectory: `${folder.path}/cache` };
    provider = createLocalProvider({ ...options, log: (line) => logged.push(line) });
    other = createLocalProvider({ ...options, log: (line) => logged.push(line) });
  });
  afterAll(async () => {
    await other.close();
    for (const { handle } of await provider.list()) await provider.destroy(handle);
    await provider.close();
    folder.remove();
    expect(logged).toEqual([]);
  });

  const request = (run: string, agent: string, pool = 3, more: Partial<SandboxRequest> = {}): SandboxRequest =>
    sandboxRequest(`rlm-${run}-${agent}`, repository, { labels: { ...LABELS, run, agent }, pool, ...more });
  const ids = async (run: string): Promise<string[]> =>
    (await provider.list()).filter(({ labels }) => labels.run === run).map(({ handle }) => handle.id);
  const spares = async (run: string): Promise<string[]> =>
    (await ids(run)).filter((id) => id.includes('-spare-')).toSorted();
  const ready = async (run: string, count: number): Promise<string[]> => {
    const running = async (): Promise<string[]> => {
      const found = await spares(run);
      const there = await Promise.all(
        found.map((id) => provider.connect({ provider: 'local', id, generation: 0 }).then(Boolean, () => false)),
      );
      return found.filter((_, place) => there[place]);
    };
    await expect.poll(async () => (await running()).length, { timeout: 20_000 }).toBe(count);
    return running();
  };
  const firstProcess = async (handle: SandboxHandle): Promise<string> =>
    shell(await provider.connect(handle), 'tr "\\0" "\\n" < /proc/1/cmdline | grep -o "[^/]*/kernel-"');

  it('are given to the next agents of the run, each to one, whichever worker asks', async () => {
    await provider.create(request('claimed', '0'));
    const made = await ready('claimed', 3);
    const handles = await Promise.all([
      provider.create(request('claimed', '0.1')),
      other.create(request('claimed', '0.2')),
      provider.create(request('claimed', '0.3')),
      other.create(request('claimed', '0.4')),
    ]);
    const origins = await Promise.all(handles.map(firstProcess));
    expect(new Set(origins).size).toBe(4);
    for (const id of made) expect(origins).toContain(`${id}/kernel-\n`);
    expect(handles.map(({ id }) => id)).toEqual([1, 2, 3, 4].map((agent) => `rlm-claimed-0.${agent}.g0`));
    const listed = await provider.list();
    expect(listed.find(({ handle }) => handle.id === 'rlm-claimed-0.1.g0')?.labels.agent).toBe('0.1');
    for (const handle of handles) {
      const sandbox = await other.connect(handle);
      expect(await shell(sandbox, `cat a.txt; git status -s; echo ${handle.id} > mine`)).toBe('a\n');
      expect(await sandbox.kernel.info()).toMatchObject({ generation: 0, block: 0, status: 'new' });
    }
    const again = await provider.create(request('claimed', '0.1'));
    expect(await shell(await provider.connect(again), 'cat mine')).toBe('rlm-claimed-0.1.g0\n');
  });

  it('are made anew when they have been given away, and end with the root agent, none left', async () => {
    await provider.create(request('ended', '0', 2));
    await ready('ended', 2);
    const { id } = await provider.create(request('ended', '0.1', 2));
    await ready('ended', 2);
    await provider.destroy({ id });
    await ready('ended', 2);
    await provider.destroy({ id: 'rlm-ended-0.g0' });
    expect(await ids('ended')).toEqual([]);
    // One whose parent has ended begins nothing new.
    await provider.create(request('ended', '0.2', 2));
    expect(await ids('ended')).toEqual(['rlm-ended-0.2.g0']);
  });

  it('belong to the agent that was given one also when its worker died that moment', async () => {
    await provider.create(request('torn', '0', 1));
    const [spare = ''] = await ready('torn', 1);
    const directory = `${folder.path}/state/sandboxes`;
    renameSync(`${directory}/${spare}`, `${directory}/rlm-torn-0.1.g0`);
    const handle = await other.create(request('torn', '0.1', 1));
    expect(await firstProcess(handle)).toBe(`${spare}/kernel-\n`);
    const listed = (await provider.list()).find(({ handle: { id } }) => id === 'rlm-torn-0.1.g0');
    expect(listed?.labels.agent).toBe('0.1');
  });

  it('are not for other runs, other limits, or a sandbox made again', async () => {
    await provider.create(request('mine', '0', 1));
    const [spare = ''] = await ready('mine', 1);
    const foreign = [
      request('yours', '0', 1),
      request('mine', '0.1', 1, { memory_mb: 600 }),
      request('mine', '0.2', 1, { generation: 1 }),
      request('mine', '0.3', 0),
    ];
    for (const each of foreign) expect(await firstProcess(await provider.create(each))).not.toBe(`${spare}/kernel-\n`);
    expect(await spares('mine')).toContain(spare);
  });

  it('are renewed and removed by the sweep as their root agent is', async () => {
    await provider.create(request('swept', '0', 2));
    await ready('swept', 2);
    await provider.close();
    const ours = { provider: other, cluster: LABELS.cluster, namespace: LABELS.namespace, log: () => undefined };
    await sweep({ ...ours, isOpen: () => Promise.resolve(true) });
    expect(await ids('swept')).toHaveLength(3);
    await sweep({ ...ours, isOpen: ({ run }) => Promise.resolve(run !== 'swept') });
    expect(await ids('swept')).toEqual([]);
  });
});
