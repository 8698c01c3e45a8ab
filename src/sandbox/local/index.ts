import { createHash } from 'node:crypto';
import { realpathSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { errorMessage } from '../../domain/error-message.ts';
import { TypedError } from '../../domain/failures.ts';
import { lockOf, withLock } from '../../files/lock.ts';
import { makePrivateFolder } from '../../files/private-folder.ts';
import { ROOT_AGENT } from '../../domain/ids.ts';
import type { SandboxHandle } from '../../domain/sandbox.ts';
import type { Sandbox, SandboxSpec, SandboxListing, SandboxProvider, SandboxRequest } from '../provider.ts';
import { checkSetup, isInRepository } from '../setup.ts';
import { hostIdentity } from '../host/host-identity.ts';
import { removeAbandoned } from '../host/scratch.ts';
import { BaseCheckouts, type BaseCheckout } from './base-checkout.ts';
import { endSandbox } from './ending.ts';
import { tryIsolation, unavailable, type Isolation } from './isolation.ts';
import { KernelConnections } from './kernel-connections.ts';
import { Launcher } from './launcher.ts';
import { LocalSandbox } from './local-sandbox.ts';
import { planSandbox, processMatchers, type PlanRequest } from './plan.ts';
import { SparePool } from './pool.ts';
import { isRunning, startSandbox } from './starting.ts';
import { Interpreters, type KernelInterpreter } from './interpreters.ts';
import { trySetup } from './plain-setup.ts';
import { SetupLayers, type SetupLayer } from './setup-layers.ts';
import { SandboxNetworks } from './sandbox-networks.ts';
import { SharedWork } from './shared-work.ts';
import { SandboxRecords, type SandboxRecord } from './records.ts';

export type { Isolation } from './isolation.ts';

export interface LocalProviderOptions {
  /** Where the records of sandboxes are; shared by all workers of this user on this host. */
  readonly stateDirectory: string;
  /** Repositories, checkouts, the kernel's archive: may be deleted when no sandbox runs. */
  readonly cacheDirectory: string;
  /** Names this host. Default: its host name. */
  readonly host?: string;
  /** Interpreter of the launcher, and of sandboxes that name none. */
  readonly python?: string;
  /** The worker's: names the proxies that setups use, and the hosts they may reach. Default: that of this process. */
  readonly environment?: NodeJS.ProcessEnv;
  /** One line for a person: something is being installed. Default: standard error. */
  readonly log?: (line: string) => void;
}

export interface LocalProvider extends SandboxProvider {
  /** `<name of the host>.<id of the state folder>`. */
  readonly host: string;
  /**
   * Whether protected sandboxes can be made here, found out by making one.
   *
   * @param options.install default true: bubblewrap is installed where that needs no question (root, apt).
   */
  checkIsolation(options?: { readonly install?: boolean }): Promise<Isolation>;
  /** Of the launcher, while there is one. */
  readonly launcherPid: number | undefined;
}

/** Sandboxes on this host: the kernel under bubblewrap, its clone an overlay on a clean checkout. docs/sandbox.md. */
export function createLocalProvider(options: LocalProviderOptions): LocalProvider {
  return new Provider(options);
}

interface Toolchain {
  readonly interpreter: KernelInterpreter;
  /** Null: no isolation. */
  readonly bwrap: string | null;
  readonly launcher: Launcher;
}

class Provider implements LocalProvider {
  readonly name = 'local';
  readonly host: string;
  readonly #records: SandboxRecords;
  readonly #cacheDirectory: string;
  readonly #log: (line: string) => void;
  /** Leftovers of which has been told that they cannot be removed. */
  readonly #named = new Set<string>();
  readonly #interpreters: Interpreters;
  readonly #connections: KernelConnections;
  readonly #setups = new SharedWork();
  readonly #pool: SparePool;
  readonly #tag: string;
  readonly #defaultPython: string | undefined;
  readonly #environment: NodeJS.ProcessEnv;
  readonly #networks: SandboxNetworks;
  #launcher: Promise<Launcher> | undefined;
  #isolation: Promise<Isolation> | undefined;

  constructor(options: LocalProviderOptions) {
    for (const folder of [options.stateDirectory, options.cacheDirectory]) makePrivateFolder(folder);
    const stateDirectory = realpathSync(options.stateDirectory);
    this.host = hostIdentity(options.host ?? hostname(), stateDirectory);
    this.#records = new SandboxRecords(stateDirectory);
    this.#connections = new KernelConnections(this.#records.directory);
    this.#cacheDirectory = realpathSync(options.cacheDirectory);
    this.#log = options.log ?? ((line) => void process.stderr.write(`${line}\n`));
    this.#interpreters = new Interpreters(this.#cacheDirectory);
    this.#tag = createHash('sha256').update(stateDirectory).digest('hex').slice(0, 12);
    this.#defaultPython = options.python;
    this.#environment = options.environment ?? process.env;
    this.#networks = new SandboxNetworks(this.#environment, this.#log);
    const end = (id: string): Promise<void> => this.#end(id);
    this.#pool = new SparePool({ records: this.#records, isRunning, end, log: this.#log });
  }

  get launcherPid(): number | undefined {
    return this.#startedLauncher?.pid;
  }

  async create(request: SandboxRequest, signal?: AbortSignal): Promise<SandboxHandle> {
    if (!/^[A-Za-z0-9._-]{1,63}$/.test(request.name) || request.name.startsWith('.')) {
      throw new TypedError('Input.Invalid', `not a name for a sandbox: ${request.name}`);
    }
    const { id } = this.handleOf(request);
    const means = await this.#means(request);
    const clone = await this.#clone(request, means, signal);
    const key = poolKey(request, clone, means);
    const make = (asked: SandboxRequest): Promise<SandboxRecord> => this.#make(asked, { means, clone, key }, undefined);
    const work = async (): Promise<SandboxRecord> => {
      const existing = this.#records.read(id);
      if (existing !== undefined && isRunning(existing))
        return existing.spare === undefined ? existing : this.#pool.complete(existing, request);
      await this.#end(id);
      const claimed = key === undefined ? undefined : await this.#pool.claim(request, id, key);
      return claimed ?? this.#make(request, { means, clone }, signal);
    };
    const record = await this.#pool.whileCreating(() => this.#locked(id, signal, work));
    if (key !== undefined) this.#pool.replenish({ request, key, make });
    return this.#handle(record);
  }

  async #make(
    request: SandboxRequest,
    { means, clone, key }: { means: Toolchain; clone: PlanRequest['clone']; key?: string | undefined },
    signal: AbortSignal | undefined,
  ): Promise<SandboxRecord> {
    const { id } = this.handleOf(request);
    const isolation = await this.#isolation;
    const overlay = isolation?.ok === true && isolation.overlay;
    const folder = this.#records.folder(id);
    const plan = planSandbox({ request, id, tag: this.#tag, folder, overlay, clone, ...means });
    const marked = key === undefined ? plan : { ...plan, record: { ...plan.record, spare: key } };
    try {
      const how = {
        launcher: means.launcher,
        records: this.#records,
        connections: this.#connections,
        networks: this.#networks,
      };
      return await startSandbox(how, marked, signal);
    } catch (error) {
      await this.#end(id);
      if (signal?.aborted === true) throw signal.reason;
      if (error instanceof TypedError && error.type !== 'Sandbox.Lost') throw error;
      // A trial went well, so this is the moment's trouble (memory, processes, a launcher that was killed): worth
      // another attempt, hence none of the failures that are for good.
      const why = errorMessage(error);
      throw new Error(`A sandbox could not be started on ${this.host}: ${why}`, { cause: error });
    }
  }

  async prepare(request: SandboxRequest, signal?: AbortSignal): Promise<void> {
    checkSetup(request);
    if (request.setup === undefined || request.repository === undefined) return;
    const means = await this.#means(request);
    const clone = await this.#clone(request, means, signal);
    if (clone !== undefined && !('lower' in clone)) {
      await trySetup({ ...request, ...means, clone }, this.#cacheDirectory, signal);
    }
  }

  /** What sandboxes of these settings are made with. */
  async #means({ python, isolation }: SandboxSpec): Promise<Toolchain> {
    const interpreter = await this.#interpreters.find(
      isInRepository(python) ? this.#defaultPython : (python ?? this.#defaultPython),
    );
    const bwrap = isolation === 'none' ? null : await this.#bubblewrap();
    return { interpreter, bwrap, launcher: await this.#launch() };
  }

  /** What a clone is made of, which is made itself where it is missing. */
  async #clone(
    basis: SandboxSpec,
    { interpreter, bwrap, launcher }: Toolchain,
    signal: AbortSignal | undefined,
  ): Promise<BaseCheckout | SetupLayer | undefined> {
    checkSetup(basis);
    const { repository, setup, python, disk_mb, network = [] } = basis;
    if (repository === undefined) return undefined;
    const cacheDirectory = this.#cacheDirectory;
    if (setup === undefined || bwrap === null) {
      return new BaseCheckouts(cacheDirectory, launcher).ensure(
        { ...repository, disk_mb },
        { bwrap, interpreter },
        signal,
      );
    }
    const layers = new SetupLayers({
      cacheDirectory,
      launcher,
      shared: this.#setups,
      environment: this.#environment,
      log: this.#log,
    });
    return layers.ensure({ ...repository, setup, python, disk_mb, network }, { bwrap, interpreter }, signal);
  }

  handleOf({ name, generation }: Pick<SandboxRequest, 'name' | 'generation'>): SandboxHandle {
    return { provider: this.name, id: `${name}.g${generation}`, generation, host: this.host };
  }

  async connect(handle: SandboxHandle): Promise<Sandbox> {
    const record = this.#records.read(handle.id);
    if (handle.host !== undefined && handle.host !== this.host) {
      throw new TypedError('Sandbox.Lost', `Sandbox ${handle.id} is on ${handle.host}, not here.`);
    }
    if (record === undefined || record.generation !== handle.generation || !isRunning(record)) {
      this.#connections.forget(handle.id);
      throw new TypedError('Sandbox.Lost', `Sandbox ${handle.id} is gone: ended, killed, or idle for too long.`);
    }
    await this.#networks.open({ id: record.id, folder: this.#records.folder(record.id), hosts: record.network ?? [] });
    return new LocalSandbox(handle, record, this.#connections.open(record.id));
  }

  async destroy(handle: Pick<SandboxHandle, 'id'>): Promise<void> {
    const labels = this.#records.read(handle.id)?.labels;
    // Not under the lock: a creation that hangs must not keep its sandbox alive.
    await this.#end(handle.id);
    if (labels?.agent === ROOT_AGENT) await this.#pool.drain(labels);
  }

  async count(): Promise<number> {
    return (await this.#records.ids()).length;
  }

  async list(): Promise<SandboxListing[]> {
    await this.#removeHalfMade();
    const listings: SandboxListing[] = [];
    for (const id of await this.#records.ids()) {
      const record = this.#records.read(id);
      if (record !== undefined) listings.push({ handle: this.#handle(record), labels: record.labels });
      // Its record was lost in a crash of the machine, and all its processes with it.
      else if (this.#records.exists(id)) await this.#end(id);
    }
    return listings;
  }

  /** What killed processes left in the caches: the next process to make an entry would, but there may never be one. */
  async #removeHalfMade(): Promise<void> {
    const entries = await readdir(this.#cacheDirectory, { withFileTypes: true });
    const folders = entries.filter((entry) => entry.isDirectory()).map(({ name }) => join(this.#cacheDirectory, name));
    const left = await Promise.all([this.#cacheDirectory, ...folders].map(removeAbandoned));
    for (const { path, why } of left.flat()) {
      if (!this.#named.has(path)) this.#log(`${path} is of no use any more and could not be removed: ${why}`);
      this.#named.add(path);
    }
  }

  async close(): Promise<void> {
    await this.#pool.close();
    this.#connections.close();
    await this.#networks.closeAll();
    const launcher = await this.#launcher;
    this.#launcher = undefined;
    this.#startedLauncher = undefined;
    await launcher?.close();
  }

  checkIsolation(options: { readonly install?: boolean } = {}): Promise<Isolation> {
    const asked = this.#tryIsolation(options.install ?? true);
    // Only what works is remembered: the rest may be put right at any moment.
    this.#isolation ??= asked;
    const forget = (): void => {
      if (this.#isolation === asked) this.#isolation = undefined;
    };
    asked.then((isolation) => isolation.ok || forget(), forget);
    return asked;
  }

  async #tryIsolation(install: boolean): Promise<Isolation> {
    const [launcher, interpreter] = await Promise.all([this.#launch(), this.#interpreters.find(this.#defaultPython)]);
    return tryIsolation({ launcher, interpreter, cacheDirectory: this.#cacheDirectory, install, log: this.#log });
  }

  async #bubblewrap(): Promise<string> {
    const isolation = await (this.#isolation ?? this.checkIsolation());
    if (isolation.ok) return isolation.bubblewrap;
    throw unavailable(isolation);
  }

  #startedLauncher: Launcher | undefined;

  #launch(): Promise<Launcher> {
    if (this.#launcher !== undefined) return this.#launcher;
    const launcher = this.#interpreters.find(this.#defaultPython).then((interpreter: KernelInterpreter) => {
      this.#startedLauncher = new Launcher(interpreter.path);
      return this.#startedLauncher;
    });
    this.#launcher = launcher;
    // What is missing may have been installed by the next time.
    launcher.catch(() => (this.#launcher = undefined));
    return launcher;
  }

  #locked<T>(id: string, signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
    return withLock(lockOf(join(this.#records.directory, id)), work, { signal });
  }

  async #end(id: string): Promise<void> {
    this.#connections.forget(id);
    await this.#networks.close(id);
    if (!this.#records.exists(id)) return;
    await endSandbox(this.#records, id, processMatchers(this.#tag, id, this.#records.folder(id)));
  }

  #handle(record: SandboxRecord): SandboxHandle {
    return { provider: this.name, id: record.id, generation: record.generation, host: this.host };
  }
}

/**
 * Undefined where spares cannot be used: a kernel's generation is that it was started with, without isolation its
 * paths are its own, and a proxy belongs to one sandbox.
 */
function poolKey(request: SandboxRequest, clone: PlanRequest['clone'], means: Toolchain): string | undefined {
  const { pool = 0, generation, labels, memory_mb, idle_timeout, network = [] } = request;
  if (pool === 0 || generation !== 0 || means.bwrap === null || network.length > 0) return undefined;
  const layer = clone === undefined ? null : 'lower' in clone ? clone.lower : clone.tree;
  const { path, archiveName } = means.interpreter;
  const { cluster, namespace, run, execution } = labels;
  const parts = [cluster, namespace, run, execution, layer, path, archiveName, memory_mb, idle_timeout];
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex');
}
