import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { isOwnSocket, loopbackPeer } from '../loopback/loopback-peer.ts';

/** A port of the loopback that leads to a unix socket, for this process alone. */
export interface UnixRelay {
  /** `host:port`. */
  readonly address: string;
  close(): Promise<void>;
}

/** The path of an address such as `unix:///run/user/1000/temporal`; undefined for any other. */
export function unixSocketPath(address: string): string | undefined {
  return /^unix:(?:\/\/)?(\/.*)$/.exec(address)?.[1];
}

/**
 * Temporal's SDK dials `host:port` only. Connections that are not this process's own are closed: a port of the loopback
 * is open to every user of the machine, and to web pages.
 */
export async function openUnixRelay(path: string): Promise<UnixRelay> {
  const ends = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => {
    client.on('error', () => client.destroy());
    const peer = loopbackPeer(client);
    if (peer === undefined || peer.uid !== process.getuid?.() || !isOwnSocket(peer)) {
      client.destroy();
      return;
    }
    const onward = connect({ path, allowHalfOpen: true });
    for (const [end, other] of [
      [client, onward],
      [onward, client],
    ] as const) {
      ends.add(end);
      end.on('error', () => end.destroy());
      end.once('close', () => {
        ends.delete(end);
        other.destroy();
      });
      end.pipe(other);
    }
  });
  // It must not keep a process that has nothing else to do.
  server.unref();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what a server on a port says
  const { port } = server.address() as AddressInfo;
  return {
    address: `127.0.0.1:${port}`,
    async close() {
      const closed = once(server, 'close');
      server.close();
      for (const end of ends) end.destroy();
      await closed;
    },
  };
}
