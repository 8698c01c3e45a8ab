import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo, LookupFunction } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { domainsOf } from '../../src/sandbox/daytona/creation.ts';
import { createEgressPolicy } from '../../src/sandbox/local/egress-policy.ts';
import { createLocalProvider, type LocalProvider } from '../../src/sandbox/local/index.ts';
import type { Sandbox } from '../../src/sandbox/provider.ts';
import { makeReady, runCode, sandboxRequest, temporaryFolder } from './fixtures.ts';

const folder = temporaryFolder();
const logged: string[] = [];
const reached: string[] = [];
let allowed: number;
let other: number;
let provider: LocalProvider;
let sandbox: Sandbox;
let block = 0;

/** A server of the host. `/go?to` redirects. */
async function listen(name: string, host = '127.0.0.1'): Promise<number> {
  const server = createServer((request, response) => {
    reached.push(`${name} ${request.headers.host}`);
    const [, to] = /^\/go\?(.*)$/.exec(request.url ?? '') ?? [];
    if (to !== undefined) response.writeHead(302, { location: to });
    response.end(name);
  });
  server.listen(0, host);
  await once(server, 'listening');
  afterAll(() => void server.close());
  return (server.address() as AddressInfo).port;
}

const connectProvider = (): LocalProvider =>
  createLocalProvider({
    stateDirectory: join(folder.path, 'state'),
    cacheDirectory: join(folder.path, 'cache'),
    environment: { DURABLE_RLM_PRIVATE_HOSTS: `127.0.0.1:${allowed} localhost:${other}` },
    log: (line) => logged.push(line),
  });

beforeAll(async () => {
  [allowed, other] = await Promise.all([listen('allowed'), listen('other')]);
  provider = connectProvider();
  const network = [`127.0.0.1:${allowed}`, 'api.example.invalid', '*.example.org'];
  sandbox = await makeReady(provider, sandboxRequest('network', undefined, { network }));
  await code(
    `import os, socket, urllib.request, urllib.error
# What is at this address, programs take for their own; here the host's is meant.
del os.environ["no_proxy"], os.environ["NO_PROXY"]
def get(url, **headers):
    try: return urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=10).read().decode()
    except urllib.error.HTTPError as error: return error.code
    except OSError as error: return "no: " + str(getattr(error, "reason", error))[:40]
def say(*lines):
    with socket.create_connection(("127.0.0.1", 3128), 10) as proxy:
        proxy.sendall("\\r\\n".join([*lines, "", ""]).encode())
        return proxy.recv(1000).decode().split("\\r\\n")[0][:12]`,
  );
});
afterAll(async () => {
  await provider.destroy(sandbox.handle);
  await provider.close();
  folder.remove();
});

async function code(text: string): Promise<string> {
  block += 1;
  const { stdout, stderr } = await runCode(sandbox, block, text);
  return stdout + stderr;
}

describe('code in a sandbox with sandbox.network', () => {
  it('reaches an allowed host, by the proxy that its programs find', async () => {
    const script = `print(get("http://127.0.0.1:${allowed}/"), say("CONNECT 127.0.0.1:${allowed} HTTP/1.1"))`;
    expect(await code(script)).toBe('allowed HTTP/1.1 200\n');
  });

  it('reaches nothing else', async () => {
    reached.length = 0;
    const attempts = [
      ['another port of the host', `get("http://127.0.0.1:${other}/")`],
      ['a name of it', `get("http://localhost:${allowed}/")`],
      ['one that setups may reach, but sandbox.network does not name', `get("http://localhost:${other}/")`],
      ['IPv6', `get("http://[::1]:${other}/")`],
      ['an address in another spelling', `get("http://2130706433:${other}/")`],
      ['a mapped address', `get("http://[::ffff:127.0.0.1]:${other}/")`],
      ['the metadata service', 'get("http://169.254.169.254/latest/")'],
      ['a private network', 'get("http://10.0.0.1/")'],
      ['a host of the internet', 'get("http://example.com/")'],
      ['a redirect', `get("http://127.0.0.1:${allowed}/go?http://127.0.0.1:${other}/")`],
      ['a redirect to a name', `get("http://127.0.0.1:${allowed}/go?http://localhost:${other}/")`],
      ['a tunnel', `say("CONNECT 127.0.0.1:${other} HTTP/1.1")`],
      ['a tunnel to a name', 'say("CONNECT metadata.google.internal:80 HTTP/1.1")'],
      [
        'a user that looks like a host',
        `say("GET http://127.0.0.1:${allowed}@127.0.0.1:${other}/ HTTP/1.1", "Host: x")`,
      ],
      ['a longer name', 'get("http://api.example.invalid.example.com/")'],
    ] as const;
    const script = attempts
      .map(([, call]) => `try: print(${call})\nexcept Exception as error: print(repr(error))`)
      .join('\n');
    const answers = (await code(script)).trim().split('\n');
    const outcomes = attempts.map(([name], at) => `${name}: ${answers[at] ?? 'nothing'}`);
    expect(outcomes.filter((line) => !/: (403|HTTP\/1\.1 403)$/.test(line))).toEqual([]);
    expect(reached.filter((line) => line.startsWith('other'))).toEqual([]);
    expect(logged.some((line) => line.includes('was refused a connection'))).toBe(true);
  });

  it('has no other way out than the proxy: no route, no names, no protocol but HTTP', async () => {
    const attempts = [
      `socket.create_connection(("127.0.0.1", ${allowed}), 3)`,
      'socket.create_connection(("192.0.2.1", 80), 3)',
      'socket.getaddrinfo("api.example.invalid", 80)',
      'socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("192.0.2.53", 53))',
    ];
    const script = attempts
      .map((each) => `try: ${each}; print("reached")\nexcept OSError: print("refused")`)
      .join('\n');
    expect(await code(script)).toBe('refused\n'.repeat(4));
    expect(await code('print(say("SSH-2.0-x"), say("GET / HTTP/1.1", "Host: x"))')).toBe('HTTP/1.1 400 HTTP/1.1 502\n');
  });

  it('is the host that the request names, whatever its header says', async () => {
    reached.length = 0;
    await code(`print(say("GET http://127.0.0.1:${allowed}/ HTTP/1.1", "Host: inner.example"))`);
    expect(reached).toEqual([`allowed 127.0.0.1:${allowed}`]);
  });

  it('is served by the worker that comes next', async () => {
    await provider.close();
    expect(await code(`print(get("http://127.0.0.1:${allowed}/"))`)).toMatch(/^no: /);
    provider = connectProvider();
    sandbox = await provider.connect(sandbox.handle);
    expect(await code(`print(get("http://127.0.0.1:${allowed}/"))`)).toBe('allowed\n');
  });

  it('cannot put anything in the place of the proxy', async () => {
    const script = [
      'os.unlink("/run/rlm/network/proxy")',
      'os.symlink("/tmp/x", "/run/rlm/network/proxy2")',
      'os.rename("/run/rlm/network", "/run/rlm/x")',
    ]
      .map((each) => `try: ${each}; print("done")\nexcept OSError: print("refused")`)
      .join('\n');
    expect(await code(script)).toBe('refused\n'.repeat(3));
  });
});

describe('a sandbox without it', () => {
  it('has no proxy', async () => {
    const closed = await makeReady(provider, sandboxRequest('closed', undefined));
    const script =
      'import os, socket\nprint(os.path.exists("/run/rlm/network"), "http_proxy" in os.environ)\nsocket.create_connection(("127.0.0.1", 3128), 3)';
    const { stdout, stderr } = await runCode(closed, 1, script);
    expect(stdout).toBe('False False\n');
    expect(stderr).toContain('ConnectionRefusedError');
    await provider.destroy(closed.handle);
  });
});

describe('the hosts of sandbox.network', () => {
  const resolving =
    (address: string): LookupFunction =>
    (_, { all }, callback) => {
      if (all === true) callback(null, [{ address, family: 4 }]);
      else callback(null, address, 4);
    };
  const outcome = async (
    hosts: readonly string[],
    host: string,
    port: number,
    address = '192.88.99.1',
  ): Promise<string> => {
    try {
      const lookup = createEgressPolicy({ hosts, anywhere: [] }, resolving(address)).lookupFor(host, port);
      return await new Promise((done) => lookup(host, { all: true }, (error) => done(error?.message ?? 'reached')));
    } catch (error) {
      return String(error);
    }
  };

  it.each([
    ['api.example.org', 'api.example.org', 443],
    ['API.example.org', 'api.EXAMPLE.org.', 443],
    ['*.example.org', 'a.b.example.org', 80],
    ['api.example.org:8443', 'api.example.org', 8443],
    ['*', 'anything.example', 1],
    ['*:443', 'anything.example', 443],
  ])('%s lets %s through', async (entry, host, port) => {
    expect(await outcome([entry], host, port)).toBe('reached');
    // Turned to the host's own network, at whatever moment it is looked up.
    expect(await outcome([entry], host, port, '127.0.0.1')).toContain('this machine or one of a private network');
  });

  it.each([
    ['api.example.org', 'example.org', 443],
    ['api.example.org', 'xapi.example.org', 443],
    ['*.example.org', 'example.org', 443],
    ['*.example.org', 'badexample.org', 443],
    ['api.example.org:8443', 'api.example.org', 443],
    ['*:443', 'anything.example', 80],
  ])('%s does not let %s through at %i', async (entry, host, port) => {
    expect(await outcome([entry], host, port)).toContain('is none of the hosts that may be reached');
  });

  it('are handed to Daytona by their names', () => {
    expect(domainsOf(['api.example.org:443', '*.example.org', 'api.example.org'])).toEqual([
      'api.example.org',
      '*.example.org',
    ]);
    expect([domainsOf([]), domainsOf(undefined), domainsOf(['*']), domainsOf(['a.example', '*:443'])]).toEqual(
      Array.from({ length: 4 }),
    );
  });
});
