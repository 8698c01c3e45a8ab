import { connect, createServer, type Socket } from 'node:net';

/** What stands between a run and its model: connections over it can be cut, refused and delayed. */
export interface ModelProxy {
  /** As the model's, for `model.base_url`. */
  readonly url: string;
  /** Ends every connection at once. @returns how many there were */
  cut(): number;
  /** Connections that are made end at once, until `milliseconds` are over. */
  refuse(milliseconds: number): void;
  /** Whatever comes from the model until `milliseconds` are over is held back as long. */
  delay(milliseconds: number): void;
  close(): Promise<void>;
}

export async function startModelProxy(model: string): Promise<ModelProxy> {
  const target = new URL(model);
  const sockets = new Set<Socket>();
  let refusedUntil = 0;
  let delayedUntil = 0;
  let delayed = 0;

  const server = createServer((socket) => {
    if (Date.now() < refusedUntil) {
      socket.destroy();
      return;
    }
    const behind = connect(Number(target.port), target.hostname);
    sockets.add(socket);
    const end = (): void => {
      sockets.delete(socket);
      socket.destroy();
      behind.destroy();
    };
    for (const side of [socket, behind]) side.on('error', end).on('close', end);
    socket.pipe(behind);
    let heldUntil = 0;
    behind.on('data', (bytes: Buffer) => {
      const now = Date.now();
      if (now < delayedUntil) heldUntil = Math.max(heldUntil, now + delayed);
      const send = (): void => void (socket.writable && socket.write(bytes));
      // What comes later never overtakes: timers that are due together fire in the order they were set.
      if (now < heldUntil) setTimeout(send, heldUntil - now);
      else send();
    });
  });
  const port = await new Promise<number>((resolve) => {
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      resolve(typeof address === 'object' && address !== null ? address.port : 0);
    });
  });
  const cut = (): number => {
    const open = [...sockets];
    for (const socket of open) socket.destroy();
    return open.length;
  };
  return {
    url: `http://127.0.0.1:${port}${target.pathname}`,
    cut,
    refuse(milliseconds) {
      refusedUntil = Date.now() + milliseconds;
    },
    delay(milliseconds) {
      delayed = milliseconds;
      delayedUntil = Date.now() + milliseconds;
    },
    async close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      cut();
      await closed;
    },
  };
}
