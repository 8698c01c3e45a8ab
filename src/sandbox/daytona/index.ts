import type { Daytona, Sandbox as Machine } from '@daytonaio/sdk';
import { TypedError } from '../../domain/failures.ts';
import type { SandboxHandle } from '../../domain/sandbox.ts';
import type { Sandbox, SandboxLabels, SandboxListing, SandboxProvider, SandboxRequest } from '../provider.ts';
import { checkSetup } from '../setup.ts';
import type { PatchPaths } from '../take-patch.ts';
import {
  describeError,
  retryUntil,
  DaytonaTimeoutError,
  deadlineIn,
  statusOf,
  withinLimit,
  type Deadline,
} from './calls.ts';
import { DaytonaClients, requireDaytonaKey, REQUEST_TIMEOUT_MS } from './client.ts';
import { obtainSandbox, unavailable } from './creation.ts';
import { DaytonaSandbox } from './daytona-sandbox.ts';
import { fromLabels, MARK, ownerLabels } from './labels.ts';
import { readParts, type Parts } from './parts.ts';
import { PreparationFailure, prepareSandbox, readPaths } from './preparation.ts';
import { PreviewLink } from './preview-link.ts';
import { removeSandbox } from './removal.ts';
import { bundleFile, urlToFetchInside, type Delivery } from './repository.ts';
import { findSandbox, isOver } from './states.ts';

export interface DaytonaProviderOptions {
  /** `DAYTONA_API_KEY`, `DAYTONA_API_URL` and `DAYTONA_TARGET` are read from it when they are needed. */
  readonly environment: NodeJS.ProcessEnv;
  /** Bundles of repositories and the kernel's archive are kept in it. */
  readonly cacheDirectory: string;
  /** Whose sandboxes `list` is about. Default: all that this program made. */
  readonly owner?: Pick<SandboxLabels, 'cluster' | 'namespace'>;
  /** Milliseconds a single request to Daytona may take. Default 60,000. */
  readonly requestTimeoutMs?: number;
  /** Milliseconds of trouble after which the kernel of a sandbox that runs counts as gone. Default 8,000. */
  readonly troubleMs?: number;
}

/** Sandboxes of Daytona: docs/daytona.md. */
export function createDaytonaProvider(options: DaytonaProviderOptions): SandboxProvider {
  return new Provider(options);
}

const DEFAULT_CREATE_TIMEOUT = 300;
/** Of it, what a creation takes for itself: who waits for it should hear why, not that time is over. */
const SHARE = 0.95;
const CLEAN_UP_MS = 20_000;
const DESTROY_MS = 60_000;
const TROUBLE_MS = 8_000;
/** Milliseconds in which a sandbox that has answered is not asked for again. */
const FRESH_MS = 5_000;
/** Sandboxes that vanish while they are being made before it is given up. */
const MAX_ROUNDS = 4;

interface Connection {
  readonly sandbox: DaytonaSandbox;
  readonly machine: Machine;
  readonly link: PreviewLink;
}

class Provider implements SandboxProvider {
  readonly name = 'daytona';
  readonly host = undefined;
  readonly #options: DaytonaProviderOptions;
  readonly #clients: DaytonaClients;
  readonly #limitMs: number;
  readonly #connections = new Map<string, Connection>();
  #parts: Promise<Parts> | undefined;

  constructor(options: DaytonaProviderOptions) {
    this.#options = options;
    this.#limitMs = options.requestTimeoutMs ?? REQUEST_TIMEOUT_MS;
    this.#clients = new DaytonaClients({ environment: options.environment, requestTimeoutMs: this.#limitMs });
  }

  handleOf({ name, generation }: Pick<SandboxRequest, 'name' | 'generation'>): SandboxHandle {
    return { provider: this.name, id: `${name}.g${generation}`, generation };
  }

  /** With a setup the sandbox itself is made: its setup runs in it, and is over when its agent comes for it. */
  async prepare(request: SandboxRequest, signal?: AbortSignal): Promise<void> {
    requireDaytonaKey(this.#options.environment);
    checkSetup(request);
    if (request.setup !== undefined) await this.create(request, signal);
  }

  async create(request: SandboxRequest, signal?: AbortSignal): Promise<SandboxHandle> {
    if (!/^[A-Za-z0-9._-]{1,63}$/.test(request.name) || request.name.startsWith('.')) {
      throw new TypedError('Input.Invalid', `not a name for a sandbox: ${request.name}`);
    }
    checkSetup(request);
    const handle = this.handleOf(request);
    const until = deadlineIn((request.create_timeout ?? DEFAULT_CREATE_TIMEOUT) * 1000 * SHARE, signal);
    const client = await this.#clients.open(request.daytona?.target);
    let answered: Promise<unknown> = Promise.resolve();
    const sent = (answer: Promise<unknown>): void => {
      answered = answer;
    };
    try {
      await this.#make({ client, handle, request, sent }, until);
      return handle;
    } catch (error) {
      await this.#cleanUp(client, handle.id, answered);
      signal?.throwIfAborted();
      throw asFailure(error);
    }
  }

  async #make(making: Making, until: Deadline): Promise<void> {
    const { client, handle, request } = making;
    const limitMs = this.#limitMs;
    const [parts, first] = await Promise.all([this.#readParts(), this.#deliver(request, until)]);
    let delivery = first;
    for (let round = 1; ; round += 1) {
      const machine = await obtainSandbox({ client, id: handle.id, request, limitMs, sent: making.sent }, until);
      const link = this.#link(handle.id, machine);
      try {
        const preparation = { sandbox: machine, link, parts, request, delivery, limitMs };
        this.#remember(handle, machine, link, await prepareSandbox(preparation, until));
        return;
      } catch (error) {
        until.signal?.throwIfAborted();
        const next = await this.#afterFailure(error, { machine, delivery, making, round }, until);
        if (next === undefined || round === MAX_ROUNDS) throw error;
        delivery = next.delivery;
      }
    }
  }

  /** What to try instead; undefined where nothing will help. */
  async #afterFailure(
    error: unknown,
    { machine, delivery, making, round }: Round,
    until: Deadline,
  ): Promise<{ delivery: Delivery | undefined } | undefined> {
    const { client, handle, request } = making;
    const kind = error instanceof PreparationFailure ? error.kind : undefined;
    if (kind === 'unsuitable' || error instanceof DaytonaTimeoutError) return undefined;
    if ((kind === 'no commit' || kind === 'no network') && delivery?.kind === 'url') {
      // This host may reach what the sandbox cannot, and says best why not.
      return { delivery: await this.#deliverByFile(request, until) };
    }
    if (kind === 'used' || (kind === 'other' && round === 1)) {
      await removeSandbox({ client, id: handle.id, limitMs: this.#limitMs, known: machine }, until);
      return { delivery };
    }
    return (await this.#isGone(machine, until)) ? { delivery } : undefined;
  }

  async #isGone(machine: Machine, until: Deadline): Promise<boolean> {
    try {
      const work = (): Promise<void> => machine.refreshData();
      await retryUntil({ what: 'find the sandbox', work, limitMs: this.#limitMs }, until);
      return isOver(machine);
    } catch (error) {
      return statusOf(error) === 404;
    }
  }

  async #deliver(request: SandboxRequest, until: Deadline): Promise<Delivery | undefined> {
    if (request.repository === undefined) return undefined;
    const url = urlToFetchInside(request.repository, request);
    return url === undefined ? this.#deliverByFile(request, until) : { kind: 'url', url };
  }

  async #deliverByFile(request: SandboxRequest, until: Deadline): Promise<Delivery | undefined> {
    if (request.repository === undefined) return undefined;
    const path = await bundleFile(this.#options.cacheDirectory, request.repository, until.signal);
    return { kind: 'file', path };
  }

  /** A creation that fails leaves nothing, as far as that is in its power; the sweep and Daytona see to the rest. */
  async #cleanUp(client: Daytona, id: string, answered: Promise<unknown>): Promise<void> {
    const until = deadlineIn(CLEAN_UP_MS);
    this.#connections.delete(id);
    try {
      // What is deleted before it is made would be made afterwards.
      const work = (): Promise<unknown> => answered;
      await withinLimit({ what: 'answer', work, limitMs: CLEAN_UP_MS / 2 }, until).catch(() => undefined);
      await removeSandbox({ client, id, limitMs: this.#limitMs }, until);
    } catch {
      // The failure itself is what counts.
    }
  }

  async connect(handle: SandboxHandle): Promise<Sandbox> {
    const known = this.#connections.get(handle.id);
    if (known?.sandbox.handle.generation === handle.generation && known.sandbox.isFresh(FRESH_MS)) return known.sandbox;
    const client = await this.#clients.open();
    const until = deadlineIn(this.#limitMs);
    const work = (): Promise<Machine | undefined> => findSandbox(client, handle.id);
    const machine = await retryUntil({ what: 'find the sandbox', work, limitMs: this.#limitMs }, until);
    if (machine === undefined || isOver(machine) || fromLabels(machine.labels)?.generation !== handle.generation) {
      this.#connections.delete(handle.id);
      throw new TypedError('Sandbox.Lost', `Sandbox ${handle.id} is gone: stopped, deleted, or idle for too long.`);
    }
    if (known !== undefined && known.machine.id === machine.id) {
      known.sandbox.markSeen();
      return known.sandbox;
    }
    const link = this.#link(handle.id, machine);
    // The first request decides, by the sandbox's state, what its failure means.
    await link.send({ method: 'GET', path: '/v1/info', replyLimit: 65_536, timeoutMs: 30_000, idempotent: true });
    return this.#remember(handle, machine, link, await readPaths(link, until));
  }

  #link(id: string, machine: Machine): PreviewLink {
    const seen = (): void => this.#connections.get(id)?.sandbox.markSeen();
    const troubleMs = this.#options.troubleMs ?? TROUBLE_MS;
    return new PreviewLink({ sandbox: machine, limitMs: this.#limitMs, troubleMs, seen });
  }

  #remember(handle: SandboxHandle, machine: Machine, link: PreviewLink, paths: PatchPaths): DaytonaSandbox {
    const sandbox = new DaytonaSandbox({ handle, machine, link, paths, limitMs: this.#limitMs });
    this.#connections.set(handle.id, { sandbox, machine, link });
    return sandbox;
  }

  async destroy({ id }: Pick<SandboxHandle, 'id'>): Promise<void> {
    const known = this.#connections.get(id);
    this.#connections.delete(id);
    const client = await this.#clients.open();
    await removeSandbox({ client, id, limitMs: this.#limitMs, known: known?.machine }, deadlineIn(DESTROY_MS));
    known?.link.end();
  }

  async count(): Promise<number> {
    return (await this.list()).length;
  }

  async list(): Promise<SandboxListing[]> {
    const client = await this.#clients.open();
    const { owner } = this.#options;
    const labels = { ...MARK, ...(owner === undefined ? {} : ownerLabels(owner)) };
    const work = async (): Promise<SandboxListing[]> => {
      const listings: SandboxListing[] = [];
      for await (const machine of client.list({ labels })) {
        const listing = this.#listing(machine);
        if (listing !== undefined) listings.push(listing);
      }
      return listings;
    };
    return retryUntil({ what: 'list its sandboxes', work, limitMs: this.#limitMs }, deadlineIn(this.#limitMs));
  }

  #listing(machine: Machine): SandboxListing | undefined {
    const ours = fromLabels(machine.labels);
    if (ours === undefined || machine.state === 'destroyed' || machine.state === 'destroying') return undefined;
    // One whose deletion got stuck has another name by then.
    const id = machine.name === ours.name ? ours.name : machine.id;
    return { handle: { provider: this.name, id, generation: ours.generation }, labels: ours.labels };
  }

  async close(): Promise<void> {
    this.#connections.clear();
    await this.#clients.close();
  }

  #readParts(): Promise<Parts> {
    if (this.#parts !== undefined) return this.#parts;
    const reading = readParts(this.#options.cacheDirectory);
    this.#parts = reading;
    reading.catch(() => (this.#parts = undefined));
    return reading;
  }
}

interface Making {
  readonly client: Daytona;
  readonly handle: SandboxHandle;
  readonly request: SandboxRequest;
  readonly sent: (answer: Promise<unknown>) => void;
}

/** One attempt to make a sandbox of a machine. */
interface Round {
  readonly machine: Machine;
  readonly delivery: Delivery | undefined;
  readonly making: Making;
  readonly round: number;
}

/** Why a sandbox could not be made, in words for a person. */
function asFailure(error: unknown): Error {
  if (error instanceof TypedError) return error;
  if (error instanceof DaytonaTimeoutError) return unavailable(error);
  const why = describeError(error);
  if (error instanceof PreparationFailure && error.kind === 'no commit')
    return new TypedError('Repository.NotFound', `The repository could not be had: ${why}`, { cause: error });
  const hint =
    error instanceof PreparationFailure && error.kind === 'unsuitable'
      ? 'Sandboxes need Python 3.9 or newer (sandbox.python names it) and git: choose another snapshot or image.'
      : 'Try again; rlm doctor looks at the connection to Daytona.';
  return new TypedError('Sandbox.Unavailable', `A sandbox of Daytona could not be made: ${why}. ${hint}`, {
    cause: error,
  });
}
