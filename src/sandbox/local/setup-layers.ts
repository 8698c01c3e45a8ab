import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, chown, cp, mkdir, readdir, rename } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { lockOf, withLock } from '../../files/lock.ts';
import { makePrivateFolder } from '../../files/private-folder.ts';
import { kernelSource } from '../kernel-archive.ts';
import type { SandboxSetup } from '../provider.ts';
import { planSetup, type SetupPlan } from '../setup.ts';
import { discardTree, makeScratchFolder, removeAbandoned, removeTree } from '../host/scratch.ts';
import { markUsed } from '../host/last-use.ts';
import { BaseCheckouts, INSIDE_OBJECTS, type BaseCheckout, type CheckoutRequest } from './base-checkout.ts';
import { kernelFlags, type KernelInterpreter } from './interpreters.ts';
import { HOME, uidToBecome, WORKSPACE } from './launch-spec.ts';
import type { Launcher } from './launcher.ts';
import { buildKernelInside, runSetup, type SetupRoom } from './setup-jobs.ts';
import type { SharedWork } from './shared-work.ts';

/** A commit with what its setup made: the lower layer of every clone of a run. Paths on the host. */
export interface SetupLayer {
  /** Holds `tree` and `home`. */
  readonly lower: string;
  /** What `kernel baseline` made. */
  readonly baseline: string;
  readonly objects: string;
  /** The virtual environment's, as code sees it. */
  readonly interpreter: KernelInterpreter;
  readonly environment: Readonly<Record<string, string>>;
}

export interface LayerRequest extends CheckoutRequest {
  readonly setup: SandboxSetup;
  /** `sandbox.python`. */
  readonly python: string | undefined;
  /** `sandbox.network`. */
  readonly network: readonly string[];
}

/** Where sandboxes see what a setup left, and while it is being made the kernel's archive and sources. */
export const INSIDE_SETUP = '/run/rlm/setup';
const INSIDE_KERNEL = '/run/rlm/kernel';
const INSIDE_SOURCES = '/run/rlm/sources';
const INSIDE_INDEX = '/run/rlm/index';
const INSIDE_BUILD = '/run/rlm/build';

/**
 * The results of setups, one for each repository, commit, commands, interpreter and version of the kernel on this host.
 * Each appears complete or not at all. What the commands wrote lies in a home and a tree of its own, at the places where
 * every sandbox will see them, because a virtual environment cannot be moved.
 */
export class SetupLayers {
  readonly #directory: string;
  readonly #checkouts: BaseCheckouts;
  readonly #launcher: Launcher;
  readonly #log: (line: string) => void;
  readonly #shared: SharedWork;
  readonly #environment: NodeJS.ProcessEnv;

  /** @param options.shared a setup that fails is not tried again by each of those who waited for it. */
  constructor(options: {
    readonly cacheDirectory: string;
    readonly launcher: Launcher;
    readonly shared: SharedWork;
    /** The worker's. */
    readonly environment: NodeJS.ProcessEnv;
    readonly log: (line: string) => void;
  }) {
    const { cacheDirectory, launcher, shared, environment, log } = options;
    this.#directory = join(cacheDirectory, 'layers');
    this.#checkouts = new BaseCheckouts(cacheDirectory, launcher);
    this.#launcher = launcher;
    this.#shared = shared;
    this.#environment = environment;
    this.#log = log;
  }

  /**
   * Makes it where it is missing; concurrent callers, of other processes too, make it once.
   *
   * @throws TypedError `Sandbox.SetupFailed`, `Repository.*`.
   */
  async ensure(
    request: LayerRequest,
    how: { readonly bwrap: string; readonly interpreter: KernelInterpreter },
    signal?: AbortSignal,
  ): Promise<SetupLayer> {
    const { setup, python } = request;
    const plan = planSetup(
      setup,
      { workspace: WORKSPACE, home: HOME },
      { interpreter: how.interpreter.path, preferred: python },
    );
    const base = this.#checkouts.at(request, how);
    const folder = join(this.#directory, layerKey(base, request, how.interpreter));
    if (!existsSync(folder)) {
      await this.#shared.do(folder, signal, (shared) => {
        const make = async (): Promise<void> => {
          if (!existsSync(folder)) await this.#make(folder, { request, plan, ...how }, shared);
        };
        return withLock(lockOf(folder), make, { signal: shared });
      });
    }
    await markUsed(folder, dirname(base.objects));
    return this.#layer(folder, base, plan, how.interpreter);
  }

  async #layer(
    folder: string,
    base: BaseCheckout,
    plan: SetupPlan,
    interpreter: KernelInterpreter,
  ): Promise<SetupLayer> {
    const own = plan.isOwn ? await ownKernel(join(folder, 'kernel')) : {};
    return {
      lower: join(folder, 'lower'),
      baseline: join(folder, 'baseline'),
      objects: base.objects,
      interpreter: { ...interpreter, path: plan.python, ...own },
      environment: plan.later,
    };
  }

  async #make(folder: string, how: Making, signal: AbortSignal): Promise<void> {
    makePrivateFolder(this.#directory);
    await removeAbandoned(this.#directory);
    const fresh = await makeScratchFolder(this.#directory, 'new');
    try {
      await this.#fill(fresh, how, signal);
      await removeTree(join(fresh, 'temporary'));
      // Of no use without network; where it resists it stays.
      await discardTree(join(fresh, 'lower', 'home', '.cache'));
      await rename(fresh, folder);
    } finally {
      await discardTree(fresh);
    }
  }

  async #fill(fresh: string, { request, plan, bwrap, interpreter }: Making, signal: AbortSignal): Promise<void> {
    const { setup, commit } = request;
    const lower = join(fresh, 'lower');
    const objects = await this.#checkouts.make(lower, request, { bwrap, interpreter }, signal);
    const room = await this.#room({ fresh, lower, objects, bwrap, interpreter, request });
    this.#log(`sandbox.setup for ${commit.slice(0, 12)}, once on this host: ${setup.commands.join('; ')}`);
    await runSetup(room, { setup, plan, commit }, signal);
    if (!plan.isOwn) return;
    await cp(kernelSource(), join(fresh, 'sources'), { recursive: true });
    await makeReadable(join(fresh, 'sources'));
    const places = { sources: INSIDE_SOURCES, into: INSIDE_BUILD, host: join(fresh, 'kernel') };
    await buildKernelInside(room, plan.python, places, signal);
    await removeTree(join(fresh, 'sources'));
  }

  async #room(made: Omit<Making, 'plan'> & { fresh: string; lower: string; objects: string }): Promise<SetupRoom> {
    const { fresh, lower, objects, bwrap, interpreter, request } = made;
    const own = {
      home: join(lower, 'home'),
      temporary: join(fresh, 'temporary'),
      baseline: join(fresh, 'baseline'),
      kernel: join(fresh, 'kernel'),
    };
    await Promise.all(Object.values(own).map(makeOwned));
    await mkdir(join(fresh, 'sources'));
    return {
      launcher: this.#launcher,
      bwrap,
      interpreter,
      inside: {
        workspace: WORKSPACE,
        home: HOME,
        kernel: `${INSIDE_KERNEL}/${interpreter.archiveName}`,
        objects: INSIDE_OBJECTS,
        index: INSIDE_INDEX,
        baseline: INSIDE_SETUP,
      },
      binds: {
        read_only: [
          [interpreter.archive, `${INSIDE_KERNEL}/${interpreter.archiveName}`],
          [objects, INSIDE_OBJECTS],
          [join(lower, 'index'), INSIDE_INDEX],
          [join(fresh, 'sources'), INSIDE_SOURCES],
        ],
        writable: [
          [own.home, HOME],
          // On disk: what is built may be larger than memory.
          [own.temporary, '/tmp'],
          [own.baseline, INSIDE_SETUP],
          [own.kernel, INSIDE_BUILD],
        ],
      },
      workspace: { kind: 'bind', path: join(lower, 'tree') },
      disk_mb: request.disk_mb,
      wayOut: {
        folder: join(fresh, 'way-out'),
        network: request.network,
        environment: this.#environment,
        log: this.#log,
      },
    };
  }
}

interface Making {
  readonly request: LayerRequest;
  readonly plan: SetupPlan;
  readonly bwrap: string;
  readonly interpreter: KernelInterpreter;
}

/**
 * The values of variables do not count: a token that is exchanged every day would have everything made anew. The name of
 * the archive stands for the interpreter's version and for the kernel's, which has made the baseline.
 */
function layerKey(base: BaseCheckout, { setup, python }: LayerRequest, interpreter: KernelInterpreter): string {
  const { path, archiveName } = interpreter;
  const text = JSON.stringify([
    base.tree,
    setup.commands,
    python ?? null,
    path,
    archiveName,
    Object.keys(setup.environment).toSorted(),
  ]);
  return createHash('sha256').update(text).digest('hex').slice(0, 40);
}

async function ownKernel(folder: string): Promise<Pick<KernelInterpreter, 'archive' | 'archiveName' | 'flags'>> {
  const [name = ''] = await readdir(folder);
  return { archive: join(folder, name), archiveName: name, flags: kernelFlags(name) };
}

/** A folder that the processes of a sandbox may write. */
async function makeOwned(path: string): Promise<void> {
  await mkdir(path, { recursive: true, mode: 0o755 });
  const owner = uidToBecome();
  if (owner !== null) await chown(path, owner, owner);
}

async function makeReadable(folder: string): Promise<void> {
  await chmod(folder, 0o755);
  const names = await readdir(folder);
  await Promise.all(names.map((name) => chmod(join(folder, name), name.includes('.') ? 0o644 : 0o755)));
}
