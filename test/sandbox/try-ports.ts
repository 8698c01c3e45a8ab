import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { networkInterfaces } from 'node:os';
import { fileURLToPath } from 'node:url';
import { createLocalProvider } from '../../src/sandbox/local/index.ts';
import { makeRepository, sandboxRequest } from './fixtures.ts';

export interface PortsTried {
  /** What the setup's commands could connect to. */
  readonly reached: readonly string[];
  /** Connections that listeners of this process saw. */
  readonly accepted: number;
}

/** Tries every way to every port, and prints those that led somewhere; ends with an error, so that its output is seen. */
const ATTEMPTS = `
import json, socket, sys
ports, addresses, abstract, proxy = json.loads(sys.argv[1])
reached = []

def attempt(name, work):
    try:
        if work():
            reached.append(name)
    except OSError:
        pass

def directly(family, address):
    with socket.socket(family) as client:
        client.settimeout(5)
        client.connect(address)
    return True

def through(request):
    with socket.create_connection(("127.0.0.1", 3128), 5) as client:
        client.sendall(request.encode())
        return client.recv(64).split(b" ")[1:2] == [b"200"]

def names(address):
    return [f"[{address}]"] if ":" in address else [address]

for port in ports:
    for address in addresses:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        attempt(f"{address} {port}", lambda: directly(family, (address, port)))
    others = ["localhost", "127.1", "0x7f000001", "2130706433", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::]", "0.0.0.0"]
    for host in others + [name for address in addresses for name in names(address)]:
        if not proxy:
            continue
        attempt(f"CONNECT {host}:{port}", lambda: through(f"CONNECT {host}:{port} HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n"))
        attempt(f"GET {host}:{port}", lambda: through(f"GET http://{host}:{port}/ HTTP/1.0\\r\\nHost: x\\r\\n\\r\\n"))
attempt("an abstract socket", lambda: directly(socket.AF_UNIX, "\\0" + abstract))
print("REACHED", json.dumps(reached))
sys.exit(1)
`;

/** Has `sandbox.setup` try to reach this host, in a folder and as the user that this process is. */
export async function tryPorts(folder: string): Promise<PortsTried> {
  let accepted = 0;
  const word = `rlm-test-${process.pid}`;
  const servers: Server[] = [];
  const ports: number[] = [];
  const hosts = ['127.0.0.1', '0.0.0.0', '::1'].filter((host) => host === '0.0.0.0' || ownAddresses().includes(host));
  for (const where of [...hosts.map((host) => ({ host, port: 0 })), { path: `\0${word}` }]) {
    const server = createServer((socket) => {
      accepted += 1;
      socket.end('HTTP/1.0 200 OK\r\n\r\n');
    }).listen(where);
    await once(server, 'listening');
    servers.push(server);
    if (typeof server.address() === 'object') ports.push((server.address() as AddressInfo).port);
  }
  const provider = createLocalProvider({
    stateDirectory: `${folder}/state`,
    cacheDirectory: `${folder}/cache`,
    environment: {},
    log: () => undefined,
  });
  try {
    const repository = makeRepository(`${folder}/repository`, { 'attempts.py': ATTEMPTS });
    const given = JSON.stringify([listeningPorts(ports), ownAddresses(), word, true]);
    const commands = ['python3 -m venv --without-pip .venv', `python3 attempts.py '${given}'`];
    const setup = { commands, timeout: 100, environment: {} };
    const made = provider.prepare(sandboxRequest('ports', repository, { python: '.venv', setup }));
    const said = await made.then(() => '', String);
    const [, reached] = /^REACHED (.*)$/m.exec(said) ?? [];
    if (reached === undefined) throw new Error(`the attempts were not made: ${said}`);
    return { reached: JSON.parse(reached) as string[], accepted };
  } finally {
    await provider.close();
    for (const server of servers) server.close();
  }
}

/** Those of this process, and what else listens on this machine: it only ever hears from anybody who reaches it. */
function listeningPorts(own: readonly number[]): number[] {
  const others = ['/proc/net/tcp', '/proc/net/tcp6'].flatMap((file) =>
    readFileSync(file, 'latin1')
      .split('\n')
      .filter((line) => line.split(/\s+/)[4] === '0A')
      .map((line) => Number.parseInt(line.trim().split(/\s+/)[1]?.split(':')[1] ?? '0', 16)),
  );
  return [...new Set([...own, ...others.slice(0, 20)])];
}

function ownAddresses(): string[] {
  return Object.values(networkInterfaces()).flatMap((entries) => (entries ?? []).map(({ address }) => address));
}

// As a program, for another user: prints the result.
if (process.argv[1] === fileURLToPath(import.meta.url)) {
  process.stdout.write(JSON.stringify(await tryPorts(process.argv[2] ?? '')));
  process.exit(0);
}
