import { once } from 'node:events';
import { Agent, createServer, request as askServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { guardLoopback } from '../loopback/guard.ts';

/** Temporal's web interface, for the person who was given the link. */
export interface UiProxy {
  /** Opens it; the browser that followed it once needs it no more. */
  readonly link: string;
  close(): Promise<void>;
}

const COOKIE = 'durable-rlm-ui';
/** Of one connection only. */
const HOP_BY_HOP = ['connection', 'keep-alive', 'proxy-connection', 'te', 'trailer', 'upgrade'];

/**
 * Serves the web interface that answers on a unix socket, on a port of the loopback, to who has the link. The interface
 * itself does whatever it is asked by anybody.
 */
export async function startUiProxy(socketPath: string): Promise<UiProxy> {
  const agent = new Agent({ keepAlive: true });
  const server = createServer((request, response) => {
    if (guard.admit(request, response) !== undefined) pass(request, response, { socketPath, agent });
  });
  const guard = guardLoopback(server, { cookie: COOKIE, command: 'rlm up --ui', title: 'Temporal' });
  // It must not keep a command that has ended from ending.
  server.unref();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    link: guard.link(port),
    async close() {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      agent.destroy();
      await closed;
    },
  };
}

function pass(request: IncomingMessage, response: ServerResponse, to: { socketPath: string; agent: Agent }): void {
  const { cookie = '', origin: _, ...headers } = withoutHopByHop(request.headers);
  const others = cookie.split(';').filter((pair) => !pair.trim().startsWith(`${COOKIE}-`));
  const onward = askServer({
    ...to,
    method: request.method,
    path: request.url,
    headers: { ...headers, host: 'temporal', ...(others.length === 0 ? {} : { cookie: others.join(';') }) },
  });
  onward.on('response', (answer) => {
    response.writeHead(answer.statusCode ?? 502, {
      ...withoutHopByHop(answer.headers),
      'x-frame-options': 'DENY',
      'cross-origin-resource-policy': 'same-origin',
    });
    answer.pipe(response);
  });
  onward.on('error', () => {
    if (response.headersSent) {
      response.destroy();
      return;
    }
    response.writeHead(502, { 'content-type': 'text/plain; charset=utf-8' });
    response.end("Temporal's web interface does not answer.\n");
  });
  response.on('close', () => onward.destroy());
  request.pipe(onward);
}

function withoutHopByHop<Headers extends NodeJS.Dict<string | string[]>>(headers: Headers): Headers {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- all of these may be missing
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !HOP_BY_HOP.includes(name))) as Headers;
}
