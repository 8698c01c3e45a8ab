import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createDaytonaProvider } from '../../../src/sandbox/daytona/index.ts';
import type { Sandbox, SandboxProvider, SandboxRequest } from '../../../src/sandbox/provider.ts';
import { makeRepository, sandboxRequest, shell, temporaryFolder, type TestRepository } from '../fixtures.ts';
import { rigIsHere, startRig, type Rig } from './rig.ts';

const FILES = {
  'version.txt': 'one\n',
  'wheel/setup.py': 'from setuptools import setup\nsetup(name="x")\n',
  '.gitignore': '*.cache\n',
};

describe.runIf(rigIsHere())('sandbox.setup in sandboxes of Daytona', { timeout: 120_000 }, () => {
  const folder = temporaryFolder();
  let rig: Rig;
  let provider: SandboxProvider;
  let repository: TestRepository;

  beforeAll(async () => {
    rig = await startRig();
    provider = createDaytonaProvider({ environment: rig.environment, cacheDirectory: `${folder.path}/cache` });
    repository = makeRepository(`${folder.path}/repository`, FILES);
  });
  afterAll(async () => {
    await provider.close();
    await rig.close();
    folder.remove();
  });

  const request = (name: string, commands: readonly string[], python?: string): SandboxRequest =>
    sandboxRequest(name, repository, {
      setup: { commands, timeout: 60, environment: { WORD: 'given' } },
      create_timeout: 120,
      ...(python === undefined ? {} : { python }),
    });
  const make = async (asked: SandboxRequest): Promise<Sandbox> => provider.connect(await provider.create(asked));

  it('runs once, in advance, with what it was given; the kernel has its Python, the patch nothing of it', async () => {
    const commands = ['test "$WORD" = given; echo run >> runs.cache; echo two >> version.txt; pip --version'];
    const asked = request('first', commands);
    await provider.prepare(asked);
    const sandbox = await make(asked);
    const seen = await shell(
      sandbox,
      'cat runs.cache version.txt; command -v python; echo ${WORD-none}; git status -s',
    );
    expect(seen).toMatch(/^run\none\ntwo\n\/home\/\w+\/environment\/bin\/python\nnone\n M version.txt\n$/);
    await shell(sandbox, 'sed -i s/one/mine/ version.txt; echo new > new.txt');
    const patch = Buffer.from((await sandbox.patch()).bytes).toString();
    expect(patch.match(/^\+\+\+ .*$/gm)).toEqual(['+++ b/new.txt', '+++ b/version.txt']);
    await provider.destroy(sandbox.handle);
  });

  it('may make the virtual environment that the kernel runs on', async () => {
    const sandbox = await make(request('own', ['python3 -m venv --without-pip .venv'], '.venv'));
    const { kernel, workspace } = sandbox;
    await kernel.setup({ generation: 0, seed: 1, variables: {}, functions: [], cwd: workspace });
    await kernel.exec({
      generation: 0,
      block: 1,
      head: 'x',
      code: 'import sys; sys.prefix',
      timeout: 30,
      output_limit: 99,
    });
    const { events } = await kernel.events({ block: 1, after: 0, waitMs: 10_000 });
    expect(events).toMatchObject([{ result: { stdout: `'${workspace}/.venv'\n` } }]);
    expect(await sandbox.patch()).toEqual({ bytes: new Uint8Array(), notes: [] });
    await provider.destroy(sandbox.handle);
  });

  it('that fails tells why, and leaves nothing', async () => {
    const failing = provider.prepare(
      request('failing', ['python3 -m venv --without-pip .venv', 'echo so it is; exit 3'], '.venv'),
    );
    await expect(failing).rejects.toMatchObject({
      type: 'Sandbox.SetupFailed',
      message: expect.stringMatching(
        /`echo so it is; exit 3` ended with exit code 3\. The end of its output:\nso it is\n/,
      ),
    });
    await expect.poll(() => rig.existing()).toBe(0);
  });
});
