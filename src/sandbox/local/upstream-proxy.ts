import { request as askHttp, type ClientRequest, type RequestOptions } from 'node:http';
import { request as askHttps } from 'node:https';
import { defaultPort } from './egress-policy.ts';

/** The proxy that the worker's environment names for a host, by the variables that curl and others heed; undefined: none. */
export function upstreamFor(
  env: NodeJS.ProcessEnv,
  target: { protocol: string; host: string; port: number },
): URL | undefined {
  const variable = target.protocol === 'https:' ? 'https_proxy' : 'http_proxy';
  const value = [variable, variable.toUpperCase(), 'all_proxy', 'ALL_PROXY'].map((name) => env[name]).find(Boolean);
  if (value === undefined || isExempt(env, target)) return undefined;
  const url = new URL(value.includes('://') ? value : `http://${value}`);
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    throw new Error(`${url.protocol.slice(0, -1)} proxies are not supported for sandboxes`);
  }
  return url;
}

/** Asks a proxy something. */
export function askUpstream(proxy: URL, options: Pick<RequestOptions, 'method' | 'path' | 'headers'>): ClientRequest {
  const { username, password } = proxy;
  const secret = Buffer.from(`${decodeURIComponent(username)}:${decodeURIComponent(password)}`).toString('base64');
  const ask = proxy.protocol === 'https:' ? askHttps : askHttp;
  return ask({
    ...options,
    agent: false,
    host: proxy.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: proxy.port || defaultPort(proxy.protocol),
    headers: {
      ...(options.headers as object),
      ...(username === '' ? {} : { 'proxy-authorization': `Basic ${secret}` }),
    },
  });
}

function isExempt(env: NodeJS.ProcessEnv, { host, port }: { host: string; port: number }): boolean {
  const names = (env['no_proxy'] ?? env['NO_PROXY'] ?? '').split(/[\s,]+/).filter((name) => name !== '');
  return names.some((entry) => {
    if (entry === '*') return true;
    const [, name = entry, only] = /^(.*?)(?::(\d+))?$/.exec(entry) ?? [];
    const suffix = name.replace(/^\*?\./, '').toLowerCase();
    const isNamed = host.toLowerCase() === suffix || host.toLowerCase().endsWith(`.${suffix}`);
    return isNamed && (only === undefined || Number(only) === port);
  });
}
