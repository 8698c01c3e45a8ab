import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { SandboxSetup } from '../provider.ts';
import { createEgressPolicy, setupRules } from './egress-policy.ts';
import { startEgressProxy } from './egress-proxy.ts';
import { uidToBecome, type SpecRequest } from './launch-spec.ts';

/** How the commands of a setup reach the internet, and nothing of this host and its networks. */
export interface WayOut {
  /** What of the host is shown to them. */
  readonly read_only: NonNullable<SpecRequest['read_only']>;
  /** Of `kernel setup`. */
  readonly arguments: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  close(): Promise<void>;
}

export interface WayOutOptions {
  /** On the host, for the socket; made, and removed again. */
  readonly folder: string;
  /** `sandbox.network`. */
  readonly network: readonly string[];
  /** The worker's environment. */
  readonly environment: NodeJS.ProcessEnv;
  readonly log: (line: string) => void;
}

const INSIDE = '/run/rlm/proxy';
export const PROXY_PORT = 3128;
/** What a setup is handed of these would lead nowhere: the worker's proxy is used by ours. */
const PROXY_VARIABLE = /^(https?|all|no)_proxy$/i;

/** A sandbox has no network. Its way out is a proxy of this process, on a unix socket that it is shown. */
export async function openWayOut(setup: SandboxSetup, options: WayOutOptions): Promise<WayOut> {
  const { folder, environment, log } = options;
  await mkdir(folder, { mode: 0o700 });
  const socketPath = join(folder, 'proxy');
  const policy = createEgressPolicy(setupRules(environment, options.network, setup.environment));
  const owner = uidToBecome();
  const proxy = await startEgressProxy({ socketPath, owner, policy, environment, log, subject: 'sandbox.setup' });
  return {
    read_only: [[socketPath, INSIDE]],
    arguments: ['--proxy', INSIDE, '--proxy-port', String(PROXY_PORT)],
    environment: { ...withoutProxies(setup.environment), ...proxyVariables(`http://127.0.0.1:${PROXY_PORT}`) },
    async close() {
      await proxy.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function withoutProxies(environment: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(environment).filter(([name]) => !PROXY_VARIABLE.test(name)));
}

export function proxyVariables(url: string): Record<string, string> {
  const names = ['http_proxy', 'https_proxy'].flatMap((name) => [name, name.toUpperCase()]);
  // Node heeds them only when told to.
  return { ...Object.fromEntries(names.map((name) => [name, url])), NODE_USE_ENV_PROXY: '1' };
}
