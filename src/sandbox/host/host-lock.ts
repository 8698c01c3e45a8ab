import { createHash } from 'node:crypto';
import { connect, createServer, type Server } from 'node:net';

/**
 * Runs `work` while nobody else on this host runs work of the same name, in this process or another.
 *
 * The lock is a listening socket in Linux's abstract namespace: taking it is atomic, it ends with its process
 * however that ends, and waiting is a connection that closes, so nothing is left over and nothing is polled.
 */
export async function withHostLock<T>(
  name: string,
  signal: AbortSignal | undefined,
  work: () => Promise<T>,
): Promise<T> {
  const address = `\0durable-rlm-${createHash('sha256').update(name).digest('hex').slice(0, 40)}`;
  let held = await take(address);
  while (held === undefined) {
    signal?.throwIfAborted();
    await untilReleased(address, signal);
    held = await take(address);
  }
  try {
    signal?.throwIfAborted();
    return await work();
  } finally {
    await held.release();
  }
}

const RETRY_MS = 20;

interface HeldLock {
  release(): Promise<void>;
}

function take(address: string): Promise<HeldLock | undefined> {
  return new Promise((resolve, reject) => {
    const waiting = new Set<{ destroy(): void }>();
    const server: Server = createServer((socket) => {
      waiting.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => waiting.delete(socket));
      socket.unref();
    });
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') resolve(undefined);
      else reject(error);
    });
    server.listen({ path: address, backlog: 511 }, () => {
      resolve({
        release: () =>
          new Promise((done) => {
            // Closed for new ones first: who waits must not come back to a lock that is still there.
            server.close(() => done());
            for (const socket of waiting) socket.destroy();
          }),
      });
    });
  });
}

function untilReleased(address: string, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect({ path: address });
    const stop = (): void => void socket.destroy();
    signal?.addEventListener('abort', stop, { once: true });
    socket.on('error', () => undefined);
    socket.on('close', (failed) => {
      signal?.removeEventListener('abort', stop);
      // More are waiting than its queue has room for, or it was released just now.
      if (failed) setTimeout(resolve, RETRY_MS);
      else resolve();
    });
  });
}
