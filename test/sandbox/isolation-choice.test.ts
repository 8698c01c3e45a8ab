import { execFile } from 'node:child_process';
import { chownSync, existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, describe, expect, it } from 'vitest';
import { findPython } from '../../src/sandbox/kernel-python.ts';
import { createLocalProvider, type Isolation } from '../../src/sandbox/local/index.ts';
import { findBubblewrap, tryIsolation, unavailable } from '../../src/sandbox/local/isolation.ts';
import { launchSpec } from '../../src/sandbox/local/launch-spec.ts';
import { Launcher, type Exit } from '../../src/sandbox/local/launcher.ts';
import { sandboxRequest, sleepingJob, temporaryFolder, writeTree } from './fixtures.ts';

const SCRIPT = fileURLToPath(new URL('report-isolation.ts', import.meta.url));
const ORDINARY_UID = 61_002;
const folder = temporaryFolder();
afterAll(() => folder.remove());

describe('the choice of isolation', () => {
  const failing = (stderr: string): Exit => ({ code: 1, stderr, stdout: '', grouped: false });
  const fine: Exit = { code: 0, stderr: '', stdout: '', grouped: false };
  /** Trial sandboxes that end as they are told. */
  const trials = async (...exits: Exit[]): Promise<Isolation> => {
    const isolation = await tryIsolation({
      launcher: { job: () => Promise.resolve(exits.shift() ?? failing('asked too often')) },
      interpreter: { path: '/usr/bin/python3', prefixes: ['/usr'] },
      cacheDirectory: folder.path,
      install: false,
      log: () => undefined,
    });
    expect(exits).toEqual([]);
    return isolation;
  };

  it('is an overlay where a trial of it goes well', async () => {
    expect(await trials(fine)).toMatchObject({ ok: true, overlay: true });
  });

  it('says whether control groups hold sandboxes to their limits', async () => {
    expect(await trials({ ...fine, grouped: true })).toMatchObject({ ok: true, groups: true });
    expect(await trials(fine)).toMatchObject({ ok: true, groups: false });
  });

  it('takes the newest bubblewrap of those on the path', () => {
    for (const version of ['0.8.0', '0.12.1', '0.9']) {
      const program = { executable: `#!/bin/sh\necho bubblewrap ${version}\n` };
      writeTree(join(folder.path, 'programs', version), { bwrap: program });
    }
    const path = ['0.8.0', '0.12.1', '0.9'].map((version) => join(folder.path, 'programs', version)).join(':');
    expect(findBubblewrap(path)).toBe(join(folder.path, 'programs', '0.12.1', 'bwrap'));
  });

  it('is a copy in memory where overlays fail', async () => {
    expect(await trials(failing('OSError: [Errno 22] mount overlay'), fine)).toMatchObject({
      ok: true,
      overlay: false,
    });
  });

  it('is refused, with the ways on, where no sandbox can be made', async () => {
    const words = 'bwrap: setting up uid map: Permission denied';
    const isolation = await trials(failing(words), failing(words));
    if (isolation.ok) throw new Error('it was not refused');
    const { type, message } = unavailable(isolation);
    expect(type).toBe('Sandbox.Unavailable');
    for (const part of [words, 'sandbox.provider: daytona', 'sandbox.isolation: none']) expect(message).toContain(part);
  });
});

/** What a worker finds that is started by `argv`, with `before` run in its shell, as an ordinary user where that is possible. */
async function reportFrom(
  place: string,
  before: string,
  argv: readonly [string, ...string[]],
  uid = ORDINARY_UID,
): Promise<{ isolation: Isolation; outcome: string }> {
  const path = `${folder.path}/${place}`;
  mkdirSync(path);
  const owner = process.getuid?.() === 0 ? { uid, gid: uid } : {};
  if (owner.uid !== undefined) {
    chownSync(path, owner.uid, owner.uid);
    chownSync(folder.path, owner.uid, owner.uid);
  }
  const [program, ...given] = argv;
  const script = [...given, '-c', `${before}; exec "$0" "$1" "$2"`, process.execPath, SCRIPT, path];
  const { stdout } = await promisify(execFile)(program, script, {
    ...owner,
    cwd: '/',
    env: { PATH: process.env['PATH'], HOME: path, TMPDIR: path },
  });
  return JSON.parse(stdout);
}

const CLONED = '1000\na\nx\nstart\n?? x\n';

describe('a worker', () => {
  it.each([
    ['an ordinary user', ORDINARY_UID],
    ['the user of the tests', process.getuid?.() ?? 0],
  ])('that is %s and keeps its files to itself gives sandboxes what they need', async (_, uid) => {
    const { isolation, outcome } = await reportFrom(`umask-${uid}`, 'umask 077', ['sh'], uid);
    expect(isolation).toMatchObject({ ok: true });
    expect(outcome).toBe(CLONED);
  });
});

describe('a worker that is root of a user namespace only', () => {
  const NAMESPACE = ['unshare', '-Ur', 'sh'] as const;
  const noUnshare = !existsSync('/usr/bin/unshare');

  it.skipIf(noUnshare)('makes sandboxes as the only user it has (skipped without unshare)', async () => {
    const { isolation, outcome } = await reportFrom('namespace', 'true', NAMESPACE);
    expect(isolation).toMatchObject({ ok: true });
    expect(outcome).toBe(CLONED);
  });

  it.skipIf(noUnshare)(
    'refuses where more namespaces are not allowed, and names the setting (skipped without unshare)',
    async () => {
      const before = 'echo 0 > /proc/sys/user/max_user_namespaces';
      const { isolation, outcome } = await reportFrom('forbidden', before, NAMESPACE);
      expect(isolation).toMatchObject({ ok: false });
      expect(outcome).toMatch(
        /^Sandbox\.Unavailable: .*\n {2}- allow user namespaces: sudo sysctl -w user\.max_user_namespaces=15000\n/,
      );
    },
  );

  it.skipIf(noUnshare || process.getuid?.() !== 0)(
    'refuses where it is root outside too (skipped unless the tests run as root)',
    async () => {
      const { isolation } = await reportFrom('root', 'true', NAMESPACE, 0);
      expect(isolation).toMatchObject({ ok: false, reason: expect.stringContaining('root outside') });
    },
  );
});

describe('a sandbox', () => {
  it('may be a copy of the checkout instead of an overlay', async () => {
    const lower = `${folder.path}/lower`;
    writeTree(lower, { 'a b/c': 'text\n', link: { link: 'a b' } });
    const { path } = await findPython();
    const launcher = new Launcher(path);
    const spec = launchSpec({
      bwrap: '/usr/bin/bwrap',
      interpreter: { path, prefixes: ['/usr'] },
      folder: null,
      workspace: { kind: 'copy', lower },
      memory_mb: 256,
      argv: ['/bin/sh', '-c', 'cat link/c; echo more >> link/c; rm link; ls; id -u'],
    });
    expect(await launcher.job(spec, 30_000)).toMatchObject({ code: 0, stderr: '', stdout: 'text\na b\n1000\n' });
    await launcher.close();
  });

  it('that takes too long is ended', async () => {
    const { path } = await findPython();
    const launcher = new Launcher(path);
    expect((await launcher.job(sleepingJob(path, '600'), 300)).code).toBe(128 + 9);
    await launcher.close();
  });

  it('with a Python that does not exist is refused by name', async () => {
    const provider = createLocalProvider({ stateDirectory: `${folder.path}/s`, cacheDirectory: `${folder.path}/c` });
    const request = sandboxRequest('no-python', undefined, { python: '/nowhere/python3' });
    await expect(provider.create(request)).rejects.toMatchObject({
      type: 'Sandbox.Unavailable',
      message: expect.stringContaining('/nowhere/python3'),
    });
    await provider.close();
  });
});
