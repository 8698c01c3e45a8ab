import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, mkdirSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { connect, type AddressInfo, type Server } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, describe, expect, it, onTestFinished } from 'vitest';
import { createEgressPolicy, PACKAGE_INDEXES, setupRules } from '../../src/sandbox/local/egress-policy.ts';
import { startEgressProxy } from '../../src/sandbox/local/egress-proxy.ts';
import { createLocalProvider } from '../../src/sandbox/local/index.ts';
import { cannotSwitch, ORDINARY_UID } from './another-user.ts';
import { makeRepository, sandboxRequest, temporaryFolder } from './fixtures.ts';
import { tryPorts } from './try-ports.ts';

const SCRIPT = fileURLToPath(new URL('try-ports.ts', import.meta.url));
const folder = temporaryFolder();
afterAll(() => folder.remove());

let count = 0;
/** Runs commands as `sandbox.setup` does. */
async function setUp(
  commands: readonly string[],
  {
    worker = {},
    handedOver = {},
    network = [],
  }: { worker?: NodeJS.ProcessEnv; handedOver?: Record<string, string>; network?: string[] } = {},
): Promise<string[]> {
  const place = join(folder.path, String((count += 1)));
  const logged: string[] = [];
  const provider = createLocalProvider({
    stateDirectory: join(place, 'state'),
    cacheDirectory: join(place, 'cache'),
    environment: worker,
    log: (line) => logged.push(line),
  });
  try {
    const repository = makeRepository(join(place, 'repository'), { 'a.txt': 'a\n' });
    // An environment of its own saves the time that making one with pip takes.
    const setup = {
      commands: ['python3 -m venv --without-pip .venv', ...commands],
      timeout: 60,
      environment: handedOver,
    };
    await provider.prepare(sandboxRequest('network', repository, { python: '.venv', setup, network }));
  } finally {
    await provider.close();
  }
  return logged;
}

async function listening(server: Server, host = '127.0.0.1'): Promise<number> {
  server.listen(0, host);
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  return (server.address() as AddressInfo).port;
}

/** Answers every request with its body. */
const answering = (body: string): Server => createHttpServer((_, response) => response.end(body));

describe('the commands of sandbox.setup', { timeout: 120_000 }, () => {
  it('reach no listening port of the host, neither by themselves nor through the way out', async () => {
    expect(await tryPorts(join(folder.path, 'own'))).toEqual({ reached: [], accepted: 0 });
  });

  const why = cannotSwitch(SCRIPT);
  it.skipIf(why !== undefined)(
    `nor do those of a worker that is another user${why === undefined ? '' : ` (skipped: ${why})`}`,
    async () => {
      const path = join(folder.path, 'other');
      mkdirSync(path);
      chownSync(folder.path, ORDINARY_UID, ORDINARY_UID);
      chownSync(path, ORDINARY_UID, ORDINARY_UID);
      const { stdout } = await promisify(execFile)(process.execPath, [SCRIPT, path], {
        uid: ORDINARY_UID,
        gid: ORDINARY_UID,
        cwd: '/',
        env: { PATH: process.env['PATH'], HOME: path, TMPDIR: path },
      });
      chownSync(folder.path, process.getuid?.() ?? 0, process.getgid?.() ?? 0);
      expect(JSON.parse(stdout)).toEqual({ reached: [], accepted: 0 });
    },
  );

  it('say which host they were refused, and which setting allows it', async () => {
    const port = await listening(answering('hello'));
    const failing = setUp([`curl -sS http://127.0.0.1:${port}/; false`]);
    await expect(failing).rejects.toThrow(
      new RegExp(`127\\.0\\.0\\.1:${port} is none of the hosts that may be reached\\. sandbox\\.network can allow it`),
    );
  });

  it('reach hosts that the worker allows, and package indexes that setup_env hands over', async () => {
    const [allowed, index, other] = await Promise.all([
      listening(answering('allowed')),
      listening(answering('index')),
      listening(answering('other')),
    ]);
    const get = (port: number, word: string): string => `test "$(curl -s http://127.0.0.1:${port}/simple/)" = ${word}`;
    const logged = await setUp([get(allowed, 'allowed'), get(index, 'index'), `! { ${get(other, 'other')}; }`], {
      worker: { DURABLE_RLM_PRIVATE_HOSTS: `packages.example, 127.0.0.1:${allowed}` },
      handedOver: { PIP_INDEX_URL: `http://user:word@127.0.0.1:${index}/simple/`, OTHER: `http://127.0.0.1:${other}/` },
    });
    expect(logged.filter((line) => line.includes('refused'))).toEqual([
      expect.stringContaining(`sandbox.setup was refused a connection: 127.0.0.1:${other} is none of the hosts`),
    ]);
  });

  it("go through the proxy that the worker's environment names", async () => {
    const asked: string[] = [];
    const upstream = createHttpServer((request, response) => {
      asked.push(`${request.method} ${request.url} ${request.headers['proxy-authorization']}`);
      response.end('from upstream');
    });
    upstream.on('connect', (request, socket) => {
      asked.push(`CONNECT ${request.url} ${request.headers['proxy-authorization']}`);
      socket.end('HTTP/1.1 503 Not today\r\n\r\n');
    });
    const proxy = `http://user:word@127.0.0.1:${await listening(upstream)}`;
    const secret = `Basic ${Buffer.from('user:word').toString('base64')}`;
    await setUp(
      [
        'test "$(curl -s http://packages.invalid/a?b=c)" = "from upstream"',
        '! curl -s https://packages.invalid/',
        // Which address a name has for the upstream proxy, nobody here knows; of these everybody does.
        'test "$(curl -s -o /dev/null -w "%{http_code}" http://localhost/)" = 403',
        'test "$(curl -s -o /dev/null -w "%{http_code}" http://169.254.169.254/)" = 403',
        'test "$(curl -s -o /dev/null -w "%{http_connect}" https://127.0.0.1:7233/)" = 403',
        '! env | grep -i word',
      ],
      {
        worker: { HTTP_PROXY: proxy, https_proxy: proxy },
        handedOver: { HTTPS_PROXY: proxy, no_proxy: '*' },
        network: ['*'],
      },
    );
    expect(asked).toEqual([`GET http://packages.invalid/a?b=c ${secret}`, `CONNECT packages.invalid:443 ${secret}`]);
  });
});

describe('which hosts the way out leads to', () => {
  const addressesOf = (host: string): Promise<string[] | string> =>
    new Promise((done) => {
      try {
        createEgressPolicy({ hosts: ['*'], anywhere: [] }).lookupFor(host, 443)(host, { all: true }, (error, found) => {
          done(error === null ? (found as { address: string }[]).map(({ address }) => address) : error.message);
        });
      } catch (error) {
        done(String(error));
      }
    });

  it.each([
    ['0.0.0.0'],
    ['10.1.2.3'],
    ['100.100.100.200'],
    ['127.0.0.1'],
    ['127.255.255.254'],
    ['169.254.169.254'],
    ['168.63.129.16'],
    ['172.31.0.1'],
    ['192.168.1.1'],
    ['224.0.0.1'],
    ['255.255.255.255'],
    ['::'],
    ['::1'],
    ['::7f00:1'],
    ['::ffff:127.0.0.1'],
    ['::ffff:a00:1'],
    ['64:ff9b::7f00:1'],
    ['64:ff9b::a00:1'],
    ['64:ff9b:1::1'],
    ['2002:7f00:1::1'],
    ['fc00::1'],
    ['fd00:ec2::254'],
    ['fe80::1'],
    ['fe80::1%lo'],
    ['fec0::1'],
    ['ff02::1'],
    ['localhost'],
    ['127.1'],
    ['2130706433'],
    ['0x7f.1'],
  ])('not %s', async (host) => {
    expect(await addressesOf(host)).toContain('is this machine or one of a private network');
  });

  it.each([
    ['1.1.1.1'],
    ['172.32.0.1'],
    ['192.169.0.1'],
    ['2606:4700::1111'],
    ['::ffff:1.1.1.1'],
    ['64:ff9b::101:101'],
  ])('%s', async (host) => {
    expect(await addressesOf(host)).toEqual([expect.any(String)]);
  });

  it('a name is looked up once for a connection, which goes to the address that was found then', async () => {
    const server = answering('of the host');
    const port = await listening(server);
    const dialed: string[] = [];
    server.on('connection', () => dialed.push('the host'));
    let lookups = 0;
    // First an address of the internet, which nobody answers at here; then, as names that are turned do, the loopback.
    const policy = createEgressPolicy({ hosts: ['turned.example'], anywhere: [] }, (_, { all }, callback) => {
      const address = (lookups += 1) === 1 ? '240.0.0.1' : '127.0.0.1';
      if (all === true) callback(null, [{ address, family: 4 }]);
      else callback(null, address, 4);
    });
    const socketPath = join(folder.path, 'proxy');
    const proxy = await startEgressProxy({
      socketPath,
      owner: null,
      policy,
      environment: {},
      log: () => undefined,
      subject: 'it',
    });
    for (const attempt of [1, 2, 3]) {
      const client = connect(socketPath);
      client.write(`CONNECT turned.example:${port} HTTP/1.1\r\nHost: turned.example\r\n\r\n`);
      const [answer] = (await once(client, 'data')) as [Buffer];
      expect(answer.toString()).toMatch(/^HTTP\/1\.1 (403|502) /);
      expect(lookups).toBe(attempt);
      client.destroy();
    }
    await proxy.close();
    expect(dialed).toEqual([]);
  });

  it('those of package indexes, by host and port, of no other variable', () => {
    const { hosts, anywhere } = setupRules(
      { DURABLE_RLM_PRIVATE_HOSTS: 'a.example, b.example:8080' },
      ['named.example'],
      {
        UV_EXTRA_INDEX_URL: 'https://one.example/simple http://two.example:81/simple',
        GOPROXY: 'https://go.example|direct',
        NPM_CONFIG_REGISTRY: 'https://npm.example/',
        OPENAI_BASE_URL: 'http://localhost:11434/v1',
      },
    );
    expect(hosts).toEqual([...PACKAGE_INDEXES, 'named.example', ...anywhere]);
    expect(anywhere).toEqual([
      'a.example',
      'b.example:8080',
      'one.example:443',
      'two.example:81',
      'go.example:443',
      'npm.example:443',
    ]);
  });
});
