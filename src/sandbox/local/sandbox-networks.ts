import { once } from 'node:events';
import { chmod, mkdir, open, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { lockOf, withLock } from '../../files/lock.ts';
import { createEgressPolicy, networkRules } from './egress-policy.ts';
import { startEgressProxy, type EgressProxy } from './egress-proxy.ts';
import { uidToBecome } from './launch-spec.ts';
import { PROXY_PORT, proxyVariables } from './way-out.ts';

const FOLDER = 'network';
const SOCKET = 'proxy';
/** The folder, not the socket: a worker that comes later makes another socket in it. */
const INSIDE = '/run/rlm/network';

export interface NetworkOfSandbox {
  readonly id: string;
  /** The sandbox's folder on the host. */
  readonly folder: string;
  /** `sandbox.network`. */
  readonly hosts: readonly string[];
}

/** How the kernel and the code of a sandbox find the proxy; nothing where no host may be reached. */
export function networkView(
  folder: string,
  hosts: readonly string[],
): {
  readonly read_only: readonly (readonly [string, string])[];
  readonly arguments: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
} {
  if (hosts.length === 0) return { read_only: [], arguments: [], environment: {} };
  const local = 'localhost,127.0.0.1,::1';
  return {
    read_only: [[join(folder, FOLDER), INSIDE]],
    arguments: ['--proxy', `${INSIDE}/${SOCKET}`, '--proxy-port', String(PROXY_PORT)],
    environment: { ...proxyVariables(`http://127.0.0.1:${PROXY_PORT}`), no_proxy: local, NO_PROXY: local },
  };
}

/**
 * The proxies of the sandboxes that this process speaks to. A sandbox outlives its worker: the next one that connects to it
 * takes its place on the socket.
 */
export class SandboxNetworks {
  readonly #environment: NodeJS.ProcessEnv;
  readonly #log: (line: string) => void;
  readonly #proxies = new Map<string, Promise<EgressProxy | undefined>>();

  constructor(environment: NodeJS.ProcessEnv, log: (line: string) => void) {
    this.#environment = environment;
    this.#log = log;
  }

  /** Its proxy serves when this resolves: ours, or that of another worker of this host. */
  async open(network: NetworkOfSandbox): Promise<void> {
    if (network.hosts.length === 0) return;
    const known = this.#proxies.get(network.id);
    if (known !== undefined && (await known) !== undefined) return;
    const starting = this.#start(network);
    this.#proxies.set(network.id, starting);
    starting.catch(() => this.#proxies.delete(network.id));
    await starting;
  }

  async close(id: string): Promise<void> {
    const proxy = this.#proxies.get(id);
    this.#proxies.delete(id);
    await (await proxy?.catch(() => undefined))?.close();
  }

  async closeAll(): Promise<void> {
    await Promise.all([...this.#proxies.keys()].map((id) => this.close(id)));
  }

  #start({ id, folder, hosts }: NetworkOfSandbox): Promise<EgressProxy | undefined> {
    const place = join(folder, FOLDER);
    const socketPath = join(place, SOCKET);
    return withLock(lockOf(place), async () => {
      await mkdir(place, { recursive: true });
      await chmod(place, 0o755);
      if (await answers(place)) return undefined;
      await rm(socketPath, { force: true });
      return startEgressProxy({
        socketPath,
        owner: uidToBecome(),
        policy: createEgressPolicy(networkRules(this.#environment, hosts)),
        environment: this.#environment,
        subject: `sandbox ${id}`,
        log: this.#log,
      });
    });
  }
}

/** Whether somebody listens there. The folder is entered through a descriptor: its path may be longer than a socket's. */
async function answers(place: string): Promise<boolean> {
  const folder = await open(place);
  const socket = connect(`/proc/self/fd/${folder.fd}/${SOCKET}`);
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
    await folder.close();
  }
}
