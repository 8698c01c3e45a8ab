import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { SandboxHandle } from '../../src/domain/sandbox.ts';
import type { Sandbox, SandboxProvider, SandboxRequest } from '../../src/sandbox/provider.ts';
import { LABELS, makeRepository, sandboxRequest, shell, temporaryFolder, type TestRepository } from './fixtures.ts';

export interface ProviderUnderTest {
  readonly provider: SandboxProvider;
  /** Another worker's: the same sandboxes, seen from elsewhere. */
  readonly another: () => SandboxProvider;
  readonly isolation: SandboxRequest['isolation'];
  close(): Promise<void>;
}

/** What every provider must do. */
export function describeProvider(name: string, start: () => Promise<ProviderUnderTest>): void {
  describe(name, () => {
    const folder = temporaryFolder();
    let under: ProviderUnderTest;
    let repository: TestRepository;
    let count = 0;

    beforeAll(async () => {
      repository = makeRepository(`${folder.path}/repository`, {
        'README.md': '# A repository\n',
        'src/main.py': 'print("hello")\n',
        'run.sh': { executable: '#!/bin/sh\necho hello\n' },
      });
      under = await start();
    });

    afterAll(async () => {
      for (const { handle } of await under.provider.list()) await under.provider.destroy(handle);
      await under.close();
      folder.remove();
    });

    const request = (more: Partial<SandboxRequest> = {}): SandboxRequest => {
      count += 1;
      return sandboxRequest(`sandbox-${count}`, repository, { isolation: under.isolation, ...more });
    };
    let untouchedSandbox: Promise<[Sandbox, SandboxHandle]> | undefined;
    /** One for all who only look. */
    const untouched = (): Promise<[Sandbox, SandboxHandle]> => (untouchedSandbox ??= make({ idle_timeout: 3600 }));
    const make = async (more: Partial<SandboxRequest> = {}): Promise<[Sandbox, SandboxHandle]> => {
      const handle = await under.provider.create(request(more));
      return [await under.provider.connect(handle), handle];
    };

    describe('a new sandbox', () => {
      it('holds a clean clone of the commit, with its history', async () => {
        const [sandbox] = await untouched();
        expect(await shell(sandbox, 'git rev-parse HEAD')).toBe(`${repository.commit}\n`);
        expect(await shell(sandbox, 'git status --porcelain; cat README.md; ./run.sh')).toBe('# A repository\nhello\n');
        expect(await shell(sandbox, 'git log --format=%s; git remote; git blame -s src/main.py')).toContain('start\n');
      });

      it('has a kernel of its generation, ready for its first block', async () => {
        const [sandbox] = await make({ generation: 3 });
        expect(await sandbox.kernel.info()).toMatchObject({ generation: 3, block: 0, status: 'new' });
      });

      it('starts its commands in the clone', async () => {
        const [sandbox] = await untouched();
        expect(await shell(sandbox, 'pwd -P')).toBe(`${sandbox.workspace}\n`);
      });

      it('lets code change, rename and delete files, and commit', async () => {
        const [sandbox] = await make();
        await shell(
          sandbox,
          'echo more >> README.md; mv run.sh src/; rm src/main.py; mkdir new; touch new/x; git add -A; git commit -qm changed',
        );
        expect(await shell(sandbox, 'git status --porcelain; git log --format=%s')).toBe('changed\nstart\n');
      });

      it('without a repository has an empty folder', async () => {
        count += 1;
        const bare = sandboxRequest(`sandbox-${count}`, undefined, { isolation: under.isolation });
        const sandbox = await under.provider.connect(await under.provider.create(bare));
        expect(await shell(sandbox, 'ls -A; touch x; ls')).toBe('x\n');
        expect(await sandbox.patch()).toEqual({ bytes: new Uint8Array(), notes: [] });
      });

      it('is not made for a commit that does not exist', async () => {
        const missing = { source: repository.source, commit: '1'.repeat(40) };
        await expect(under.provider.create(request({ repository: missing }))).rejects.toMatchObject({
          type: 'Repository.NotFound',
        });
      });
    });

    describe('creating one again', () => {
      it('finds the first, with what was done in it', async () => {
        const asked = request();
        const first = await under.provider.connect(await under.provider.create(asked));
        await shell(first, 'echo kept > kept');
        const second = await under.provider.connect(await under.provider.create(asked));
        expect(await shell(second, 'cat kept')).toBe('kept\n');
      });

      it('at the same time, from two workers, makes one', async () => {
        const asked = request();
        const other = under.another();
        const handles = await Promise.all([
          under.provider.create(asked),
          other.create(asked),
          under.provider.create(asked),
        ]);
        expect(new Set(handles.map(({ id }) => id)).size).toBe(1);
        const [first, second] = [await under.provider.connect(handles[0]), await other.connect(handles[1])];
        await shell(first, 'echo one > shared');
        expect(await shell(second, 'cat shared')).toBe('one\n');
        await other.close();
      });

      it('of another generation makes another', async () => {
        const asked = request();
        const [zero, one] = await Promise.all([
          under.provider.create(asked),
          under.provider.create({ ...asked, generation: 1 }),
        ]);
        await shell(await under.provider.connect(zero), 'touch mark');
        expect(await shell(await under.provider.connect(one), 'ls')).not.toContain('mark');
      });
    });

    it('keeps what one sandbox writes from the others and from the next', async () => {
      const [[one], [two]] = [await make(), await make()];
      await shell(one, 'echo spoilt > README.md; rm -r src; git config core.hooksPath /tmp; touch /tmp/seen || true');
      expect(await shell(two, 'cat README.md; ls src; git status --porcelain')).toBe('# A repository\nmain.py\n');
      const [three] = await make();
      expect(await shell(three, 'cat README.md; git config core.hooksPath || true')).toBe('# A repository\n');
    });

    it('survives the worker that made it, with its variables', async () => {
      const other = under.another();
      const handle = await other.create(request());
      const { kernel, workspace } = await other.connect(handle);
      await kernel.setup({ generation: 0, seed: 1, variables: {}, functions: [], cwd: workspace });
      await runBlock(kernel, 1, 'x = [1, 2, 3]');
      await other.close();
      const again = await under.provider.connect(handle);
      expect(await runBlock(again.kernel, 2, 'print(sum(x))')).toBe('6\n');
    });

    describe('its patch', () => {
      it('is empty when nothing changed', async () => {
        const [sandbox] = await untouched();
        expect(await sandbox.patch()).toEqual({ bytes: new Uint8Array(), notes: [] });
      });

      it('holds what changed since the commit, committed or not', async () => {
        const [sandbox] = await make();
        await shell(sandbox, 'echo new > new.txt; git add -A; git commit -qm one; chmod -x run.sh; rm README.md');
        const patch = Buffer.from((await sandbox.patch()).bytes).toString();
        expect(patch.match(/^diff --git .*$/gm)).toEqual([
          'diff --git a/README.md b/README.md',
          'diff --git a/new.txt b/new.txt',
          'diff --git a/run.sh b/run.sh',
        ]);
      });
    });

    describe('the end', () => {
      it('is found out by who connects', async () => {
        const [, handle] = await make();
        await under.provider.destroy(handle);
        await expect(under.provider.connect(handle)).rejects.toMatchObject({ type: 'Sandbox.Lost' });
      });

      it('is found out by who was connected', async () => {
        const [sandbox, handle] = await make();
        await under.provider.destroy(handle);
        await expect(sandbox.kernel.info()).rejects.toMatchObject({ type: 'Sandbox.Lost' });
      });

      it('comes once; a second time, or for one that never was, nothing happens', async () => {
        const [, handle] = await make();
        await Promise.all([under.provider.destroy(handle), under.provider.destroy(handle)]);
        await under.provider.destroy(handle);
        await under.provider.destroy({ id: 'never-was.g0' });
      });

      it('comes by itself when nobody has spoken to it for the time given', async () => {
        const [sandbox, handle] = await make({ idle_timeout: 1 });
        await expect.poll(() => fails(under.provider.connect(handle)), { timeout: 20_000 }).toBe('Sandbox.Lost');
        await expect(sandbox.kernel.info()).rejects.toMatchObject({ type: 'Sandbox.Lost' });
      });

      it('of a creation that is cancelled leaves nothing', async () => {
        const asked = request();
        const controller = new AbortController();
        const created = under.provider.create(asked, controller.signal);
        controller.abort(new Error('cancelled'));
        await expect(created).rejects.toThrow('cancelled');
        const names = (await under.provider.list()).map(({ handle }) => handle.id);
        expect(names.filter((id) => id.startsWith(`${asked.name}.`))).toEqual([]);
      });

      it('lets the same name begin anew', async () => {
        const asked = request();
        const first = await under.provider.create(asked);
        await shell(await under.provider.connect(first), 'touch old');
        await under.provider.destroy(first);
        const second = await under.provider.connect(await under.provider.create(asked));
        expect(await shell(second, 'ls')).not.toContain('old');
      });
    });

    it('another generation or host is not the sandbox', async () => {
      const [, handle] = await untouched();
      const wrong = { ...handle, generation: handle.generation + 1 };
      await expect(under.provider.connect(wrong)).rejects.toMatchObject({ type: 'Sandbox.Lost' });
      if (handle.host === undefined) return;
      const elsewhere = { ...handle, host: 'another-host' };
      await expect(under.provider.connect(elsewhere)).rejects.toMatchObject({ type: 'Sandbox.Lost' });
    });

    it('lists what exists, with the labels of its owner', async () => {
      const labels = { ...LABELS, agent: '0.7' };
      const [, handle] = await make({ labels });
      const listed = async (): Promise<unknown> =>
        (await under.provider.list()).find((listing) => listing.handle.id === handle.id);
      expect(await listed()).toEqual({ handle, labels });
      await under.provider.destroy(handle);
      expect(await listed()).toBeUndefined();
    });
  });
}

/** The failure's type, or undefined when there is none. */
async function fails(work: Promise<unknown>): Promise<string | undefined> {
  try {
    await work;
    return undefined;
  } catch (error) {
    return error instanceof Error && 'type' in error ? String(error.type) : String(error);
  }
}

/** Runs a block to its end; its standard output. */
async function runBlock(kernel: Sandbox['kernel'], block: number, code: string): Promise<string> {
  const { generation } = await kernel.info();
  await kernel.exec({ generation, block, head: `head-${block}`, code, timeout: 30, output_limit: 10_000 });
  for (;;) {
    // oxlint-disable-next-line no-await-in-loop -- long polls, one after another
    const reply = await kernel.events({ block, after: 0, waitMs: 10_000 });
    const done = reply.events.find((event) => event.type === 'done');
    if (done !== undefined) {
      if (done.result.status !== 'ok') throw new Error(`${done.result.status}: ${done.result.error}`);
      return done.result.stdout;
    }
  }
}
