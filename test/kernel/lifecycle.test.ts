import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { request } from 'node:http';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { buildKernelArchive } from '../../src/sandbox/kernel-archive.ts';
import { connectKernel } from '../../src/sandbox/kernel-client.ts';
import { findPython } from '../../src/sandbox/kernel-python.ts';
import { KernelUnderTest } from './kernel-under-test.ts';

const UNSHARE = '/usr/bin/unshare';

const cleanups: (() => Promise<void> | void)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) {
    // oxlint-disable-next-line no-await-in-loop
    await cleanup();
  }
});

async function start(options: Parameters<typeof KernelUnderTest.start>[0] = {}): Promise<KernelUnderTest> {
  const under = await KernelUnderTest.start(options);
  cleanups.push(() => under.stop());
  return under;
}

/** Processes of this machine whose environment or arguments hold the mark. */
function alive(mark: string): string[] {
  return readdirSync('/proc').filter((pid) => {
    if (!/^\d+$/.test(pid) || pid === String(process.pid)) return false;
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes(mark);
    } catch {
      return false;
    }
  });
}

/** Looks again and again: processes end without telling. */
async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  // oxlint-disable-next-line no-await-in-loop
  while (!(await condition())) {
    // oxlint-disable-next-line no-await-in-loop
    await delay(10);
  }
}

const DAEMONS = (mark: string): string =>
  `import subprocess
subprocess.Popen(["sh", "-c", "sleep 1000; : ${mark}"])
subprocess.Popen(["sh", "-c", "sleep 1000; : ${mark}"], start_new_session=True)
subprocess.run(["sh", "-c", "(setsid sh -c 'sleep 1000; : ${mark}' &)"])
import os
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.execlp("sh", "sh", "-c", "sleep 1000; : ${mark}")
    os._exit(0)
_ = os.wait()`;

describe('the life of a kernel', () => {
  it.each([
    ['shutdown', async (under: KernelUnderTest) => post(under, '/v1/shutdown')],
    ['SIGTERM', (under: KernelUnderTest) => under.process.kill('SIGTERM')],
  ])('%s ends every process of the sandbox, daemons too', async (way, end) => {
    const under = await start();
    const mark = `mark-${way}-${process.pid}`;
    expect(await under.run(DAEMONS(mark))).toMatchObject({ status: 'ok' });
    await until(() => alive(mark).length >= 4);
    const ended = once(under.process, 'exit');
    await end(under);
    expect(await ended).toEqual([0, null]);
    expect(alive(mark)).toEqual([]);
    await expect(under.kernel.info()).rejects.toMatchObject({ type: 'Sandbox.Lost' });
  });

  it('ends itself when no request came for the idle time', async () => {
    const under = await start({ idleTimeout: 2 });
    const mark = `mark-idle-${process.pid}`;
    await under.run(DAEMONS(mark));
    expect(await once(under.process, 'exit')).toEqual([0, null]);
    expect(alive(mark)).toEqual([]);
  });

  it('is kept by renew, and by a poll or command that runs', async () => {
    const renewed = async (): Promise<void> => {
      const under = await start({ idleTimeout: 1.5 });
      const begun = Date.now();
      while (Date.now() - begun < 2000) {
        // oxlint-disable-next-line no-await-in-loop -- one after the other is what keeps it
        await under.kernel.renew();
        // oxlint-disable-next-line no-await-in-loop
        await delay(20);
      }
    };
    const commanded = async (): Promise<void> => {
      const under = await start({ idleTimeout: 1.5 });
      await under.kernel.process({ argv: ['sleep', '2'] });
    };
    const polled = async (): Promise<void> => {
      const under = await start({ idleTimeout: 1.5 });
      await under.exec('llm_query("x")\nimport time\ntime.sleep(2)');
      await under.answer({ [(await under.events()).pending[0] ?? '']: '' });
      expect(await under.events(1)).toMatchObject({ state: 'done' });
    };
    await Promise.all([renewed(), commanded(), polled()]);
  });

  it('leaves no process when the supervisor is killed', async () => {
    const under = await start();
    const { stdout } = await under.run('import os\nos.getpid()');
    under.process.kill('SIGKILL');
    await once(under.process, 'exit');
    await until(() => !isAlive(Number(stdout)));
  });

  it('hides the memory of the supervisor from the code', async () => {
    const under = await start(process.getuid?.() === 0 ? { uid: 65534 } : {});
    expect(await under.run('import os\nopen(f"/proc/{os.getppid()}/mem", "rb")')).toMatchObject({
      status: 'error',
      error: expect.stringMatching(/PermissionError/),
    });
  });

  it('hands no descriptor of the supervisor to the code', async () => {
    const under = await start();
    await Promise.all([under.kernel.info(), under.kernel.info(), under.kernel.info()]);
    const listing = 'import os\nlen(os.listdir("/proc/self/fd"))';
    expect((await under.run(listing)).stdout).toBe('7\n');
    await under.run('os._exit(1)');
    expect((await under.run(listing)).stdout).toBe('7\n');
  });
});

describe('where it runs', () => {
  it.skipIf(process.getuid?.() !== 0)('as an unprivileged user (skipped unless the tests run as root)', async () => {
    const under = await start({ uid: 65534 });
    expect(await under.run('import os\nprint(os.getuid(), llm_query("x"))')).toMatchObject({
      stdout: '65534 answer to x\n',
    });
    await under.exec('llm_query("x")\nos._exit(1)');
    expect(await under.events()).toMatchObject({ state: 'waiting' });
    await under.answer({ '2.1': 'x' });
    expect(await under.events(1)).toMatchObject({ events: [{ result: { status: 'crashed' } }] });
    expect(await under.run('task')).toMatchObject({ stdout: "'the task'\n" });
  });

  const unshare = ['--user', '--map-root-user', '--pid', '--fork', '--mount-proc'];
  const canUnshare = spawnSync(UNSHARE, [...unshare, 'true']).status === 0;

  it.skipIf(!canUnshare)('as pid 1 of its namespace (skipped where namespaces are not allowed)', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'kernel-pid-1-'));
    cleanups.push(() => {
      rmSync(folder, { recursive: true });
    });
    const { path: python } = await findPython();
    const archive = await buildKernelArchive({ python, cacheDirectory: folder });
    const mark = `mark-pid-1-${process.pid}`;
    const child = spawn(UNSHARE, [...unshare, python, '-s', archive, 'serve', '--socket', join(folder, 'socket')], {
      stdio: 'ignore',
      cwd: folder,
    });
    const kernel = connectKernel({ socketPath: join(folder, 'socket') });
    for (;;) {
      try {
        // oxlint-disable-next-line no-await-in-loop
        await kernel.info();
        break;
      } catch (error) {
        expect(error).toMatchObject({ type: 'Sandbox.Lost' });
      }
    }
    await kernel.setup({ generation: 0, seed: 1, variables: {}, functions: [], cwd: folder });
    const block = { generation: 0, timeout: 20, output_limit: 1000, head: 'h' };
    await kernel.exec({ ...block, block: 1, code: `${DAEMONS(mark)}\nprint(os.getppid())` });
    expect(await kernel.events({ block: 1, after: 0, waitMs: 20_000 })).toMatchObject({
      events: [{ result: { status: 'ok', stdout: '1\n' } }],
    });
    await kernel.exec({ ...block, block: 2, code: 'os._exit(1)' });
    expect(await kernel.events({ block: 2, after: 0, waitMs: 20_000 })).toMatchObject({
      events: [{ result: { status: 'crashed' } }],
    });
    expect(alive(mark)).toEqual([]);
    await kernel.exec({ ...block, block: 3, code: DAEMONS(mark) });
    expect(await kernel.events({ block: 3, after: 0, waitMs: 20_000 })).toMatchObject({ state: 'done' });
    const ended = once(child, 'exit');
    await post({ socketPath: join(folder, 'socket') }, '/v1/shutdown');
    await ended;
    expect(alive(mark)).toEqual([]);
  });

  it('on a TCP port', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'kernel-tcp-'));
    cleanups.push(() => {
      rmSync(folder, { recursive: true });
    });
    const { path: python } = await findPython();
    const archive = await buildKernelArchive({ python, cacheDirectory: folder });
    const port = await freePort();
    const child = spawn(python, ['-s', archive, 'serve', '--tcp', String(port)], { stdio: 'ignore', cwd: folder });
    cleanups.push(async () => {
      const ended = once(child, 'exit');
      child.kill('SIGTERM');
      await ended;
    });
    const kernel = connectKernel({ url: `http://127.0.0.1:${port}` });
    await until(() => kernel.info().then(Boolean, () => false));
    expect(await kernel.process({ argv: ['echo', 'x'] })).toMatchObject({ stdout: 'eAo=' });
  });

  it('with a socket it inherits', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'kernel-fd-'));
    cleanups.push(() => {
      rmSync(folder, { recursive: true });
    });
    const { path: python } = await findPython();
    const archive = await buildKernelArchive({ python, cacheDirectory: folder });
    const launcher = `
import os, socket, sys
listener = socket.socket(socket.AF_UNIX)
listener.bind(sys.argv[2])
listener.listen()
os.set_inheritable(listener.fileno(), True)
print("bound", flush=True)
os.execv(sys.executable, [sys.executable, "-s", sys.argv[1], "serve", "--fd", str(listener.fileno()), "--generation", "5"])`;
    const child = spawn(python, ['-c', launcher, archive, join(folder, 'socket')], {
      stdio: ['ignore', 'pipe', 'inherit'],
      cwd: folder,
    });
    cleanups.push(async () => {
      const ended = once(child, 'exit');
      child.kill('SIGTERM');
      await ended;
    });
    await once(createInterface(child.stdout), 'line');
    expect(await connectKernel({ socketPath: join(folder, 'socket') }).info()).toMatchObject({ generation: 5 });
  });

  it('wrong arguments are told on stderr, with exit code 2', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'kernel-usage-'));
    cleanups.push(() => {
      rmSync(folder, { recursive: true });
    });
    const { path: python } = await findPython();
    const archive = await buildKernelArchive({ python, cacheDirectory: folder });
    for (const wrong of [
      [],
      ['serve'],
      ['serve', '--fd', 'x'],
      ['serve', '--what', '1'],
      ['serve', '--fd', '1', '--tcp', '2'],
    ]) {
      const { status, stderr } = spawnSync(python, [archive, ...wrong], { encoding: 'utf8' });
      expect([status, stderr.slice(0, 19)]).toEqual([2, 'usage: kernel serve']);
    }
  });
});

function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

async function post(under: { readonly socketPath: string }, path: string): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const outgoing = request({ socketPath: under.socketPath, path, method: 'POST' }, (response) => {
    response.resume().on('end', resolve);
  });
  outgoing.on('error', reject).end('{}');
  await promise;
}
