import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { guardLoopback } from '../loopback/guard.ts';
import { readPageFiles, type PageFiles } from './page-files.ts';
import { answerApi, sendError } from './routes.ts';
import type { RunSource } from './run-source.ts';
import { createRunWatch } from './watch-runs.ts';

export interface ViewerServer {
  /** Opens the list of runs, or a run. The browser that followed it once needs it no more. */
  link(run?: string): string;
  close(): Promise<void>;
}

/** Nothing but what this server sends, and nothing that a text could make of itself. */
const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "connect-src 'self'",
  "img-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join('; ');

/** Serves the page and what it shows on a port of the loopback, to who has the link. */
export async function startViewer(source: RunSource, { port = 0 }: { port?: number } = {}): Promise<ViewerServer> {
  const files = await readPageFiles();
  const watch = createRunWatch(source);
  const server = createServer((request, response) => {
    const url = guard.admit(request, response);
    if (url === undefined) return;
    if (url.pathname.startsWith('/api/')) {
      answerApi({ source, watch }, { url, request, response }).catch((error: unknown) => sendError(response, error));
    } else sendPage(files, url.pathname, { request, response });
  });
  const guard = guardLoopback(server, { cookie: 'durable-rlm-view', command: 'rlm view', title: 'Runs' });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  const { port: listening } = server.address() as AddressInfo;
  return {
    link: (run) => guard.link(listening, run === undefined ? undefined : `/runs/${encodeURIComponent(run)}`),
    async close() {
      watch.close();
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

function sendPage(
  { html, script, style }: PageFiles,
  path: string,
  { request, response }: { readonly request: IncomingMessage; readonly response: ServerResponse },
): void {
  const found = {
    '/': { type: 'text/html', text: html },
    '/page.js': { type: 'text/javascript', text: script },
    '/page.css': { type: 'text/css', text: style },
  }[path];
  // Browsers ask for it by themselves.
  if (path === '/favicon.ico') {
    response.writeHead(204).end();
    return;
  }
  const isRead = request.method === 'GET' || request.method === 'HEAD';
  response.writeHead(!isRead ? 405 : found === undefined ? 404 : 200, {
    'content-type': `${found?.type ?? 'text/plain'}; charset=utf-8`,
    'cache-control': 'no-store',
    'content-security-policy': CONTENT_SECURITY_POLICY,
    'cross-origin-opener-policy': 'same-origin',
    'cross-origin-resource-policy': 'same-origin',
    'referrer-policy': 'no-referrer',
    'x-content-type-options': 'nosniff',
    'x-frame-options': 'DENY',
  });
  response.end(found?.text ?? 'There is no such page.\n');
}
