/** The address of a repository over ssh: `ssh://host/path`, or `user@host:path`. */
export function isSsh(url: string): boolean {
  return /^ssh:/i.test(url) || !/^[a-z][a-z0-9+.-]*:\/\//i.test(url);
}

/**
 * Whether an address is that of `base` or of something below it, segment by segment: `https://host/acme/tool.git` is
 * below `https://host/acme`, `https://host/acme-2/tool` is not. Addresses that could be read in two ways never are.
 */
export function isBelow(url: string, base: string): boolean {
  const [one, other] = [partsOf(url), partsOf(base)];
  if (one === undefined || other === undefined) return false;
  if (one.scheme !== other.scheme || one.host !== other.host || one.path.length < other.path.length) return false;
  return other.path.every((segment, index) => segment === one.path[index]);
}

interface Parts {
  readonly scheme: string;
  /** With the port. */
  readonly host: string;
  readonly path: readonly string[];
}

function partsOf(address: string): Parts | undefined {
  if (/[\\%?#\s]/.test(address)) return undefined;
  const [, scheme = 'ssh', urlHost, urlPath = ''] = /^([a-z]+):\/\/(?:[^/@]*@)?([^/@]+)(\/.*)?$/i.exec(address) ?? [];
  const [, shortHost, shortPath = ''] = /^(?:[^/@:]+@)?([^/@:]+):(.+)$/.exec(address) ?? [];
  const host = urlHost ?? shortHost;
  if (host === undefined) return undefined;
  const path = (urlHost === undefined ? shortPath : urlPath).split('/').filter((segment) => segment !== '');
  if (path.some((segment) => segment === '.' || segment === '..')) return undefined;
  const last = path.at(-1)?.replace(/\.git$/, '');
  return {
    scheme: scheme.toLowerCase(),
    host: host.toLowerCase(),
    path: last === undefined ? path : [...path.slice(0, -1), last],
  };
}
