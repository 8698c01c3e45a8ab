import { once } from 'node:events';
import { chmod, chown, open } from 'node:fs/promises';
import { createServer, request as askHttp, type IncomingMessage, type ServerResponse } from 'node:http';
import { connect, type Socket } from 'node:net';
import { basename, dirname } from 'node:path';
import { defaultPort, EgressRefused, type EgressPolicy } from './egress-policy.ts';
import { askUpstream, upstreamFor } from './upstream-proxy.ts';

/** The way out of a sandbox without network: an HTTP proxy on a unix socket, for plain requests and for CONNECT. */
export interface EgressProxy {
  close(): Promise<void>;
}

export interface EgressProxyOptions {
  readonly socketPath: string;
  /** Who may connect; null: this user only. */
  readonly owner: number | null;
  readonly policy: EgressPolicy;
  /** The worker's: names the proxy that is between this host and the internet. */
  readonly environment: NodeJS.ProcessEnv;
  /** Who asks, in what is logged: `sandbox.setup`. */
  readonly subject: string;
  /** Gets a line for each host that was refused. */
  readonly log: (line: string) => void;
}

/** Connections at the same time. */
const MAX_CONNECTIONS = 256;
/** Hosts of which it is said that they were refused. */
const MAX_LINES = 10;
const HOP_BY_HOP = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'proxy-authorization',
  'te',
  'trailer',
  'upgrade',
]);

export async function startEgressProxy(options: EgressProxyOptions): Promise<EgressProxy> {
  const { policy, environment } = options;
  const sockets = new Set<Socket>();
  const refused = new Set<string>();

  const server = createServer((request, response) => {
    forward(request, response).catch((error: unknown) => {
      const { status, why } = explain(error);
      if (response.headersSent) {
        response.destroy();
        return;
      }
      response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8' });
      response.end(`${why}\n`);
    });
  });
  server.on('connect', (request: IncomingMessage, client: Socket, head: Buffer) => {
    tunnel(request, client, head).catch((error: unknown) => {
      const { status, why } = explain(error);
      client.end(`HTTP/1.1 ${status} ${reasonPhrase(why)}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`);
    });
  });
  server.on('connection', keep);
  server.maxConnections = MAX_CONNECTIONS;
  server.unref();
  await listen(server, options);
  return {
    async close() {
      const closed = once(server, 'close');
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };

  function keep(socket: Socket): void {
    sockets.add(socket);
    socket.on('error', () => socket.destroy());
    socket.once('close', () => sockets.delete(socket));
  }

  async function tunnel(request: IncomingMessage, client: Socket, head: Buffer): Promise<void> {
    const { host, port } = hostAndPort(`https://${request.url ?? ''}`);
    const upstream = upstreamFor(environment, { protocol: 'https:', host, port });
    const onward = upstream === undefined ? await dialed(host, port) : await throughUpstream(upstream, host, port);
    keep(onward);
    if (client.destroyed) return void onward.destroy();
    client.write('HTTP/1.1 200 Connection established\r\n\r\n');
    onward.write(head);
    for (const [end, other] of [
      [client, onward],
      [onward, client],
    ] as const) {
      end.once('close', () => other.destroy());
      end.pipe(other);
    }
  }

  async function dialed(host: string, port: number): Promise<Socket> {
    const socket = connect({ host, port, lookup: policy.lookupFor(host, port) });
    await once(socket, 'connect');
    return socket;
  }

  async function throughUpstream(upstream: URL, host: string, port: number): Promise<Socket> {
    await policy.checkName(host, port);
    const target = `${host.includes(':') ? `[${host}]` : host}:${port}`;
    const asked = askUpstream(upstream, { method: 'CONNECT', path: target, headers: { host: target } });
    // What happens to its socket later concerns the tunnel.
    asked.on('error', () => undefined);
    asked.end();
    const [answer, socket] = (await Promise.race([
      once(asked, 'connect'),
      once(asked, 'response').then(([response]) => [response, undefined]),
    ])) as [IncomingMessage, Socket | undefined];
    if (answer.statusCode === 200 && socket !== undefined) return socket;
    asked.destroy();
    throw new Error(`the proxy ${upstream.host} answers ${answer.statusCode}`);
  }

  async function forward(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = request.url ?? '';
    if (!url.startsWith('http://')) throw new Error('this is a proxy: it takes CONNECT and http:// requests');
    const { host, port } = hostAndPort(url);
    const given = Object.entries(request.headers).filter(([name]) => !HOP_BY_HOP.has(name));
    // The server that is asked for, not another one that the same machine has behind a header.
    const headers = { ...Object.fromEntries(given), host: new URL(url).host };
    const { method } = request;
    const upstream = upstreamFor(environment, { protocol: 'http:', host, port });
    if (upstream !== undefined) await policy.checkName(host, port);
    const { pathname, search } = new URL(url);
    const onward =
      upstream === undefined
        ? askHttp({
            host,
            port,
            method,
            path: pathname + search,
            headers,
            lookup: policy.lookupFor(host, port),
            agent: false,
          })
        : askUpstream(upstream, { method, path: url, headers });
    onward.on('error', () => undefined);
    response.once('close', () => onward.destroy());
    request.pipe(onward);
    const [answer] = (await once(onward, 'response')) as [IncomingMessage];
    response.writeHead(
      answer.statusCode ?? 502,
      Object.fromEntries(Object.entries(answer.headers).filter(([name]) => !HOP_BY_HOP.has(name))),
    );
    answer.on('error', () => response.destroy());
    answer.pipe(response);
  }

  function explain(error: unknown): { status: number; why: string } {
    const why = error instanceof Error ? error.message : String(error);
    if (!(error instanceof EgressRefused)) return { status: 502, why };
    if (refused.size < MAX_LINES && !refused.has(why)) {
      refused.add(why);
      options.log(`${options.subject} was refused a connection: ${why}.`);
    }
    return { status: 403, why };
  }
}

function hostAndPort(text: string): { host: string; port: number } {
  const url = new URL(text);
  return { host: url.hostname.replace(/^\[(.*)\]$/, '$1'), port: Number(url.port || defaultPort(url.protocol)) };
}

/** Of one line, as HTTP has it. */
function reasonPhrase(text: string): string {
  return text.replaceAll(/[^\x20-\x7e]+/g, ' ').slice(0, 300);
}

/** The folder is entered through a descriptor: its path may be longer than a socket's may be. */
async function listen(
  server: ReturnType<typeof createServer>,
  { socketPath, owner }: EgressProxyOptions,
): Promise<void> {
  const folder = await open(dirname(socketPath));
  try {
    server.listen(`/proc/self/fd/${folder.fd}/${basename(socketPath)}`);
    await once(server, 'listening');
  } finally {
    await folder.close();
  }
  await chmod(socketPath, 0o600);
  if (owner !== null) await chown(socketPath, owner, owner);
}
