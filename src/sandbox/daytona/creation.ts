import type { CreateSandboxFromImageParams, CreateSandboxFromSnapshotParams, Daytona, Sandbox } from '@daytonaio/sdk';
import type { DaytonaConfig } from '../../domain/config.ts';
import { TypedError } from '../../domain/failures.ts';
import type { SandboxRequest } from '../provider.ts';
import {
  describeError,
  retryUntil,
  isTransient,
  DaytonaTimeoutError,
  pauseBeforeRetry,
  statusOf,
  withinLimit,
  type Deadline,
} from './calls.ts';
import { removeSandbox } from './removal.ts';
import { toLabels } from './labels.ts';
import { findSandbox, isOver } from './states.ts';

/** Seconds a sandbox lives at most where the configuration does not say. */
export const DEFAULT_TTL = 86_400;
/** MiB beside the code's own: Daytona's daemon and our kernel. */
const OVERHEAD_MB = 256;
/** Sandboxes that end in an error state before we stop making new ones. */
const MAX_FAILED_SANDBOXES = 2;
const QUOTA = /(limit|quota) (exceeded|reached)|exceeds? .*(limit|quota)/i;

export interface Creation {
  readonly client: Daytona;
  /** The sandbox's name, which makes that there is only one. */
  readonly id: string;
  readonly request: SandboxRequest;
  readonly limitMs: number;
  /** Called for every creation request that was sent: a cleanup waits for its answer first. */
  readonly sent: (answer: Promise<unknown>) => void;
}

type Found =
  | { readonly kind: 'ready'; readonly sandbox: Sandbox }
  | { readonly kind: 'failed'; readonly reason: string }
  /** Another may be made. */
  | { readonly kind: 'none' };

/**
 * The started sandbox of that name: made, or found where an earlier request made it, its answer lost or not.
 *
 * @throws TypedError `Sandbox.Unavailable` where it is refused, the quota stays full, or its time is over.
 */
export async function obtainSandbox(creation: Creation, until: Deadline): Promise<Sandbox> {
  let failed = 0;
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await create(creation, until);
    } catch (error) {
      until.signal?.throwIfAborted();
      if (statusOf(error) === 429 || isQuota(error)) {
        await pauseBeforeRetry('make room for a sandbox', error, attempt, until);
        continue;
      }
      if (statusOf(error) !== 409 && !isTransient(error) && !isStartFailure(error)) throw refusal(error);
      // It exists, or may exist: either way its name finds it.
      const found = await byState(creation, until);
      if (found.kind === 'ready') return found.sandbox;
      if (found.kind === 'failed') failed += 1;
      if (found.kind === 'failed' && failed >= MAX_FAILED_SANDBOXES) throw startFailure(found.reason);
      await pauseBeforeRetry('create the sandbox', error, attempt, until);
    }
  }
}

function create({ client, id, request, limitMs, sent }: Creation, until: Deadline): Promise<Sandbox> {
  const left = Math.max(1, Math.min(limitMs, until.deadline - performance.now()) / 1000);
  // An image may have to be built first; the SDK waits for it.
  const timeout =
    request.daytona?.image === undefined ? left : Math.max(1, (until.deadline - performance.now()) / 1000);
  return withinLimit(
    {
      what: 'create the sandbox',
      limitMs: timeout * 1000 + 1000,
      work: () => {
        const answer = client.create(parameters(id, request), { timeout });
        sent(answer.catch(() => undefined));
        return answer;
      },
    },
    until,
  );
}

function parameters(
  id: string,
  request: SandboxRequest,
): CreateSandboxFromImageParams | CreateSandboxFromSnapshotParams {
  const config: DaytonaConfig = request.daytona ?? {};
  const ttl = minutes(config.ttl ?? DEFAULT_TTL);
  const { labels, generation } = request;
  const domains = config.domain_allow_list ?? domainsOf(request.network);
  const always = {
    name: id,
    labels: toLabels({ labels, name: id, generation, ttl, commit: request.repository?.commit }),
    public: false,
    // A worker that vanishes leaves nothing: idle ones stop, what stops is deleted, and nothing outlives its time.
    ephemeral: true,
    autoStopInterval: minutes(request.idle_timeout),
    ttlMinutes: ttl,
    ...(config.network_block_all === undefined ? {} : { networkBlockAll: config.network_block_all }),
    ...(config.network_allow_list === undefined ? {} : { networkAllowList: config.network_allow_list.join(',') }),
    ...(domains === undefined ? {} : { domainAllowList: domains.join(',') }),
  };
  if (config.image !== undefined) return { ...always, image: config.image, resources: resources(request, config) };
  return config.snapshot === undefined ? always : { ...always, snapshot: config.snapshot };
}

/** `sandbox.network` for Daytona, whose list has names without ports; undefined where it limits nothing. */
export function domainsOf(network: readonly string[] = []): readonly string[] | undefined {
  if (network.length === 0 || network.some((host) => host.startsWith('*:') || host === '*')) return undefined;
  return [...new Set(network.map((host) => host.replace(/:\d+$/, '')))];
}

function resources(request: SandboxRequest, { cpu, disk_gb }: DaytonaConfig): Record<string, number> {
  return {
    memory: Math.ceil((request.memory_mb + OVERHEAD_MB) / 1024),
    ...(cpu === undefined ? {} : { cpu }),
    ...(disk_gb === undefined ? {} : { disk: disk_gb }),
  };
}

export function minutes(seconds: number): number {
  return Math.max(1, Math.ceil(seconds / 60));
}

/** MiB that the code may use: what was asked, within what the machine has. */
export function memoryLimit(request: SandboxRequest, sandbox: Pick<Sandbox, 'memory'>): number {
  if (!(sandbox.memory > 0)) return request.memory_mb;
  return Math.min(request.memory_mb, Math.max(64, sandbox.memory * 1024 - OVERHEAD_MB));
}

/** A sandbox of that name as it is: started, to be waited for, or removed so that another can be made. */
async function byState(creation: Creation, until: Deadline): Promise<Found> {
  const { client, id, limitMs } = creation;
  const sandbox = await retryUntil({ what: 'find the sandbox', limitMs, work: () => findSandbox(client, id) }, until);
  if (sandbox === undefined) return { kind: 'none' };
  if (sandbox.state === 'started') return { kind: 'ready', sandbox };
  if (isOver(sandbox)) {
    const { state, errorReason } = sandbox;
    await removeSandbox({ client, id, limitMs, known: sandbox }, until);
    const failed = state === 'error' || state === 'build_failed';
    return failed ? { kind: 'failed', reason: errorReason ?? state } : { kind: 'none' };
  }
  const left = Math.max(1, (until.deadline - performance.now()) / 1000);
  try {
    const work = (): Promise<void> => sandbox.waitUntilStarted(Math.min(left, limitMs / 1000));
    await withinLimit({ what: 'start the sandbox', limitMs: limitMs + 1000, work }, until);
    return { kind: 'ready', sandbox };
  } catch {
    until.signal?.throwIfAborted();
    return { kind: 'none' }; // The next look tells what has become of it.
  }
}

/** As the API says it; the SDK, which waits by itself, gives no status. */
function isStartFailure(error: unknown): boolean {
  return statusOf(error) === 400 && /failed to start/i.test(describeError(error));
}

function isQuota(error: unknown): boolean {
  const status = statusOf(error);
  return (status === 400 || status === 403) && QUOTA.test(describeError(error));
}

/** What no waiting will change, in words that say what to do. */
function refusal(error: unknown): Error {
  if (error instanceof TypedError) return error;
  if (error instanceof DaytonaTimeoutError) return unavailable(error);
  const status = statusOf(error);
  const why = describeError(error);
  if (status === 401) return new TypedError('Sandbox.Unavailable', keyRefused(why), { cause: error });
  const hint =
    status === 404 || status === 400 || status === 422
      ? 'Check sandbox.daytona in the configuration.'
      : "Check the key's permissions and the organization at https://app.daytona.io.";
  return new TypedError('Sandbox.Unavailable', `Daytona refuses to create a sandbox: ${why}. ${hint}`, {
    cause: error,
  });
}

export function keyRefused(why: string): string {
  return `Daytona refuses the key in DAYTONA_API_KEY: ${why}. Make a new one at https://app.daytona.io, and check DAYTONA_API_URL.`;
}

function startFailure(reason: string): TypedError {
  return new TypedError(
    'Sandbox.Unavailable',
    `Daytona could not start a sandbox, ${MAX_FAILED_SANDBOXES} times: ${reason}. Check sandbox.daytona in the configuration, or try again later.`,
  );
}

/** For what took longer than `sandbox.create_timeout`. */
export function unavailable(error: DaytonaTimeoutError): TypedError {
  const full = isQuota(error.cause);
  const hint = full
    ? 'Let other sandboxes end, raise the limits of the organization, or set rlm.max_parallel lower.'
    : 'Raise sandbox.create_timeout, or try again later.';
  return new TypedError('Sandbox.Unavailable', `${error.message} ${hint}`, { cause: error });
}
