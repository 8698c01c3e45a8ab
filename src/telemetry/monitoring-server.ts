import { createServer, type ServerResponse } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';

/** What a path answers with. */
export type Route = () => Promise<{ readonly status: number; readonly type: string; readonly body: string }>;

export interface MonitoringServer {
  readonly address: string;
  readonly port: number;
  readonly paths: readonly string[];
  close(): Promise<void>;
}

/** Serves some paths over plain HTTP. @throws Error when the port cannot be had */
export async function startMonitoringServer(options: {
  readonly address: string;
  /** 0: any that is free. */
  readonly port: number;
  readonly routes: Readonly<Record<string, Route>>;
}): Promise<MonitoringServer> {
  const server = createServer((request, response) => {
    const pathname = URL.parse(request.url ?? '/', 'http://worker')?.pathname ?? '';
    const route = Object.hasOwn(options.routes, pathname) ? options.routes[pathname] : undefined;
    const isRead = request.method === 'GET' || request.method === 'HEAD';
    if (route === undefined || !isRead) {
      const known = Object.keys(options.routes).join(', ');
      return send(response, { status: isRead ? 404 : 405, type: 'text/plain', body: `There is: GET ${known}\n` });
    }
    route().then(
      (answer) => send(response, answer),
      (error: unknown) => send(response, { status: 500, type: 'text/plain', body: `${String(error)}\n` }),
    );
  });
  server.listen(options.port, options.address);
  await once(server, 'listening');
  // It must not keep a worker that has ended from ending.
  server.unref();
  const { address, port } = server.address() as AddressInfo;
  return {
    address,
    port,
    paths: Object.keys(options.routes),
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

function send(response: ServerResponse, { status, type, body }: Awaited<ReturnType<Route>>): void {
  response.writeHead(status, { 'content-type': type, 'cache-control': 'no-store' });
  response.end(body);
}
