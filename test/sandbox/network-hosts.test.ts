import { execFile, spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { temporaryFolder } from './fixtures.ts';
import type { HostsTried } from './try-hosts.ts';

const SCRIPT = fileURLToPath(new URL('try-hosts.ts', import.meta.url));
const canUnshare =
  process.getuid?.() === 0 &&
  spawnSync('unshare', ['--net', '--mount', 'ip', 'link', 'add', 'outside', 'type', 'veth', 'peer', 'name', 'inside'])
    .status === 0;

const NETWORK = [
  'allowed.test',
  '*.wild.test:8080',
  'inner.test',
  'mixed.test',
  'turned.test',
  'metadata.test',
  'six.test',
  'unique.test',
  'mapped.test',
  '203.0.113.10',
  '[2001:db8:1::10]:8080',
  '10.9.0.1',
];

/** What each is, as Python, and what it gives. */
const REACHED: Readonly<Record<string, readonly [call: string, gives: string]>> = {
  'a name': ['get("http://allowed.test/")', '203.0.113.10 as allowed.test'],
  'a name in capitals, with a final dot': ['get("http://ALLOWED.test./")', '203.0.113.10 as allowed.test.'],
  'an address': ['get("http://203.0.113.10/")', '203.0.113.10 as 203.0.113.10'],
  'another port of a name without one': ['get("http://allowed.test:8080/")', '203.0.113.10 as allowed.test:8080'],
  'below a wildcard, on its port': ['get("http://a.wild.test:8080/")', '203.0.113.20 as a.wild.test:8080'],
  'a name with IPv6': ['get("http://six.test/")', '2001:db8:1::10 as six.test'],
  'an IPv6 literal': ['get("http://[2001:db8:1::10]:8080/")', '2001:db8:1::10 as [2001:db8:1::10]:8080'],
  'a tunnel': ['say("CONNECT allowed.test:80 HTTP/1.1", "Host: x")', 'HTTP/1.1 200 Connection established'],
  'the host of a tunnel, whatever header its line is broken by': [
    'say("CONNECT allowed.test:80\\r\\nHost: other.test HTTP/1.1")',
    'HTTP/1.1 200 Connection established',
  ],
  'a name that will be turned': ['get("http://turned.test/")', '203.0.113.10 as turned.test'],
  'another header': [
    'say("GET http://allowed.test/ HTTP/1.1", "Host: inner.test", "Connection: close")',
    'HTTP/1.1 200 OK | 203.0.113.10 as allowed.test',
  ],
};

const REFUSED: Readonly<Record<string, string>> = {
  'the name when it has been turned to a private address': 'get("http://turned.test/")',
  'a tunnel to it': 'say("CONNECT turned.test:80 HTTP/1.1", "Host: x")',
  'another name': 'get("http://other.test/")',
  'its address': 'get("http://203.0.113.20/")',
  'a wildcard on another port': 'get("http://a.wild.test/")',
  'a name with a private address': 'get("http://inner.test/")',
  'a name with a public and a private address': 'get("http://mixed.test/")',
  'a private address that is named': 'get("http://10.9.0.1/")',
  'the same, mapped': 'get("http://[::ffff:10.9.0.1]/")',
  'the same, mapped, in hexadecimal digits': 'get("http://[::ffff:a09:1]/")',
  'the same as one number': 'get("http://168361985/")',
  'a name with a mapped address': 'get("http://mapped.test/")',
  'a name with the metadata service': 'get("http://metadata.test/")',
  'the metadata service': 'get("http://169.254.169.254/")',
  'a name with a unique local address': 'get("http://unique.test/")',
  'a unique local address': 'get("http://[fd00:9::1]/")',
  'IPv6 on another port': 'get("http://[2001:db8:1::10]/")',
  'a redirect to another name': 'get("http://allowed.test/go?http://other.test/")',
  'a redirect to a private address': 'get("http://allowed.test/go?http://10.9.0.1/")',
  'a redirect to a name with one': 'get("http://allowed.test/go?http://inner.test/")',
  'a tunnel to another name': 'say("CONNECT other.test:443 HTTP/1.1", "Host: allowed.test")',
  'a tunnel by address': 'say("CONNECT 203.0.113.20:80 HTTP/1.1", "Host: allowed.test")',
  'a tunnel on the wrong port': 'say("CONNECT a.wild.test:25 HTTP/1.1", "Host: a.wild.test:8080")',
  'an absolute form with a user that looks like a host':
    'say("GET http://allowed.test@other.test/ HTTP/1.1", "Host: allowed.test")',
  'an absolute form whose header names an allowed host': 'say("GET http://other.test/ HTTP/1.1", "Host: allowed.test")',
};

/** Of which the proxy says that it is no request. */
const MALFORMED: Readonly<Record<string, string>> = {
  'two lengths':
    'say("POST http://allowed.test/ HTTP/1.1", "Host: x", "Content-Length: 4", "Content-Length: 40", "Connection: close", after="abcd")',
  'a length and chunks':
    'say("POST http://allowed.test/ HTTP/1.1", "Host: x", "Content-Length: 4", "Transfer-Encoding: chunked", "Connection: close", after="0\\r\\n\\r\\nGET http://other.test/ HTTP/1.1\\r\\n\\r\\n")',
  'a space before the colon': 'say("GET http://allowed.test/ HTTP/1.1", "Host : other.test")',
};

const DIRECT: Readonly<Record<string, string>> = {
  'an allowed address without the proxy': 'directly(socket.AF_INET, ("203.0.113.10", 80))',
  'IPv6 without the proxy': 'directly(socket.AF_INET6, ("2001:db8:1::10", 80))',
  'the name server': 'socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("203.0.113.53", 53))',
  'a name, looked up inside': 'socket.getaddrinfo("allowed.test", 80)',
};

describe.skipIf(!canUnshare)('code in a sandbox with sandbox.network (skipped without namespaces)', () => {
  const folder = temporaryFolder();
  afterAll(() => folder.remove());
  let tried: HostsTried;

  beforeAll(async () => {
    const attempts = {
      ...Object.fromEntries(Object.entries(REACHED).map(([name, [call]]) => [name, call])),
      ...REFUSED,
      ...MALFORMED,
      ...DIRECT,
    };
    const given = JSON.stringify({ attempts, network: NETWORK, folder: folder.path });
    const command = ['--net', '--mount', '--fork', '--kill-child', process.execPath, SCRIPT, given];
    const { stdout } = await promisify(execFile)('unshare', command, { timeout: 150_000 });
    tried = JSON.parse(stdout) as HostsTried;
  }, 160_000);

  it.each(Object.entries(REACHED).map(([name, [, gives]]) => [name, gives]))('reaches %s', (name, gives) => {
    expect(tried.attempts[name]).toBe(gives);
  });

  it.each(Object.keys(REFUSED))('does not reach %s', (name) => {
    expect(tried.attempts[name]).toMatch(/^(403|HTTP\/1\.1 403 .*)$/);
  });

  it.each(Object.keys(MALFORMED))('gets nothing by %s', (name) => {
    expect(tried.attempts[name]).toMatch(/^(HTTP\/1\.1 400 Bad Request)?$/);
  });

  it.each(Object.keys(DIRECT))('has no way to %s', (name) => {
    expect(tried.attempts[name]).toMatch(/^no: /);
  });

  it('no host that is not allowed has seen a connection', () => {
    const allowed = /^(203\.0\.113\.10:(80|8080)|203\.0\.113\.20:8080|2001:db8:1::10:(80|8080))$/;
    expect(tried.seen.filter((connection) => !allowed.test(connection))).toEqual([]);
    expect(tried.seen.length).toBeGreaterThan(8);
    // Not even the name of a host that is not allowed leaves: names can carry data.
    expect(tried.asked).not.toContain('other.test');
  });
});
