import { lookup, type LookupAddress } from 'node:dns';
import { BlockList, isIP, type LookupFunction } from 'node:net';
import { networkInterfaces } from 'node:os';
import pLimit from 'p-limit';

/** Which machines may be reached from inside a sandbox. */
export interface EgressPolicy {
  /**
   * For connections to a host: answers only with addresses that may be dialed, so a name cannot be turned to another
   * address between the look and the connection.
   *
   * @throws EgressRefused for a host that is an address itself, and may not be dialed.
   */
  lookupFor(host: string, port: number): LookupFunction;
  /**
   * For a host that a proxy of the user's resolves.
   *
   * @throws EgressRefused where it resolves here, to an address that may not be dialed. A name that is not known here passes.
   */
  checkName(host: string, port: number): Promise<void>;
}

/** No setting allows the host. */
export class EgressRefused extends Error {}

function internal(host: string, port: number): EgressRefused {
  return new EgressRefused(
    `${host}:${port} is this machine or one of a private network. DURABLE_RLM_PRIVATE_HOSTS of the worker can allow it`,
  );
}

function unlisted(host: string, port: number): EgressRefused {
  return new EgressRefused(`${host}:${port} is none of the hosts that may be reached. sandbox.network can allow it`);
}

export interface EgressRules {
  /** Hosts of the internet: `name`, `*.name` for all below it, `*` for all; with `:port` on that port only. */
  readonly hosts: readonly string[];
  /** Those among them, `host` or `host:port`, that may be reached wherever they are. */
  readonly anywhere: readonly string[];
}

/**
 * Addresses that are nobody's on the internet: this host, private and carrier networks, links (with the metadata services of
 * clouds), multicast, reserved, and tunnels. BlockList itself sees through mapped IPv4 addresses.
 */
const INTERNAL = blockList([
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  // A metadata service at a public address.
  ['168.63.129.16', 32],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['224.0.0.0', 3],
  ['::', 96],
  ['64:ff9b:1::', 48],
  ['100::', 64],
  ['2001::', 32],
  ['2002::', 16],
  ['fc00::', 7],
  ['fe80::', 9],
  ['ff00::', 8],
]);

/** @param resolve default: as every program of this host does */
export function createEgressPolicy(rules: EgressRules, resolve: LookupFunction = systemLookup): EgressPolicy {
  const listed = matcher(rules.hosts);
  const anywhere = matcher(rules.anywhere);

  return {
    lookupFor(host, port) {
      if (!listed(host, port)) throw unlisted(host, port);
      if (anywhere(host, port)) return resolve;
      if (isIP(host) !== 0 && isInternal(host)) throw internal(host, port);
      return (hostname, options, callback) => {
        resolve(hostname, options, (error, found, family) => {
          const refused = error === null && addressesOf(found).some(isInternal);
          callback(refused ? internal(host, port) : error, found, family);
        });
      };
    },
    checkName(host, port) {
      if (!listed(host, port)) return Promise.reject(unlisted(host, port));
      if (anywhere(host, port)) return Promise.resolve();
      return new Promise((done, reject) => {
        resolve(host, { all: true }, (error, found) => {
          if (error === null && addressesOf(found).some(isInternal)) reject(internal(host, port));
          else done();
        });
      });
    },
  };
}

/** Whether one of the entries names a host and port. A final dot is the same name. */
function matcher(entries: readonly string[]): (host: string, port: number) => boolean {
  const known = entries.map((entry) => {
    const [, name = '', port] = /^(.*?)(?::(\d+))?$/.exec(entry.toLowerCase()) ?? [];
    return { name: name.replace(/^\[(.*)\]$/, '$1'), port: port === undefined ? undefined : Number(port) };
  });
  return (host, port) => {
    const asked = host.toLowerCase().replace(/\.$/, '');
    return known.some(
      (entry) =>
        (entry.port === undefined || entry.port === port) &&
        (entry.name === '*' ||
          entry.name === asked ||
          (entry.name.startsWith('*.') && asked.endsWith(entry.name.slice(1)) && isIP(asked) === 0)),
    );
  };
}

function addressesOf(found: string | readonly LookupAddress[]): readonly string[] {
  return typeof found === 'string' ? [found] : found.map(({ address }) => address);
}

/**
 * Looking a name up takes one of the four threads that this process reads its files with, for as long as its name server
 * likes: sandboxes get one of them, all together.
 */
const lookups = pLimit(1);

const systemLookup: LookupFunction = (hostname, options, callback) => {
  void lookups(
    () =>
      new Promise<void>((done) => {
        lookup(hostname, options, (error, found, family) => {
          done();
          callback(error, found, family);
        });
      }),
  );
};

function isInternal(address: string): boolean {
  // A zone, which only addresses of links have, is unknown to BlockList.
  if (isIP(address) === 0 || address.includes('%')) return true;
  if (isIn(NAT64, address)) return isInternal(embeddedIPv4(address));
  return isIn(INTERNAL, address) || isIn(ownAddresses(), address);
}

/** In networks with IPv6 only every IPv4 address is seen as one of these. */
const NAT64 = blockList([['64:ff9b::', 96]]);

/** Of the last 32 bits; empty where they are written in another way than the system does. */
function embeddedIPv4(address: string): string {
  const [, high, low] = /:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/i.exec(address) ?? [];
  if (high === undefined || low === undefined) return '';
  return [high, low].flatMap((part) => [Number.parseInt(part, 16) >> 8, Number.parseInt(part, 16) & 0xff]).join('.');
}

/** What listens on all of a host's addresses is reached by its public ones too. */
function ownAddresses(): BlockList {
  const list = new BlockList();
  for (const entries of Object.values(networkInterfaces())) {
    for (const { address, family } of entries ?? []) list.addAddress(address, family === 'IPv6' ? 'ipv6' : 'ipv4');
  }
  return list;
}

function isIn(list: BlockList, address: string): boolean {
  return list.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4');
}

function blockList(subnets: readonly (readonly [string, number])[]): BlockList {
  const list = new BlockList();
  for (const [network, prefix] of subnets) list.addSubnet(network, prefix, isIP(network) === 6 ? 'ipv6' : 'ipv4');
  return list;
}

/** Where packages come from, of the languages that agents' repositories mostly have. */
export const PACKAGE_INDEXES: readonly string[] = [
  'pypi.org',
  'files.pythonhosted.org',
  'conda.anaconda.org',
  'repo.anaconda.com',
  'registry.npmjs.org',
  'registry.yarnpkg.com',
  'nodejs.org',
  'proxy.golang.org',
  'sum.golang.org',
  'crates.io',
  'index.crates.io',
  'static.crates.io',
  'rubygems.org',
  'index.rubygems.org',
  'repo.maven.apache.org',
  'repo1.maven.org',
  'plugins.gradle.org',
];

/** Variables that name package indexes: a setup that is given them should reach them. */
const INDEX_VARIABLE = /INDEX|REGISTRY|FIND_LINKS|GOPROXY|MIRROR/i;

/** Of `DURABLE_RLM_PRIVATE_HOSTS`: hosts of private networks that sandboxes may reach where they are allowed to. */
function privateHosts(worker: NodeJS.ProcessEnv): string[] {
  return (worker['DURABLE_RLM_PRIVATE_HOSTS'] ?? '').split(/[\s,]+/).filter((name) => name !== '');
}

/** For code: the hosts of `sandbox.network`. */
export function networkRules(worker: NodeJS.ProcessEnv, network: readonly string[]): EgressRules {
  return { hosts: network, anywhere: privateHosts(worker) };
}

/** For the commands of a setup: those too, package indexes, and the indexes that `sandbox.setup_env` hands over. */
export function setupRules(
  worker: NodeJS.ProcessEnv,
  network: readonly string[],
  handedOver: Readonly<Record<string, string>>,
): EgressRules {
  const indexes = Object.entries(handedOver)
    .filter(([name]) => INDEX_VARIABLE.test(name))
    .flatMap(([, value]) => value.split(/[\s,|]+/))
    .flatMap((text) => {
      const url = /^https?:/.test(text) && URL.canParse(text) ? new URL(text) : undefined;
      return url === undefined ? [] : [`${url.hostname}:${url.port || defaultPort(url.protocol)}`];
    });
  const anywhere = [...privateHosts(worker), ...indexes];
  return { hosts: [...PACKAGE_INDEXES, ...network, ...anywhere], anywhere };
}

export function defaultPort(protocol: string): number {
  return protocol === 'https:' ? 443 : 80;
}
