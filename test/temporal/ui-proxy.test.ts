import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { connect as connectSocket, type AddressInfo } from 'node:net';
import { promisify } from 'node:util';
import { Client } from '@temporalio/client';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { connect, embeddedTarget, type TemporalConnection } from '../../src/temporal/connection.ts';
import { startOrAttachDevServer, type DevServer } from '../../src/temporal/dev-server.ts';
import { startUiProxy, type UiProxy } from '../../src/temporal/ui-proxy.ts';
import { cannotSwitch, ORDINARY_UID } from '../sandbox/another-user.ts';
import { temporaryFolder as makeFolder } from '../sandbox/fixtures.ts';
import { findChromium, startChromium, type Chromium } from './chromium.ts';
import { testCacheDirectory } from './fixtures.ts';

const folder = makeFolder();
let server: DevServer;
let temporal: TemporalConnection;
let ui: UiProxy;
let origin: string;

beforeAll(async () => {
  server = await startOrAttachDevServer({ stateDirectory: folder.path, cacheDirectory: testCacheDirectory() });
  temporal = await connect(embeddedTarget(server));
  await new Client(temporal).workflow.start('any', { taskQueue: 'nobody', workflowId: 'the-owners-own' });
  ui = await startUiProxy(server.uiSocket);
  ({ origin } = new URL(ui.link));
});
afterAll(async () => {
  await ui.close();
  await temporal.close();
  await server.release({ wait: true });
  folder.remove();
});

const WORKFLOWS = '/api/v1/namespaces/default/workflows';

describe('what asks without being the page that was opened by the link is refused', () => {
  const cookie = async (): Promise<string> => (await fetch(ui.link)).headers.get('set-cookie')?.split(';')[0] ?? '';
  /** Node's own fetch decides on Host and Origin itself. */
  const ask = async (headers: Readonly<Record<string, string>>): Promise<number> => {
    const given = Object.entries(headers).flatMap(([name, value]) => ['-H', `${name}: ${value}`]);
    const code = ['-s', '-o', '/dev/null', '-w', '%{http_code}'];
    const { stdout } = await promisify(execFile)('curl', [...code, ...given, `${origin}${WORKFLOWS}`]);
    return Number(stdout);
  };

  test('but with the cookie that the link is exchanged for, it is served', async () => {
    const given = { cookie: await cookie() };
    // The interface has its own way to find out that the server is up.
    await expect.poll(() => ask(given), { timeout: 20_000 }).toBe(200);
    expect(await ask({ ...given, origin, 'sec-fetch-site': 'same-origin' })).toBe(200);
  });

  test.each([
    ['without the cookie', {}],
    ['with another', { cookie: 'durable-rlm-ui-1=x' }],
  ])('%s', async (_, headers) => {
    expect(await ask(headers)).toBe(403);
  });

  test.each([
    ['for another host', { host: 'rebound.example' }],
    ['for another port', { host: '127.0.0.1:1' }],
    ['from another page', { origin: 'https://evil.example' }],
    ['from a page of another port', { origin: 'http://127.0.0.1:1' }],
    ['from a page without an origin', { origin: 'null' }],
    ['from a picture or a form of another page', { 'sec-fetch-site': 'cross-site' }],
    ['from one of another port', { 'sec-fetch-site': 'same-site' }],
  ])('%s, though with the cookie', async (_, headers) => {
    expect(await ask({ cookie: await cookie(), ...headers })).toBe(403);
  });

  test('with a link that is not the one that was printed', async () => {
    const answer = await fetch(`${origin}/open?token=guess`);
    expect([answer.status, answer.headers.get('set-cookie')]).toEqual([403, null]);
  });

  test.each(['//[', '//a:b', 'http://[', '//%00', '/\\\\', '*'])(
    'for a path that is none (%s), and what asks next is answered',
    async (path) => {
      const head = [`GET ${path} HTTP/1.1`, `Host: ${new URL(origin).host}`, 'Connection: close', '', ''].join('\r\n');
      const socket = connectSocket(Number(new URL(origin).port), '127.0.0.1', () => socket.write(head));
      const [answer] = (await once(socket, 'data')) as [Buffer];
      expect(answer.toString('latin1')).toMatch(/^HTTP\/1\.1 4\d\d /);
      expect(await ask({})).toBe(403);
    },
  );

  const why = cannotSwitch(process.execPath);
  test.skipIf(why !== undefined)(
    `by another user, who has the link${why === undefined ? '' : ` (skipped: ${why})`}`,
    async () => {
      const asked = (as: object): Promise<string> =>
        promisify(execFile)('curl', ['-s', '-o', '/dev/null', '-w', '%{http_code}', ui.link], { cwd: '/', ...as }).then(
          ({ stdout }) => stdout,
          (error: { stdout: string }) => error.stdout,
        );
      expect(await asked({ uid: ORDINARY_UID, gid: ORDINARY_UID })).toBe('000');
      expect(await asked({})).toBe('200');
    },
  );
});

const chromium = findChromium();
describe.skipIf(chromium === undefined)(
  `in a browser${chromium === undefined ? ' (skipped: no Chromium is installed)' : ''}`,
  { timeout: 60_000 },
  () => {
    let browser: Chromium;
    let evil: ReturnType<typeof createServer>;
    let evilPort: number;
    beforeAll(async () => {
      evil = createServer((_, response) => response.setHeader('content-type', 'text/html').end('<body>evil</body>'));
      evil.listen(0, '127.0.0.1');
      await once(evil, 'listening');
      evilPort = (evil.address() as AddressInfo).port;
      browser = await startChromium(chromium ?? '', ['rebound.example', 'evil.example']);
      // Whatever is tried below is tried in the browser of somebody who has opened the interface.
      await browser.open(ui.link);
    });
    afterAll(async () => {
      await browser.close();
      evil.close();
    });

    test('the link opens the interface, which shows the workflows', async () => {
      const page = await browser.open(ui.link);
      await expect
        .poll(() => page.evaluate('document.body.innerText'), { timeout: 30_000 })
        .toContain('the-owners-own');
      expect(await page.evaluate('location.href')).not.toContain('token');
      expect(await page.evaluate('document.cookie')).not.toContain('durable-rlm-ui');
    });

    test.each([
      ['of another site', 'evil.example'],
      ['of another port of this host', '127.0.0.1'],
    ])('a page %s reads nothing and starts nothing', async (_, host) => {
      const page = await browser.open(`http://${host}:${evilPort}/`);
      const read = `fetch('${origin}${WORKFLOWS}', {credentials: 'include'}).then((r) => r.text(), (e) => 'blocked')`;
      expect(await page.evaluate(read)).toBe('blocked');

      const start = { workflowType: { name: 'investigate' }, taskQueue: { name: 'durable-rlm' } };
      const post = `fetch('${origin}${WORKFLOWS}/started-by-a-page', {method: 'POST', mode: 'no-cors', credentials: 'include',
        headers: {'content-type': 'text/plain'}, body: ${JSON.stringify(JSON.stringify(start))}}).then(() => 'sent')`;
      expect(await page.evaluate(post)).toBe('sent');
      const terminate = `fetch('${origin}${WORKFLOWS}/the-owners-own/terminate', {method: 'POST', mode: 'no-cors',
        credentials: 'include', body: '{}'}).then(() => 'sent')`;
      expect(await page.evaluate(terminate)).toBe('sent');
      const { workflow } = new Client(temporal);
      await expect(workflow.getHandle('started-by-a-page').describe()).rejects.toThrow(/not found/);
      expect(await workflow.getHandle('the-owners-own').describe()).toMatchObject({ status: { name: 'RUNNING' } });
    });

    test('a name that was turned to the loopback is told nothing', async () => {
      const { port } = new URL(origin);
      const page = await browser.open(`http://rebound.example:${port}/`);
      expect(await page.evaluate('document.body.innerText')).toContain('This is not the host rebound.example');
      const read = `fetch('${WORKFLOWS}').then(async (r) => [r.status, await r.text()].join(' '))`;
      expect(await page.evaluate(read)).toContain('403 This is not the host rebound.example');
      const withLink = await browser.open(ui.link.replace('127.0.0.1', 'rebound.example'));
      expect(await withLink.evaluate('document.body.innerText')).toContain('This is not the host rebound.example');
    });
  },
);
