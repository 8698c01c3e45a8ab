import { randomBytes } from 'node:crypto';
import { closeSync, constants, openSync } from 'node:fs';
import { lstat, readdir, readlink, rename, symlink, unlink } from 'node:fs/promises';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { basename, dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { makePrivateFolder } from './private-folder.ts';

export interface LockOptions {
  /** Ends the waiting. */
  readonly signal?: AbortSignal | undefined;
  /** Called once when another has the lock. */
  readonly onWait?: () => void;
}

/**
 * Runs `work` while no other work runs under the same file, in this process or another.
 *
 * The lock is a symbolic link, which is made in one step or not at all, to a socket that its holder listens on. The
 * kernel closes the socket however the holder ends, so a lock whose socket refuses connections is free: no time limit,
 * no heartbeat, and a holder that was stopped for a while still has it. Who waits keeps a connection that closes when
 * the lock is given back. The folder is private: another user can neither hold the lock nor see it.
 *
 * @param file its folder is made where it does not exist. Nothing is left in it afterwards.
 * @throws the signal's reason; `makePrivateFolder`'s errors.
 */
export async function withLock<T>(file: string, work: () => Promise<T>, options: LockOptions = {}): Promise<T> {
  makePrivateFolder(dirname(file));
  const release = await acquire(file, options);
  try {
    options.signal?.throwIfAborted();
    return await work();
  } finally {
    await release();
  }
}

/** The lock for making or changing a file or folder: beside it, under a hidden name. */
export function lockOf(path: string): string {
  return join(dirname(path), `.${basename(path)}.lock`);
}

type Release = () => Promise<void>;

async function acquire(file: string, { signal, onWait }: LockOptions): Promise<Release> {
  let announced = false;
  for (;;) {
    signal?.throwIfAborted();
    const holder = await holderOf(file);
    if (holder === undefined) {
      const release = await take(file);
      if (release !== undefined) return release;
      continue;
    }
    const waiting = await connectTo(dirname(file), holder);
    if (waiting === 'gone') {
      // Unless it was given back just now.
      if ((await holderOf(file)) === holder) await removeStale(file, holder);
      continue;
    }
    if (!announced) onWait?.();
    announced = true;
    if (waiting === 'busy') await delay(RETRY_MS);
    else await untilClosed(waiting, signal);
  }
}

/** Between attempts when a holder's queue of connections is full. */
const RETRY_MS = 20;

/** The name of the holder's socket. A lock that was just given back has none. */
async function holderOf(file: string): Promise<string | undefined> {
  return readlink(file).catch((error: unknown) => {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  });
}

/** Undefined where another was faster. */
async function take(file: string): Promise<Release | undefined> {
  const socket = await listen(dirname(file));
  try {
    await symlink(socket.name, file);
  } catch (error) {
    await socket.close();
    if (codeOf(error) === 'EEXIST') return undefined;
    throw error;
  }
  return async () => {
    // The folder may have been removed meanwhile, and made again by another.
    if ((await holderOf(file)) === socket.name) await unlink(file).catch(unlessMissing);
    await socket.close();
  };
}

/**
 * Takes away the lock of a holder that has ended. Of several that find it only one at a time may look and remove, or
 * the second would remove the lock that the first has taken since: for this each holder's name is a lock of its own.
 * A holder's name never comes back.
 */
async function removeStale(file: string, holder: string): Promise<void> {
  const release = await acquire(join(dirname(file), `${holder}.stale`), {});
  try {
    if ((await holderOf(file)) === holder) await unlink(file).catch(unlessMissing);
    await unlink(join(dirname(file), holder)).catch(unlessMissing);
  } finally {
    await release();
  }
}

/** Removes what killed holders left in a folder, where no process has asked for the lock since. */
export async function removeAbandonedLocks(folder: string): Promise<void> {
  const names = await readdir(folder).catch(() => []);
  const holders = await Promise.all(
    names
      .filter((name) => LOCK_NAME.test(name))
      .map(async (name) => {
        const file = join(folder, name);
        const holder = await readlink(file).catch(() => undefined);
        if (holder !== undefined && (await isGone(folder, holder))) await removeStale(file, holder);
        return holder;
      }),
  );
  // Those of processes that were killed in the moment between making their socket and taking the lock.
  const alone = names.filter((name) => SOCKET_NAME.test(name) && !holders.includes(name));
  await Promise.all(
    alone.map(async (name) => {
      const isNew = name.endsWith('.new') && Date.now() - (await changedAt(join(folder, name))) < SETTLED_MS;
      if (!isNew && (await isGone(folder, name))) await unlink(join(folder, name)).catch(unlessMissing);
    }),
  );
}

/** In which a socket that was made begins to listen. */
const SETTLED_MS = 60_000;

async function changedAt(path: string): Promise<number> {
  return lstat(path).then(
    ({ mtimeMs }) => mtimeMs,
    () => 0,
  );
}

async function isGone(folder: string, holder: string): Promise<boolean> {
  const connection = await connectTo(folder, holder);
  if (typeof connection === 'object') connection.destroy();
  return connection === 'gone';
}

const SOCKET_NAME = /^\.holder-[0-9a-f]{32}(\.new)?$/;
const LOCK_NAME = /\.(lock|stale)$/;

interface Listening {
  readonly name: string;
  close(): Promise<void>;
}

async function listen(folder: string): Promise<Listening> {
  const name = `.holder-${randomBytes(16).toString('hex')}`;
  const waiting = new Set<Socket>();
  const server = createServer((socket) => {
    waiting.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => waiting.delete(socket));
    socket.unref();
  });
  // Under its name only when it answers: until then it would look like a dead holder's.
  await inFolder(folder, (path) => listenAt(server, join(path, `${name}.new`)));
  await rename(join(folder, `${name}.new`), join(folder, name));
  return {
    name,
    async close() {
      // Closed for new connections first: who waits must not come back to a socket that is still there.
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const socket of waiting) socket.destroy();
      await closed;
      await unlink(join(folder, name)).catch(unlessMissing);
    },
  };
}

function listenAt(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ path, backlog: 511 }, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

/** A connection to a holder; `gone` when no process listens any more; `busy` when it is alive and refuses more connections. */
async function connectTo(folder: string, name: string): Promise<Socket | 'gone' | 'busy'> {
  try {
    return await inFolder(folder, (path) => {
      return new Promise<Socket>((resolve, reject) => {
        const socket = connect({ path: join(path, name) });
        socket.once('error', reject);
        socket.once('connect', () => {
          socket.off('error', reject);
          socket.on('error', () => undefined);
          resolve(socket);
        });
      });
    });
  } catch (error) {
    const code = codeOf(error);
    if (code === 'ECONNREFUSED' || code === 'ENOENT') return 'gone';
    if (code === 'EAGAIN' || code === 'EMFILE' || code === 'ENFILE' || code === 'ECONNRESET') return 'busy';
    throw error;
  }
}

function untilClosed(socket: Socket, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    const stop = (): void => void socket.destroy();
    signal?.addEventListener('abort', stop, { once: true });
    socket.on('close', () => {
      signal?.removeEventListener('abort', stop);
      resolve();
    });
    socket.resume();
    if (signal?.aborted === true || socket.destroyed) stop();
    if (socket.closed) resolve();
  });
}

/** A socket's path may have 107 bytes; through a descriptor of its folder it always does. */
async function inFolder<T>(folder: string, use: (path: string) => Promise<T>): Promise<T> {
  if (process.platform !== 'linux') return use(folder);
  const descriptor = openSync(folder, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    return await use(`/proc/self/fd/${descriptor}`);
  } finally {
    closeSync(descriptor);
  }
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error ? String(error.code) : undefined;
}

function unlessMissing(error: unknown): void {
  if (codeOf(error) !== 'ENOENT') throw error;
}
