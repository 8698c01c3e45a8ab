import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, chownSync, mkdirSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { dirname } from 'node:path';
import { createInterface, type Interface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { lockOf, removeAbandonedLocks, withLock } from '../../src/files/lock.ts';
import { temporaryFolder } from '../sandbox/fixtures.ts';

const USER = fileURLToPath(new URL('lock-user.ts', import.meta.url));
const OTHER_UID = 61_005;

interface Holder {
  readonly child: ChildProcessByStdio<Writable, Readable, Readable>;
  /** The next line it prints; undefined when it has ended. */
  line(): Promise<string | undefined>;
}

describe('a lock', () => {
  const folder = temporaryFolder();
  // Other users come as far as to the private folders.
  chmodSync(folder.path, 0o755);
  const holders: Holder[] = [];
  let count = 0;
  const freshFolder = (): string => `${folder.path}/locks-${(count += 1)}`;
  const freshLock = (): string => lockOf(`${freshFolder()}/thing`);

  const hold = (file: string, how: { uid?: number; program?: readonly string[] } = {}): Holder => {
    const [command, ...before] = [...(how.program ?? []), process.execPath];
    const child = spawn(command ?? '', [...before, USER, 'hold', file], {
      stdio: ['pipe', 'pipe', 'pipe'],
      ...(how.uid === undefined ? {} : { uid: how.uid, gid: how.uid }),
    });
    const lines: Interface = createInterface({ input: child.stdout });
    const iterator = lines[Symbol.asyncIterator]();
    const holder = { child, line: async (): Promise<string | undefined> => (await iterator.next()).value };
    holders.push(holder);
    return holder;
  };
  afterEach(async () => {
    for (const { child } of holders.splice(0)) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
  });
  afterAll(() => folder.remove());

  it('is held by one of this process at a time, and leaves nothing behind', async () => {
    const file = freshLock();
    let inside = 0;
    let most = 0;
    const work = async (): Promise<void> => {
      inside += 1;
      most = Math.max(most, inside);
      await new Promise(setImmediate);
      inside -= 1;
    };
    await Promise.all(Array.from({ length: 50 }, () => withLock(file, work)));
    expect(most).toBe(1);
    expect(readdirSync(dirname(file))).toEqual([]);
  });

  it('is given back when the work fails', async () => {
    const file = freshLock();
    const failing = withLock(file, () => Promise.reject(new Error('work failed')));
    await expect(failing).rejects.toThrow('work failed');
    await expect(withLock(file, () => Promise.resolve('done'))).resolves.toBe('done');
  });

  it('says once that another process has it, and is had when that gives it back', async () => {
    const file = freshLock();
    const holder = hold(file);
    expect(await holder.line()).toBe('locked');
    let waits = 0;
    const told = Promise.withResolvers<void>();
    const onWait = (): void => {
      waits += 1;
      told.resolve();
    };
    const had = withLock(file, () => Promise.resolve(holder.child.stdin.writableEnded), { onWait });
    await told.promise;
    holder.child.stdin.end();
    expect(await had).toBe(true);
    expect(waits).toBe(1);
  });

  it('is free at once when its holder was killed', async () => {
    const file = freshLock();
    const holder = hold(file);
    expect(await holder.line()).toBe('locked');
    const told = Promise.withResolvers<void>();
    const had = withLock(file, () => Promise.resolve('had'), { onWait: told.resolve });
    await told.promise;
    holder.child.kill('SIGKILL');
    expect(await had).toBe('had');
    expect(readdirSync(dirname(file))).toEqual([]);
  });

  it('whose holder was killed is removed with what else lies abandoned, and one that is held is not', async () => {
    const file = freshLock();
    const [killed, other] = [hold(file), hold(lockOf(`${dirname(file)}/other`))];
    expect([await killed.line(), await other.line()]).toEqual(['locked', 'locked']);
    killed.child.kill('SIGKILL');
    await once(killed.child, 'exit');
    await removeAbandonedLocks(dirname(file));
    expect(readdirSync(dirname(file)).toSorted()).toEqual([expect.stringMatching(/^\.holder-/), '.other.lock']);
  });

  it('stays with a holder that was stopped, and waiting for it can be given up', async () => {
    const file = freshLock();
    const holder = hold(file);
    expect(await holder.line()).toBe('locked');
    holder.child.kill('SIGSTOP');
    const controller = new AbortController();
    const onWait = (): void => controller.abort(new Error('given up'));
    const waiting = withLock(file, () => Promise.resolve('had'), { signal: controller.signal, onWait });
    await expect(waiting).rejects.toThrow('given up');
  });

  it('holds against a process in other namespaces', async ({ skip }) => {
    if (process.getuid?.() !== 0) skip('namespaces without a user namespace need root');
    const file = freshLock();
    const holder = hold(file, { program: ['unshare', '--pid', '--net', '--fork', '--kill-child'] });
    expect(await holder.line()).toBe('locked');
    const told = Promise.withResolvers<void>();
    let isGivenBack = false;
    const had = withLock(file, () => Promise.resolve(isGivenBack), { onWait: told.resolve });
    await told.promise;
    isGivenBack = true;
    holder.child.stdin.end();
    expect(await had).toBe(true);
  });

  it('is never held by two, whoever is killed in the middle', { timeout: 120_000 }, async () => {
    const file = freshLock();
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
    const runThree = async (): Promise<void> => {
      for (let attempt = 0; attempt < 3; attempt += 1) {
        const child = spawn(process.execPath, [USER, 'repeat', file, '12'], { stdio: 'inherit' });
        // oxlint-disable-next-line no-await-in-loop -- one after the other
        const [code, signal] = (await once(child, 'exit')) as [number | null, string | null];
        expect({ code, signal }).toEqual({ code: null, signal: 'SIGKILL' });
      }
    };
    await Promise.all(Array.from({ length: 5 }, runThree));
    let holder: string | undefined;
    let killed = 0;
    for (const line of readFileSync(`${file}.log`, 'utf8').trimEnd().split('\n')) {
      const [what, pid] = line.split(' ');
      if (what === 'enter') expect(holder).toBeUndefined();
      else expect(holder).toBe(pid);
      holder = what === 'enter' ? pid : undefined;
      // What it notes before it is killed ends its turn.
      if (what === 'die') killed += 1;
    }
    expect(killed).toBe(15);
    await withLock(file, () => Promise.resolve());
    expect(readdirSync(dirname(file)).filter((name) => !name.endsWith('.log'))).toEqual([]);
  });

  it('can be taken in a folder with a long path', async () => {
    const file = lockOf(`${freshFolder()}/${'deep/'.repeat(30)}thing`);
    await expect(withLock(file, () => Promise.resolve('had'))).resolves.toBe('had');
  });

  it('has no name that another user could take', async () => {
    const listening = await withLock(freshLock(), () => Promise.resolve(ownSockets()));
    expect(listening).toHaveLength(1);
    expect(listening[0]).toMatch(/^\/proc\/self\/fd\/\d+\/\.holder-/);
  });

  it.for([
    ['this user', undefined],
    ['an ordinary user', 61_004],
  ] as const)('of %s cannot be held by another', async ([, uid], { skip }) => {
    if (process.getuid?.() !== 0) skip('only root can be several users');
    const place = freshFolder();
    mkdirSync(place);
    if (uid !== undefined) chownSync(place, uid, uid);
    const file = lockOf(`${place}/thing`);
    const before = hold(file, uid === undefined ? {} : { uid });
    expect(await before.line()).toBe('locked');
    before.child.stdin.end();
    await once(before.child, 'exit');
    const other = hold(file, { uid: OTHER_UID });
    expect(await other.line()).toBeUndefined();
    const after = hold(file, uid === undefined ? {} : { uid });
    expect(await after.line()).toBe('locked');
  });
});

/** The names under which this process listens, as the kernel lists them for everybody. */
function ownSockets(): string[] {
  const inodes = new Set<string>();
  for (const name of readdirSync('/proc/self/fd')) {
    try {
      const inode = /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/self/fd/${name}`))?.[1];
      if (inode !== undefined) inodes.add(inode);
    } catch {
      // The descriptor that read the folder.
    }
  }
  const rows = readFileSync('/proc/net/unix', 'utf8').trimEnd().split('\n').slice(1);
  return rows
    .map((row) => row.trim().split(/\s+/))
    .filter(([, , , flags, , , inode, path]) => flags === '00010000' && inodes.has(inode ?? '') && path !== undefined)
    .map(([, , , , , , , path = '']) => path);
}
