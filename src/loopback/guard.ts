import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { loopbackPeer } from './loopback-peer.ts';

/**
 * Who may ask a server on the loopback. Every user of the machine and every web page can reach its port. So a request must
 * come from a process of this user, for this very host and port (a name that was turned to the loopback is another), from
 * no other page, and with the cookie that the printed link was exchanged for.
 */
export interface LoopbackGuard {
  /**
   * What is exchanged for the cookie. The browser that followed it once needs it no more.
   *
   * @param fragment what follows `#` in the address of the page that it opens
   */
  link(port: number, fragment?: string): string;
  /** @returns the address that is asked for; undefined when the request has been answered: it is refused, or was the link */
  admit(request: IncomingMessage, response: ServerResponse): URL | undefined;
}

const OPEN = '/open';

/**
 * @param cookie begins its name; cookies of one host are shared by all of its ports, so the port ends it
 * @param command that prints the link
 */
export function guardLoopback(
  server: Server,
  { cookie, command, title }: { readonly cookie: string; readonly command: string; readonly title: string },
): LoopbackGuard {
  const token = randomBytes(32).toString('base64url');
  const session = randomBytes(32).toString('base64url');
  server.on('connection', (socket) => {
    if (loopbackPeer(socket)?.uid !== process.getuid?.()) socket.destroy();
  });

  return {
    link: (port, fragment) =>
      `http://127.0.0.1:${port}${OPEN}?token=${token}${fragment === undefined ? '' : `&at=${encodeURIComponent(fragment)}`}`,
    admit(request, response) {
      const { port } = request.socket.address() as AddressInfo;
      const name = `${cookie}-${port}`;
      const refusal = checkSource(request, port);
      if (refusal !== undefined) return refuse(response, refusal);
      // Any page can ask for a malformed path, such as //[.
      const url = URL.parse(request.url ?? '/', `http://127.0.0.1:${port}`);
      if (url === null) return refuse(response, 'This is no address.');
      if (url.pathname === OPEN && request.method === 'GET') {
        if (!isEqual(url.searchParams.get('token') ?? '', token))
          return refuse(response, 'This link is not valid (any more).');
        return welcome(response, { cookie: `${name}=${session}`, title, fragment: url.searchParams.get('at') });
      }
      if (!isFromOwnPage(request)) return refuse(response, 'The request comes from another page.');
      if (!isEqual(cookieOf(request, name) ?? '', session))
        return refuse(response, `Open the link that ${command} has printed.`);
      return url;
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

function cookieOf({ headers }: IncomingMessage, name: string): string | undefined {
  const pairs = (headers.cookie ?? '').split(';').map((pair) => pair.trim());
  return pairs.find((pair) => pair.startsWith(`${name}=`))?.slice(name.length + 1);
}

function isEqual(given: string, expected: string): boolean {
  const [one, other] = [given, expected].map((text) => createHash('sha256').update(text).digest());
  return one !== undefined && other !== undefined && timingSafeEqual(one, other);
}

/** The next page is asked for by this one and not by where the link was clicked, so the cookie goes with it. */
function welcome(
  response: ServerResponse,
  { cookie, title, fragment }: { readonly cookie: string; readonly title: string; readonly fragment: string | null },
): undefined {
  response.writeHead(200, {
    'content-type': 'text/html; charset=utf-8',
    'set-cookie': `${cookie}; HttpOnly; SameSite=Strict; Path=/`,
    'cache-control': 'no-store',
    'referrer-policy': 'no-referrer',
    'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  });
  const to = fragment === null ? '/' : `/#${encodeURI(fragment).replaceAll(/["'<>&;]/g, encodeURIComponent)}`;
  response.end(`<!doctype html><meta http-equiv="refresh" content="0; url=${to}"><title>${title}</title>\n`);
  return undefined;
}

function refuse(response: ServerResponse, why: string): undefined {
  response.writeHead(403, {
    'content-type': 'text/plain; charset=utf-8',
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
  });
  response.end(`${why}\n`);
  return undefined;
}
