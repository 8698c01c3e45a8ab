import { lookup, type LookupAddress } from 'node:dns';
import { BlockList, isIP, type LookupFunction } from 'node:net';
import { networkInterfaces } from 'node:os';

/** Which machines the commands of a setup may reach. */
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

/** The host is this one, or of a private network, and no setting allows it. */
export class EgressRefused extends Error {
  constructor(host: string, port: number) {
    super(`${host}:${port} is this machine or one of a private network. DURABLE_RLM_SETUP_HOSTS can allow it`);
  }
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

/**
 * @param allowed `host` or `host:port`, as they will be asked for
 * @param resolve default: as every program of this host does
 */
export function createEgressPolicy(allowed: readonly string[], resolve: LookupFunction = systemLookup): EgressPolicy {
  const names = new Set(allowed.map((entry) => entry.toLowerCase()));
  const isAllowed = (host: string, port: number): boolean =>
    [host, `${host}:${port}`, `[${host}]:${port}`].some((name) => names.has(name.toLowerCase()));

  return {
    lookupFor(host, port) {
      if (isAllowed(host, port)) return resolve;
      if (isIP(host) !== 0 && isInternal(host)) throw new EgressRefused(host, port);
      return (hostname, options, callback) => {
        resolve(hostname, options, (error, found, family) => {
          const refused = error === null && addressesOf(found).some(isInternal);
          callback(refused ? new EgressRefused(host, port) : error, found, family);
        });
      };
    },
    checkName(host, port) {
      if (isAllowed(host, port)) return Promise.resolve();
      return new Promise((done, reject) => {
        resolve(host, { all: true }, (error, found) => {
          if (error === null && addressesOf(found).some(isInternal)) reject(new EgressRefused(host, port));
          else done();
        });
      });
    },
  };
}

function addressesOf(found: string | readonly LookupAddress[]): readonly string[] {
  return typeof found === 'string' ? [found] : found.map(({ address }) => address);
}

const systemLookup: LookupFunction = (hostname, options, callback) => lookup(hostname, options, callback);

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

/** Variables that name package indexes: whoever hands them to a setup wants it to reach them. */
const INDEX_VARIABLE = /INDEX|REGISTRY|FIND_LINKS|GOPROXY|MIRROR/i;

/**
 * Hosts that a worker lets setups reach wherever they are: those of DURABLE_RLM_SETUP_HOSTS, and those of the package
 * indexes that `sandbox.setup_env` hands over.
 */
export function allowedHosts(worker: NodeJS.ProcessEnv, handedOver: Readonly<Record<string, string>>): string[] {
  const named = (worker['DURABLE_RLM_SETUP_HOSTS'] ?? '').split(/[\s,]+/).filter((name) => name !== '');
  const indexes = Object.entries(handedOver)
    .filter(([name]) => INDEX_VARIABLE.test(name))
    .flatMap(([, value]) => value.split(/[\s,|]+/))
    .flatMap((text) => {
      const url = /^https?:/.test(text) && URL.canParse(text) ? new URL(text) : undefined;
      return url === undefined ? [] : [`${url.hostname}:${url.port || defaultPort(url.protocol)}`];
    });
  return [...named, ...indexes];
}

export function defaultPort(protocol: string): number {
  return protocol === 'https:' ? 443 : 80;
}
