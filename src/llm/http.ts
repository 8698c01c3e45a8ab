import type { ClientOptions } from 'openai';
import { Agent, EnvHttpProxyAgent, fetch, type Dispatcher } from 'undici';

export type Fetch = NonNullable<ClientOptions['fetch']>;

/** What a request may tell about us; the client would add the machine's system and versions. */
const SENT_HEADERS = new Set([
  'accept',
  'authorization',
  'content-type',
  'idempotency-key',
  'openai-organization',
  'openai-project',
  'user-agent',
]);

/** One pool of connections for each environment, however many configurations ask through it. */
const fetches = new WeakMap<NodeJS.ProcessEnv, Fetch>();

/**
 * A `fetch` for slow answers. Node's own gives up when the first byte takes longer than five minutes, which a long
 * reply without streaming does; here the caller's signal is the only limit. Proxy variables of the environment are
 * honoured, except for loopback.
 */
export function fetchFor(env: NodeJS.ProcessEnv): Fetch {
  const known = fetches.get(env);
  if (known !== undefined) return known;
  const created = createFetch(createDispatcher(env));
  fetches.set(env, created);
  return created;
}

function createFetch(dispatcher: Dispatcher): Fetch {
  return async (url, init) => {
    const address = typeof url === 'string' ? url : 'href' in url ? url.href : url.url;
    const response: unknown = await fetch(address, {
      method: init?.method ?? 'GET',
      headers: [...new Headers(init?.headers)].filter(([name]) => SENT_HEADERS.has(name)),
      body: typeof init?.body === 'string' ? init.body : null,
      signal: init?.signal ?? null,
      dispatcher,
    });
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- two declarations of one standard
    return response as Response;
  };
}

function createDispatcher(env: NodeJS.ProcessEnv): Dispatcher {
  const options = { headersTimeout: 0, bodyTimeout: 0 };
  const httpProxy = env['http_proxy'] ?? env['HTTP_PROXY'];
  const httpsProxy = env['https_proxy'] ?? env['HTTPS_PROXY'];
  if (httpProxy === undefined && httpsProxy === undefined) return new Agent(options);
  const exempt = env['no_proxy'] ?? env['NO_PROXY'];
  return new EnvHttpProxyAgent({
    ...options,
    ...(httpProxy === undefined ? {} : { httpProxy }),
    ...(httpsProxy === undefined ? {} : { httpsProxy }),
    noProxy: [exempt, 'localhost', '127.0.0.1', '[::1]'].filter(Boolean).join(','),
  });
}
