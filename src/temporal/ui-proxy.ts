import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { once } from 'node:events';
import { Agent, createServer, request as askServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { loopbackPeer } from './loopback-peer.ts';

/** Temporal's web interface, for the person who was given the link. */
export interface UiProxy {
  /** Opens it; the browser that followed it once needs it no more. */
  readonly link: string;
  close(): Promise<void>;
}

const COOKIE = 'durable-rlm-ui';
const OPEN = '/open';
/** Of one connection only. */
const HOP_BY_HOP = ['connection', 'keep-alive', 'proxy-connection', 'te', 'trailer', 'upgrade'];

/**
 * Serves the web interface that answers on a unix socket, on a port of the loopback. The interface itself does whatever it
 * is asked by anybody, and every user of the machine and every web page can reach the port. So a request must come from a
 * process of this user, for this very host and port (a name that was turned to the loopback is another), from no other
 * page, and with the cookie that the link was exchanged for.
 */
export async function startUiProxy(socketPath: string): Promise<UiProxy> {
  const token = randomBytes(32).toString('base64url');
  const session = randomBytes(32).toString('base64url');
  const agent = new Agent({ keepAlive: true });

  const server = createServer((request, response) => {
    const { port } = request.socket.address() as AddressInfo;
    const refusal = checkSource(request, port);
    if (refusal !== undefined) return refuse(response, refusal);
    // A path that is none, such as //[, can be asked for by any page.
    const url = URL.parse(request.url ?? '/', `http://127.0.0.1:${port}`);
    if (url === null) return refuse(response, 'This is no address.');
    if (url.pathname === OPEN && request.method === 'GET') {
      if (!isEqual(url.searchParams.get('token') ?? '', token))
        return refuse(response, 'This link is not valid (any more).');
      return welcome(response, session);
    }
    if (!isFromOwnPage(request)) return refuse(response, 'The request comes from another page.');
    if (!isEqual(cookieOf(request) ?? '', session)) {
      return refuse(response, 'Open the link that rlm up --ui has printed.');
    }
    return pass(request, response, { socketPath, agent });
  });
  server.on('connection', (socket) => {
    if (loopbackPeer(socket)?.uid !== process.getuid?.()) socket.destroy();
  });
  // It must not keep a command that has ended from ending.
  server.unref();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    link: `http://127.0.0.1:${port}${OPEN}?token=${token}`,
    async close() {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      agent.destroy();
      await closed;
    },
  };
}

/** @returns why it is refused, whatever it asks for */
function checkSource({ headers }: IncomingMessage, port: number): string | undefined {
  const hosts = [`127.0.0.1:${port}`, `localhost:${port}`];
  if (!hosts.includes(headers.host ?? '')) return `This is not the host ${headers.host ?? ''}.`;
  const { origin } = headers;
  if (origin !== undefined && origin !== `http://${headers.host}`) return 'The request comes from another page.';
  return undefined;
}

/** Browsers say so of every request; what else a user runs does not have to. */
function isFromOwnPage({ headers }: IncomingMessage): boolean {
  const site = headers['sec-fetch-site'];
  return site === undefined || site === 'same-origin' || site === 'none';
}

function cookieOf({ headers }: IncomingMessage): string | undefined {
  const pairs = (headers.cookie ?? '').split(';').map((pair) => pair.trim());
  return pairs.find((pair) => pair.startsWith(`${COOKIE}=`))?.slice(COOKIE.length + 1);
}

function isEqual(given: string, expected: string): boolean {
  const [one, other] = [given, expected].map((text) => createHash('sha256').update(text).digest());
  return one !== undefined && other !== undefined && timingSafeEqual(one, other);
}

/** The next page is asked for by this one and not by where the link was clicked, so the cookie goes with it. */
function welcome(response: ServerResponse, session: string): void {
  response.writeHead(200, {
    'content-type': 'text/html; charset=utf-8',
    'set-cookie': `${COOKIE}=${session}; HttpOnly; SameSite=Strict; Path=/`,
    'cache-control': 'no-store',
    'referrer-policy': 'no-referrer',
  });
  response.end('<!doctype html><meta http-equiv="refresh" content="0; url=/"><title>Temporal</title>\n');
}

function refuse(response: ServerResponse, why: string): void {
  response.writeHead(403, { 'content-type': 'text/plain; charset=utf-8', 'cache-control': 'no-store' });
  response.end(`${why}\n`);
}

function pass(request: IncomingMessage, response: ServerResponse, to: { socketPath: string; agent: Agent }): void {
  const { cookie = '', origin: _, ...headers } = withoutHopByHop(request.headers);
  const others = cookie.split(';').filter((pair) => !pair.trim().startsWith(`${COOKIE}=`));
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
