import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { createInterface } from 'node:readline';

/** A real browser without a window, spoken to over its DevTools protocol. */
export interface Chromium {
  /** Opens a page in a tab of its own and waits until it has loaded. */
  open(url: string): Promise<Page>;
  close(): Promise<void>;
}

export interface Page {
  /** The value of an expression in the page; a promise is awaited. */
  evaluate(expression: string): Promise<unknown>;
}

const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];

/** Path of a Chromium; undefined where none is installed. */
export function findChromium(): string | undefined {
  const folders = (process.env['PATH'] ?? '').split(delimiter);
  return folders.flatMap((folder) => NAMES.map((name) => join(folder, name))).find((path) => existsSync(path));
}

/** @param hosts names that the browser takes for 127.0.0.1, as a name does that was turned to the loopback. */
export async function startChromium(executable: string, hosts: readonly string[]): Promise<Chromium> {
  const profile = mkdtempSync(join(tmpdir(), 'rlm-chromium-'));
  const child = spawn(
    executable,
    [
      '--headless=new',
      '--no-sandbox',
      '--disable-gpu',
      '--disable-dev-shm-usage',
      '--no-first-run',
      '--no-proxy-server',
      '--remote-debugging-port=0',
      `--host-resolver-rules=${hosts.map((host) => `MAP ${host} 127.0.0.1`).join(',')}`,
      `--user-data-dir=${profile}`,
      'about:blank',
    ],
    { stdio: ['ignore', 'ignore', 'pipe'], env: { PATH: process.env['PATH'], HOME: profile } },
  );
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  const socket = new WebSocket(await endpointOf(child.stderr));
  await new Promise((resolve, reject) => {
    socket.addEventListener('open', resolve, { once: true });
    socket.addEventListener('error', reject, { once: true });
  });
  const devTools = createDevTools(socket);
  return {
    async open(url) {
      const { targetId } = await devTools.call('Target.createTarget', { url: 'about:blank' });
      const { sessionId } = await devTools.call('Target.attachToTarget', { targetId, flatten: true });
      const session = String(sessionId);
      await devTools.call('Page.enable', {}, session);
      const loaded = devTools.event('Page.loadEventFired', session);
      await devTools.call('Page.navigate', { url }, session);
      await loaded;
      return {
        async evaluate(expression) {
          const how = { expression, awaitPromise: true, returnByValue: true };
          const { result, exceptionDetails } = await devTools.call('Runtime.evaluate', how, session);
          if (exceptionDetails !== undefined) throw new Error(JSON.stringify(exceptionDetails));
          return (result as { value?: unknown }).value;
        },
      };
    },
    async close() {
      socket.close();
      child.kill('SIGKILL');
      await ended;
      rmSync(profile, { recursive: true, force: true, maxRetries: 10 });
    },
  };
}

async function endpointOf(stderr: NodeJS.ReadableStream): Promise<string> {
  const said: string[] = [];
  for await (const line of createInterface({ input: stderr })) {
    said.push(line);
    const endpoint = /^DevTools listening on (ws:.*)$/.exec(line)?.[1];
    if (endpoint === undefined) continue;
    // A full pipe would stop it.
    stderr.resume();
    return endpoint;
  }
  throw new Error(`Chromium did not start:\n${said.join('\n')}`);
}

type Values = Readonly<Record<string, unknown>>;

function createDevTools(socket: WebSocket): {
  call(method: string, params: Values, sessionId?: string): Promise<Values>;
  event(method: string, sessionId: string): Promise<void>;
} {
  const answers = new Map<number, (message: { result?: Values; error?: Values }) => void>();
  const events = new Map<string, () => void>();
  let last = 0;
  socket.addEventListener('message', ({ data }) => {
    const message = JSON.parse(String(data)) as { id?: number; method?: string; sessionId?: string; result?: Values };
    if (message.id === undefined) events.get(`${message.sessionId} ${message.method}`)?.();
    else answers.get(message.id)?.(message);
  });
  return {
    call(method, params, sessionId) {
      const id = (last += 1);
      socket.send(JSON.stringify({ id, method, params, ...(sessionId === undefined ? {} : { sessionId }) }));
      return new Promise((resolve, reject) => {
        answers.set(id, ({ result, error }) => {
          if (result === undefined) reject(new Error(`${method}: ${JSON.stringify(error)}`));
          else resolve(result);
        });
      });
    },
    event: (method, sessionId) => new Promise((resolve) => events.set(`${sessionId} ${method}`, resolve)),
  };
}
