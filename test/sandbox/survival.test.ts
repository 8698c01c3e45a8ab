import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findMarked, type ProcessIdentity } from '../../src/sandbox/host/processes.ts';
import { createLocalProvider, type LocalProvider } from '../../src/sandbox/local/index.ts';
import { sweep } from '../../src/sandbox/sweep.ts';
import { sized } from '../sizes.ts';
import { makeRepository, sandboxRequest, shell, temporaryFolder, type TestRepository } from './fixtures.ts';

const WORKER = fileURLToPath(new URL('create-until-killed.ts', import.meta.url));
const WORKERS_KILLED = sized(2, 6);
const LAUNCHERS_KILLED = sized(4, 14);

/** The same numbers each time: a failure can be repeated. */
function randomNumbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    return state / 2_147_483_648;
  };
}

describe('local sandboxes', () => {
  const folder = temporaryFolder();
  const directories = { stateDirectory: `${folder.path}/state`, cacheDirectory: `${folder.path}/cache` };
  let provider: LocalProvider;
  let repository: TestRepository;

  beforeAll(async () => {
    repository = makeRepository(`${folder.path}/repository`, { 'a.txt': 'a\n' });
    provider = createLocalProvider(directories);
    await provider.checkIsolation();
  });
  afterAll(async () => {
    for (const { handle } of await provider.list()) await provider.destroy(handle);
    await provider.close();
    folder.remove();
  });

  interface Worker {
    readonly process: ChildProcess;
    readonly launcher: number;
    /** The next line it prints. */
    next(): Promise<string>;
    kill(): Promise<void>;
  }

  const startWorker = async (name: string, count: number): Promise<Worker> => {
    const { stateDirectory, cacheDirectory } = directories;
    const given = [stateDirectory, cacheDirectory, repository.path, repository.commit, name, String(count)];
    const child = spawn(process.execPath, [WORKER, ...given], { stdio: ['pipe', 'pipe', 'inherit'] });
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    const next = async (): Promise<string> => String((await lines.next()).value);
    const launcher = Number((await next()).split(' ')[1]);
    return {
      process: child,
      launcher,
      next,
      kill: async () => {
        const ended = child.exitCode === null && child.signalCode === null ? once(child, 'exit') : undefined;
        child.kill('SIGKILL');
        await ended;
      },
    };
  };

  const processesWith = (commandLine: readonly string[]): ProcessIdentity[] =>
    findMarked({ commandLine, environment: [] });

  it('survive kill -9 of the worker that made them, and of its launcher', async () => {
    const worker = await startWorker('survivor', 2);
    worker.process.stdin?.write('go\n');
    const [, ...ids] = (await worker.next()).split(' ');
    await worker.kill();
    killIfThere(worker.launcher);
    expect(ids).toHaveLength(2);
    for (const id of ids) {
      const sandbox = await provider.connect({ provider: 'local', id, generation: 0 });
      expect(await shell(sandbox, 'cat a.txt')).toBe('a\n');
      await provider.destroy({ id });
    }
  });

  it('are made by a new launcher when the first was killed', async () => {
    const first = await provider.create(sandboxRequest('before', repository));
    const launcher = provider.launcherPid;
    killIfThere(launcher);
    await expect.poll(() => provider.launcherPid).not.toBe(launcher);
    const second = await provider.create(sandboxRequest('after', repository));
    for (const handle of [first, second]) {
      expect(await shell(await provider.connect(handle), 'cat a.txt')).toBe('a\n');
      await provider.destroy(handle);
    }
  });

  it(`leave nothing when their worker is killed at ${WORKERS_KILLED} random moments while it makes them`, async () => {
    const random = randomNumbers(20_240_101);
    for (let round = 0; round < WORKERS_KILLED; round += 1) {
      const worker = await startWorker(`round-${round}`, 6);
      worker.process.stdin?.write('go\n');
      // The moments are the test's subject: nothing is waited for here.
      await delay(random() * 120);
      await worker.kill();
      if (round % 2 === 0) killIfThere(worker.launcher);
      for (const { handle } of await provider.list()) await provider.destroy(handle);
      // A launcher that lives ends when its input does; what it was starting finds its folder gone.
      await expect.poll(() => existsSync(`/proc/${worker.launcher}/cmdline`), { timeout: 10_000 }).toBe(false);
      await expect.poll(() => processesWith([`/round-${round}-`]), { timeout: 10_000 }).toEqual([]);
      await provider.list();
      // A lock that was being taken is removed when it is a minute old.
      const left = readdirSync(`${directories.stateDirectory}/sandboxes`);
      expect(left.filter((name) => !name.startsWith('.holder-'))).toEqual([]);
    }
  }, 120_000);

  it(`leave nothing when their launcher is killed at ${LAUNCHERS_KILLED} random moments while it makes them`, async () => {
    const random = randomNumbers(7);
    const worker = createLocalProvider(directories);
    await worker.checkIsolation();
    for (let round = 0; round < LAUNCHERS_KILLED; round += 1) {
      // A new launcher for each round, warm.
      await worker.create(sandboxRequest(`warm-${round}`, repository));
      const names = Array.from({ length: 4 }, (_, place) => `lost-${round}-${place}`);
      const created = Promise.allSettled(names.map((name) => worker.create(sandboxRequest(name, repository))));
      await delay(random() * 60);
      killIfThere(worker.launcherPid);
      for (const [place, outcome] of (await created).entries()) {
        const id = `${names[place]}.g0`;
        // Made, or not there: nothing in between.
        if (outcome.status === 'fulfilled') await worker.connect(outcome.value);
        else expect(existsSync(`${directories.stateDirectory}/sandboxes/${id}`)).toBe(false);
      }
      for (const { handle } of await worker.list()) await worker.destroy(handle);
      await expect.poll(() => processesWith([`/lost-${round}-`]), { timeout: 10_000 }).toEqual([]);
    }
    await worker.close();
  }, 120_000);

  it('of which one process was killed are found lost, and leave nothing', async () => {
    const handle = await provider.create(sandboxRequest('broken', repository));
    const [monitor, first] = processesWith(['/broken.g0/']).toSorted((one, two) => one.pid - two.pid);
    if (monitor === undefined || first === undefined) throw new Error('it has no processes');
    process.kill(monitor.pid, 'SIGKILL');
    expect(await shell(await provider.connect(handle), 'cat a.txt')).toBe('a\n');
    process.kill(first.pid, 'SIGKILL');
    await expect
      .poll(() =>
        provider.connect(handle).then(
          () => 'there',
          (error: Error) => error.name,
        ),
      )
      .toBe('Sandbox.Lost');
    await provider.destroy(handle);
    expect(processesWith(['/broken.g0/'])).toEqual([]);
  });

  it('that a copied state folder names are left to their agents by the sweep, without a word', async () => {
    const request = sandboxRequest('copied', repository);
    const handle = await provider.create(request);
    const copy = `${folder.path}/copy`;
    execFileSync('cp', ['-a', directories.stateDirectory, copy]);
    const restored = createLocalProvider({ ...directories, stateDirectory: copy });
    const { cluster, namespace } = request.labels;
    const lines: string[] = [];
    const log = (line: string): number => lines.push(line);
    expect((await restored.list()).map((listing) => listing.handle.id)).toContain(handle.id);
    const swept = await sweep({ provider: restored, cluster, namespace, isOpen: () => Promise.resolve(true), log });
    expect([swept.removed, lines]).toEqual([0, []]);
    await restored.close();
    await provider.destroy(handle);
  });

  it('without isolation end with all that their code started, also what has left no trace', async () => {
    const handle = await provider.create(sandboxRequest('plain', repository, { isolation: 'none' }));
    const sandbox = await provider.connect(handle);
    const word = `sleeping-${process.pid}`;
    await shell(
      sandbox,
      `env -i setsid bash -c 'exec -a ${word}-1 sleep 600' >/dev/null 2>&1 </dev/null & (setsid bash -c 'exec -a ${word}-2 sleep 600' >/dev/null 2>&1 </dev/null &) ; sleep 0.1`,
    );
    await expect.poll(() => processesWith([word]).length).toBe(2);
    await provider.destroy(handle);
    expect(processesWith([word])).toEqual([]);
  });

  it('work below a path far longer than a socket may have', async () => {
    const deep = `${folder.path}/${'a-long-name-of-a-folder/'.repeat(8)}`;
    const long = createLocalProvider({ ...directories, stateDirectory: `${deep}state` });
    const handle = await long.create(sandboxRequest('x'.repeat(63), repository));
    expect(await shell(await long.connect(handle), 'cat a.txt')).toBe('a\n');
    await long.destroy(handle);
    await long.close();
  });

  it('of two state directories with the same name are two', async () => {
    const other = createLocalProvider({ ...directories, stateDirectory: `${folder.path}/other-state` });
    const request = sandboxRequest('same', repository);
    const [one, two] = await Promise.all([provider.create(request), other.create(request)]);
    await provider.destroy(one);
    expect(await shell(await other.connect(two), 'cat a.txt')).toBe('a\n');
    await other.destroy(two);
    await other.close();
  });
});

function killIfThere(pid: number | undefined): void {
  try {
    if (pid !== undefined) process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended.
  }
}
