import { execFileSync, spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { isIPv6, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { createLocalProvider } from '../../src/sandbox/local/index.ts';
import { makeReady, runCode, sandboxRequest } from './fixtures.ts';

/**
 * An internet of two network namespaces: the worker's, which this program is started in (`unshare --net --mount`), and one with
 * hosts at addresses of documentation (RFC 5737, 3849) and private ones, and a name server. Prints what code in a sandbox reached.
 */
const SCRIPT = fileURLToPath(import.meta.url);
const ADDRESSES = ['203.0.113.10/24', '203.0.113.20/24', '203.0.113.53/24', '10.9.0.1/24', '169.254.169.254/32'];
const ADDRESSES_V6 = ['2001:db8:1::10/64', 'fd00:9::1/64'];
const PORTS = [80, 8080, 25];

/** What names stand for; one after another where there are several lists, of which the last stays. */
const NAMES: Readonly<Record<string, readonly (readonly string[])[]>> = {
  'allowed.test': [['203.0.113.10']],
  'other.test': [['203.0.113.20']],
  'a.wild.test': [['203.0.113.20']],
  'inner.test': [['10.9.0.1']],
  'mixed.test': [['203.0.113.10', '10.9.0.1']],
  'turned.test': [['203.0.113.10'], ['10.9.0.1']],
  'metadata.test': [['169.254.169.254']],
  'six.test': [['2001:db8:1::10']],
  'unique.test': [['fd00:9::1']],
  'mapped.test': [['::ffff:10.9.0.1']],
};

export interface HostsTried {
  /** By the name of each attempt, what it printed. */
  readonly attempts: Readonly<Record<string, string>>;
  /** `address:port` of every connection that a host saw. */
  readonly seen: readonly string[];
  /** Names that were asked for. */
  readonly asked: readonly string[];
}

function ip(...args: string[]): void {
  execFileSync('ip', args, { stdio: ['ignore', 'ignore', 'pipe'] });
}

/** The other namespace. */
async function serve(): Promise<void> {
  const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
  process.stdout.write('there\n');
  await lines.next();
  ip('link', 'set', 'lo', 'up');
  ip('link', 'set', 'inside', 'up');
  for (const address of ADDRESSES) ip('address', 'add', address, 'dev', 'inside');
  for (const address of ADDRESSES_V6) ip('address', 'add', address, 'dev', 'inside', 'nodad');
  const seen: string[] = [];
  const asked: string[] = [];
  const note = (socket: Socket): void => {
    const address = (socket.localAddress ?? '').replace('::ffff:', '');
    seen.push(`${address}:${socket.localPort}`);
  };
  for (const port of PORTS) {
    const server = createServer((request, response) => {
      const [, to] = /^\/go\?(.*)$/.exec(request.url ?? '') ?? [];
      if (to !== undefined) response.writeHead(302, { location: to });
      response.end(`${(request.socket.localAddress ?? '').replace('::ffff:', '')} as ${request.headers.host}`);
    });
    server.on('connection', note);
    server.listen(port, '::');
    // oxlint-disable-next-line no-await-in-loop -- three
    await once(server, 'listening');
  }
  const names = createSocket('udp4');
  names.on('message', (query, from) => {
    const name = nameOf(query);
    if (!asked.includes(name)) asked.push(name);
    names.send(answerTo(query, name), from.port, from.address);
  });
  names.bind(53, '203.0.113.53');
  await once(names, 'listening');
  process.stdout.write('ready\n');
  await lines.next();
  process.stdout.write(`${JSON.stringify({ seen, asked })}\n`);
  process.exit(0);
}

function nameOf(query: Buffer): string {
  const labels: string[] = [];
  for (let at = 12; (query[at] ?? 0) > 0; at += 1 + (query[at] ?? 0))
    labels.push(query.toString('latin1', at + 1, at + 1 + (query[at] ?? 0)));
  return labels.join('.').toLowerCase();
}

const turns = new Map<string, number>();

/** Of the name's addresses those of the type that is asked for: 1 is IPv4, 28 is IPv6. */
function answerTo(query: Buffer, name: string): Buffer {
  const end = 12 + name.length + 2;
  const type = query.readUInt16BE(end);
  const lists = NAMES[name];
  const turn = turns.get(name) ?? 0;
  if (type === 1) turns.set(name, turn + 1);
  const list = lists?.[Math.min(turn, lists.length - 1)] ?? [];
  const records = list.filter((address) => isIPv6(address) === (type === 28)).map((address) => record(type, address));
  const head = Buffer.from(query.subarray(0, end + 4));
  head.writeUInt16BE(lists === undefined ? 0x8183 : 0x8180, 2);
  head.writeUInt16BE(records.length, 6);
  head.writeUInt32BE(0, 8);
  return Buffer.concat([head, ...records]);
}

function record(type: number, address: string): Buffer {
  const bytes = isIPv6(address) ? bytesOfV6(address) : Buffer.from(address.split('.').map(Number));
  const head = Buffer.from([0xc0, 12, 0, type, 0, 1, 0, 0, 0, 0, 0, bytes.length]);
  return Buffer.concat([head, bytes]);
}

function bytesOfV6(address: string): Buffer {
  const mapped = /^::ffff:(.*)$/.exec(address)?.[1];
  if (mapped !== undefined)
    return Buffer.concat([Buffer.alloc(10), Buffer.from([255, 255]), Buffer.from(mapped.split('.').map(Number))]);
  const [before = '', after = ''] = address.split('::');
  const words = (text: string): number[] => text.split(':').map((word) => Number.parseInt(word, 16));
  const [left, right] = [words(before), words(after)];
  const all = [...left, ...Array.from({ length: 8 - left.length - right.length }, () => 0), ...right];
  return Buffer.from(all.flatMap((word) => [word >> 8, word & 255]));
}

const HEAD = `
import os, socket, urllib.request, urllib.error
def get(url):
    try: return urllib.request.urlopen(url, timeout=10).read().decode()
    except urllib.error.HTTPError as error: return str(error.code)
    except OSError as error: return "no: " + str(getattr(error, "reason", error))[:60]
def say(*lines, after=""):
    with socket.create_connection(("127.0.0.1", 3128), 10) as proxy:
        proxy.sendall(("\\r\\n".join([*lines, "", ""]) + after).encode())
        got = b""
        proxy.settimeout(3)
        try:
            while part := proxy.recv(65536): got += part
        except OSError: pass
        return " | ".join(line for line in got.decode("latin1").split("\\r\\n") if line.startswith("HTTP/") or " as " in line)
def directly(family, address):
    with socket.socket(family, socket.SOCK_STREAM) as client:
        client.settimeout(3)
        client.connect(address)
        return "reached"
`;

async function attempt(
  given: Readonly<Record<string, string>>,
  network: readonly string[],
  folder: string,
): Promise<HostsTried> {
  ip('link', 'set', 'lo', 'up');
  const other = spawn('unshare', ['--net', '--kill-child', '--fork', process.execPath, SCRIPT, 'serve'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const lines = createInterface({ input: other.stdout })[Symbol.asyncIterator]();
  await lines.next();
  const [inner] = execFileSync('ps', ['-o', 'pid=', '--ppid', String(other.pid)], { encoding: 'utf8' })
    .trim()
    .split(/\s+/);
  ip('link', 'add', 'outside', 'type', 'veth', 'peer', 'name', 'inside');
  ip('link', 'set', 'inside', 'netns', inner ?? '');
  ip('link', 'set', 'outside', 'up');
  ip('address', 'add', '203.0.113.1/24', 'dev', 'outside');
  ip('address', 'add', '2001:db8:1::1/64', 'dev', 'outside', 'nodad');
  other.stdin.write('go\n');
  await lines.next();
  ip('route', 'add', 'default', 'dev', 'outside');
  ip('-6', 'route', 'add', 'default', 'dev', 'outside');
  writeFileSync(`${folder}/resolv.conf`, 'nameserver 203.0.113.53\noptions timeout:2 attempts:2\n');
  execFileSync('mount', ['--bind', `${folder}/resolv.conf`, '/etc/resolv.conf']);
  const provider = createLocalProvider({
    stateDirectory: `${folder}/state`,
    cacheDirectory: `${folder}/cache`,
    environment: {},
    log: () => undefined,
  });
  const sandbox = await makeReady(provider, sandboxRequest('hosts', undefined, { network }));
  const attempts: Record<string, string> = {};
  try {
    await runCode(sandbox, 1, HEAD);
    for (const [place, [name, call]] of Object.entries(given).entries()) {
      const code = `try: print(${call})\nexcept Exception as error: print("no: " + repr(error)[:60])`;
      // oxlint-disable-next-line no-await-in-loop -- one after another, as the names turn
      attempts[name] = (await runCode(sandbox, place + 2, code)).stdout.trim();
    }
  } finally {
    await provider.destroy(sandbox.handle);
    await provider.close();
  }
  other.stdin.write('end\n');
  const { value } = await lines.next();
  return { attempts, ...(JSON.parse(String(value)) as Pick<HostsTried, 'seen' | 'asked'>) };
}

// As a program: `serve` in the other namespace, or the attempts as JSON.
if (process.argv[1] === SCRIPT) {
  if (process.argv[2] === 'serve') await serve();
  else {
    const { attempts, network, folder } = JSON.parse(process.argv[2] ?? '') as {
      attempts: Record<string, string>;
      network: string[];
      folder: string;
    };
    process.stdout.write(JSON.stringify(await attempt(attempts, network, folder)));
    process.exit(0);
  }
}
