import { existsSync, readdirSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findMarked } from '../../src/sandbox/host/processes.ts';
import { createLocalProvider, type LocalProvider } from '../../src/sandbox/local/index.ts';
import type { Sandbox, SandboxRequest, SandboxSetup } from '../../src/sandbox/provider.ts';
import { git, makeRepository, sandboxRequest, shell, temporaryFolder, type TestRepository } from './fixtures.ts';
import { startPackageIndex, type PackageIndex } from './package-index.ts';
import { itLong } from '../sizes.ts';

const FILES = {
  'pyproject.toml': '[project]\nname = "subject"\nversion = "1"\n',
  'subject.py': 'import greeting\n\ndef greet():\n    return greeting.text()\n',
  'test_subject.py':
    'import unittest, subject\n\nclass Test(unittest.TestCase):\n    def test(self):\n        self.assertEqual(subject.greet(), "hello")\n',
  'version.txt': 'one\ntwo\nthree\nfour\nfive\nsix\nseven\n',
  'generated.txt': 'empty\n',
  'unneeded.txt': 'x\n',
  '.gitignore': '*.cache\n',
};

/** Like real ones: a package is installed, tracked files are rewritten, others made, some of them ignored. */
const COMMANDS = [
  'pip install greeting',
  'sed -i s/^one/ONE/ version.txt; echo full > generated.txt; rm unneeded.txt',
  'mkdir -p build/deep; echo built > build/deep/thing; echo cached > subject.cache; ln -s build link',
];

describe('sandbox.setup', { timeout: 120_000 }, () => {
  const folder = temporaryFolder();
  const directories = { stateDirectory: `${folder.path}/state`, cacheDirectory: `${folder.path}/cache` };
  const logged: string[] = [];
  let provider: LocalProvider;
  let repository: TestRepository;
  let index: PackageIndex;
  let count = 0;

  beforeAll(async () => {
    index = await startPackageIndex('greeting', 'def text():\n    return "hello"\n');
    repository = makeRepository(`${folder.path}/repository`, FILES);
    provider = createLocalProvider({ ...directories, log: (line) => logged.push(line) });
  });
  afterAll(async () => {
    for (const { handle } of await provider.list()) await provider.destroy(handle);
    await provider.close();
    await index.close();
    folder.remove();
  });

  const setup = (commands: readonly string[], timeout = 120): SandboxSetup => ({
    commands,
    timeout,
    environment: { PIP_INDEX_URL: index.url },
  });
  const request = (more: Partial<SandboxRequest> = {}): SandboxRequest => {
    count += 1;
    return sandboxRequest(`setup-${count}`, repository, { setup: setup(COMMANDS), ...more });
  };
  const make = async (more: Partial<SandboxRequest> = {}): Promise<Sandbox> =>
    provider.connect(await provider.create(request(more)));
  /** What a patch makes of the commit: path to content. */
  const applied = async (sandbox: Sandbox): Promise<Record<string, string>> => {
    const { bytes } = await sandbox.patch();
    const tree = `${folder.path}/applied-${(count += 1)}`;
    git(folder.path, ['clone', '--quiet', repository.path, tree]);
    if (bytes.length > 0) git(tree, ['apply', '--index', '-'], Buffer.from(bytes));
    const names = git(tree, ['diff', '--cached', '--name-only']).toString().split('\n').filter(Boolean);
    return Object.fromEntries(
      names.map((name) => [name, existsSync(`${tree}/${name}`) ? git(tree, ['show', `:${name}`]).toString() : 'gone']),
    );
  };

  it('is done once for three sandboxes that are made at the same time, whose tests then pass', async () => {
    const sandboxes = await Promise.all([make(), make(), make()]);
    const outputs = await Promise.all(
      sandboxes.map((sandbox) =>
        shell(sandbox, 'python -m unittest -q 2>&1; command -v python pip; cat subject.cache'),
      ),
    );
    for (const output of outputs) {
      expect(output).toMatch(/^OK$/m);
      expect(output).toContain('/home/agent/environment/bin/python\n/home/agent/environment/bin/pip\ncached\n');
    }
    expect(index.downloads()).toBe(1);
    expect(logged.filter((line) => line.includes('sandbox.setup'))).toHaveLength(1);
  });

  it('gives the code of the kernel the same packages', async () => {
    const { kernel, workspace } = await make();
    await kernel.setup({ generation: 0, seed: 1, variables: {}, functions: [], cwd: workspace });
    const code = 'import greeting, subject, sys\nsubject.greet(), sys.executable';
    await kernel.exec({ generation: 0, block: 1, head: 'x', code, timeout: 30, output_limit: 1000 });
    const stdout = async (): Promise<string | undefined> => {
      const { events } = await kernel.events({ block: 1, after: 0, waitMs: 10_000 });
      return events.flatMap((event) => (event.type === 'done' ? [event.result.stdout] : []))[0];
    };
    await expect.poll(stdout).toBe("('hello', '/home/agent/environment/bin/python')\n");
  });

  it('shuts its sandboxes off from the network as ever', async () => {
    const sandbox = await make();
    const connect = `import os, socket; socket.create_connection(("127.0.0.1", ${new URL(index.url).port}))`;
    expect(await shell(sandbox, `python -c '${connect}' 2>&1 | tail -n 1; env`)).toMatch(/^ConnectionRefusedError/);
    expect(await shell(sandbox, 'env')).not.toContain('PIP_INDEX_URL');
  });

  describe('is no part of a patch', () => {
    it('of an agent that changed nothing', async () => {
      const sandbox = await make();
      expect(await shell(sandbox, 'cat version.txt generated.txt link/deep/thing; ls')).toContain('ONE\n');
      expect(await sandbox.patch()).toEqual({ bytes: new Uint8Array(), notes: [] });
    });

    it('of one that touches, commits and uncovers what it made', async () => {
      const sandbox = await make();
      await shell(sandbox, 'touch version.txt build/deep/thing; echo > .gitignore; git add -A; git commit -qm all');
      expect(await applied(sandbox)).toEqual({ '.gitignore': '\n' });
    });

    it('of one that changes the same files: only its own changes are', async () => {
      const sandbox = await make();
      await shell(sandbox, 'sed -i s/^seven/SEVEN/ version.txt; chmod +x generated.txt; echo new > new.txt');
      expect(await applied(sandbox)).toEqual({
        'version.txt': 'one\ntwo\nthree\nfour\nfive\nsix\nSEVEN\n',
        'generated.txt': 'empty\n',
        'new.txt': 'new\n',
      });
      expect(Buffer.from((await sandbox.patch()).bytes).toString()).toContain('new mode 100755');
    });

    it('except where both changed the same lines, which is said', async () => {
      const sandbox = await make();
      await shell(sandbox, 'sed -i s/^ONE/MINE/ version.txt; echo mine >> build/deep/thing');
      expect(await applied(sandbox)).toEqual({
        'version.txt': 'MINE\ntwo\nthree\nfour\nfive\nsix\nseven\n',
        'build/deep/thing': 'built\nmine\n',
      });
      expect((await sandbox.patch()).notes).toEqual([
        'version.txt: what sandbox.setup changed in it is in the patch too',
      ]);
    });

    it('and what it removed can be brought back, what it left be removed', async () => {
      const sandbox = await make();
      await shell(sandbox, 'echo mine > unneeded.txt; rm generated.txt; rm -r build; git checkout -q version.txt');
      expect(await applied(sandbox)).toEqual({ 'unneeded.txt': 'mine\n', 'generated.txt': 'gone' });
    });

    it('nor what git ignores, changed or not', async () => {
      const sandbox = await make();
      await shell(sandbox, 'echo more >> subject.cache');
      expect(await applied(sandbox)).toEqual({});
    });
  });

  it('shows an agent a clean state of its own work', async () => {
    expect(await shell(await make(), 'git status --porcelain')).toBe(
      ' M generated.txt\n D unneeded.txt\n M version.txt\n',
    );
  });

  const refusal = async (asked: SandboxRequest): Promise<string> => {
    const error: unknown = await provider.create(asked).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ type: 'Sandbox.SetupFailed' });
    expect(await provider.list()).not.toContainEqual(expect.objectContaining({ handle: provider.handleOf(asked) }));
    expect(layers().filter((name) => name.startsWith('.'))).toEqual([]);
    return String(error);
  };
  const layers = (): string[] => readdirSync(`${directories.cacheDirectory}/layers`);
  /** An environment of their own saves these the time that making one with pip takes. */
  const own = (commands: readonly string[], timeout?: number): Partial<SandboxRequest> => ({
    python: '.venv',
    setup: setup(['python3 -m venv --without-pip .venv', ...commands], timeout),
  });

  it('of which a command fails tells which, why, and what it printed last', async () => {
    const message = await refusal(
      request(own(['echo begun; for n in $(seq 9999); do echo line $n; done; exit 7', 'true'])),
    );
    expect(message).toContain(
      '`echo begun; for n in $(seq 9999); do echo line $n; done; exit 7` ended with exit code 7',
    );
    expect(message).toContain('line 9999\n');
    expect(message.length).toBeLessThan(5000);
  });

  it('that takes too long is ended, with all that it started', async () => {
    const word = `sleeping-${process.pid}`;
    const message = await refusal(
      request(own([`(exec -a ${word} sleep 600 &) ; bash -c 'exec -a ${word} sleep 600'`], 2)),
    );
    expect(message).toContain('did not end within the 2 s of sandbox.setup_timeout');
    expect(findMarked({ commandLine: [word], environment: [] })).toEqual([]);
  });

  it('that is cancelled leaves nothing, and is done by the next who asks', async () => {
    const before = layers();
    const slow = own(['test -e /workspace/go || sleep 600']);
    const controller = new AbortController();
    const cancelled = provider.prepare(request(slow), controller.signal);
    await expect.poll(() => layers().length, { timeout: 20_000 }).toBeGreaterThan(before.length);
    controller.abort(new Error('cancelled'));
    await expect(cancelled).rejects.toThrow('cancelled');
    expect(layers()).toEqual(before);
  });

  it('that was being done when its launcher was killed is done anew', async () => {
    const word = `setting-up-${process.pid}`;
    const slow = own([`exec bash -c 'exec -a ${word} sleep 600'`]);
    const running = (): unknown[] => findMarked({ commandLine: [word], environment: [] });
    const made = provider.prepare(request(slow)).catch((error: unknown) => String(error));
    const isSleeping = (): boolean => running().length > 0;
    await expect.poll(isSleeping, { timeout: 20_000 }).toBe(true);
    process.kill(provider.launcherPid ?? 0, 'SIGKILL');
    expect(await made).toContain('the launcher of sandboxes has ended');
    await expect.poll(running).toEqual([]);
    expect(layers().filter((name) => name.startsWith('.'))).toEqual([]);
  });

  it('that fails is not tried again by each who waited for it', async () => {
    const failing = own(['echo once; sleep 1; exit 1']);
    const before = logged.length;
    const outcomes = await Promise.allSettled(
      [request(failing), request(failing), request(failing)].map((each) => provider.create(each)),
    );
    expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected']);
    expect(logged.length - before).toBe(1);
  });

  itLong('may make the virtual environment that sandbox.python names, in the repository', async () => {
    const sandbox = await make(own(['.venv/bin/python -c "import sys; print(sys.prefix)" > prefix.cache']));
    const seen = await shell(sandbox, 'command -v python; python -c "import sys; print(sys.prefix)"; cat prefix.cache');
    expect(seen).toBe('/workspace/.venv/bin/python\n/workspace/.venv\n/workspace/.venv\n');
    await shell(
      sandbox,
      'git status --porcelain > /tmp/status; test ! -s /tmp/status; echo mine > mine.txt; rm -rf .venv',
    );
    expect(await applied(sandbox)).toEqual({ 'mine.txt': 'mine\n' });
  });

  it('is locked in like an agent, but for the network', async () => {
    process.env['RLM_TEST_SECRET'] = 'the-word';
    const things = [
      'test "$(id -u)" = 1000',
      'test "$PIP_INDEX_URL" != "" && test "$HOME" = /home/agent',
      'python3 -c "import socket; socket.socketpair(); socket.socket()"',
    ];
    const attempts = [
      'env | grep the-word',
      'tr "\\0" "\\n" < /proc/1/environ | grep the-word',
      `ls ${directories.cacheDirectory} || ls /root || ls /var/lib`,
      'touch /usr/x || mount -t tmpfs x /mnt || unshare -U true',
    ];
    await make(own([...things, ...attempts.map((attempt) => `! { ${attempt}; }`)]));
  });

  itLong('without isolation is done in each sandbox, where its paths are', async () => {
    const sandbox = await make({ ...own(['echo built > built.cache', 'echo x >> version.txt']), isolation: 'none' });
    const seen = await shell(sandbox, 'command -v python; cat built.cache; echo mine > mine.txt');
    expect(seen).toBe(`${sandbox.workspace}/.venv/bin/python\nbuilt\n`);
    expect(await applied(sandbox)).toEqual({ 'mine.txt': 'mine\n' });
    const failing = request({ ...own(['false']), isolation: 'none' });
    await expect(provider.prepare(failing)).rejects.toMatchObject({ type: 'Sandbox.SetupFailed' });
  });

  it.each(['../outside', './', '.venv'])('is needed for, and holds, sandbox.python: %s', async (python) => {
    const { setup: _, ...without } = request({ python });
    await expect(provider.prepare(without)).rejects.toMatchObject({ type: 'Input.Invalid' });
  });
});
