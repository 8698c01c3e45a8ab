import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { cp, mkdir, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { TypedError } from '../../domain/failures.ts';
import { lockOf, withLock } from '../../files/lock.ts';
import { discardTree, makeScratchFolder, removeAbandoned } from '../host/scratch.ts';
import { kernelSource } from '../kernel-archive.ts';
import type { SandboxSetup } from '../provider.ts';
import { planSetup } from '../setup.ts';
import type { BaseCheckout } from './base-checkout.ts';
import { kernelFlags, type KernelInterpreter } from './interpreters.ts';
import { launchSpec, sandboxEnvironment, type Interpreter } from './launch-spec.ts';
import type { Launcher } from './launcher.ts';
import { buildKernelInside, runSetup, type SetupRoom } from './setup-jobs.ts';

/** Folder of a sandbox without isolation that holds what its setup did to the clone. */
export const BASELINE = 'baseline';
const COPY_TIMEOUT_MS = 10 * 60_000;

export interface PlainSetup {
  readonly launcher: Launcher;
  readonly interpreter: KernelInterpreter;
  readonly clone: BaseCheckout;
  readonly repository?: { readonly commit: string };
  readonly setup?: SandboxSetup;
  /** `sandbox.python`. */
  readonly python?: string;
  /** The sandbox's, with `home` and `tmp` in it. */
  readonly folder: string;
  readonly environment: Readonly<Record<string, string>>;
}

/** PATH is that of the worker: nothing is hidden without isolation. */
export function plainEnvironment(interpreter: Interpreter): Record<string, string> {
  const environment = sandboxEnvironment(interpreter);
  return { ...environment, PATH: process.env['PATH'] ?? environment['PATH'] ?? '' };
}

function withEnvironment(python: string): { readonly PATH: string } {
  return { PATH: [join(python, '..'), process.env['PATH'] ?? '/usr/local/bin:/usr/bin:/bin'].join(':') };
}

/**
 * A clone and its setup in a sandbox's own folder. Without isolation every clone lies at another path, and what is
 * installed knows its path: so each sandbox is set up by itself.
 *
 * @throws TypedError `Sandbox.SetupFailed`.
 */
export async function setUpInFolder(
  given: PlainSetup,
  signal: AbortSignal | undefined,
): Promise<{ readonly interpreter: KernelInterpreter; readonly environment: Readonly<Record<string, string>> }> {
  const { launcher, interpreter, clone, setup, repository, folder } = given;
  if (setup === undefined || repository === undefined) throw new Error('there is nothing to set up');
  const place = { workspace: join(folder, 'work'), home: join(folder, 'home') };
  const plan = planSetup(setup, place, { interpreter: interpreter.path, preferred: given.python });
  await copyClone(launcher, { interpreter, lower: clone.tree, workspace: place.workspace }, signal);
  const baseline = join(folder, BASELINE);
  await mkdir(baseline);
  const room: SetupRoom = {
    launcher,
    bwrap: null,
    interpreter,
    inside: { ...place, kernel: interpreter.archive, objects: clone.objects, index: clone.index, baseline },
    binds: {},
    workspace: { kind: 'bind', path: place.workspace },
    environment: { ...plainEnvironment(interpreter), ...given.environment, ...withEnvironment(plan.python) },
  };
  await runSetup(room, { setup, plan, commit: repository.commit }, signal);
  const own = { ...interpreter, path: plan.python };
  const environment = { ...plan.later, ...withEnvironment(plan.python) };
  if (!plan.isOwn) return { interpreter: own, environment };
  const built = join(folder, 'kernel');
  const sources = join(folder, 'sources');
  await cp(kernelSource(), sources, { recursive: true });
  const archive = await buildKernelInside(room, plan.python, { sources, into: built, host: built }, signal);
  const archiveName = basename(archive);
  return { interpreter: { ...own, archive, archiveName, flags: kernelFlags(archiveName) }, environment };
}

async function copyClone(
  launcher: Launcher,
  { interpreter, lower, workspace }: { interpreter: Interpreter; lower: string; workspace: string },
  signal: AbortSignal | undefined,
): Promise<void> {
  const spec = launchSpec({
    bwrap: null,
    interpreter,
    folder: null,
    workspace: { kind: 'copy', lower },
    inside: workspace,
    memory_mb: 512,
    argv: ['/bin/true'],
  });
  const exit = await launcher.job(spec, COPY_TIMEOUT_MS, signal);
  signal?.throwIfAborted();
  if (exit.code !== 0)
    throw new TypedError('Sandbox.SetupFailed', `The clone could not be copied: ${exit.stderr.trim()}`);
}

/** Runs a setup once to see whether it does, and forgets what came of it. */
export async function trySetup(
  given: Omit<PlainSetup, 'folder' | 'environment'>,
  cacheDirectory: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  const directory = join(cacheDirectory, 'layers');
  const { clone, setup, python, interpreter } = given;
  const identity = JSON.stringify([clone.tree, setup?.commands, python, interpreter.path, interpreter.archiveName]);
  const mark = join(directory, `tried-${createHash('sha256').update(identity).digest('hex').slice(0, 40)}`);
  if (existsSync(mark)) return;
  const work = async (): Promise<void> => {
    if (existsSync(mark)) return;
    await removeAbandoned(directory);
    const folder = await makeScratchFolder(directory, 'tried');
    const environment = { HOME: join(folder, 'home'), TMPDIR: join(folder, 'tmp') };
    try {
      await Promise.all(Object.values(environment).map((path) => mkdir(path)));
      await setUpInFolder({ ...given, folder, environment }, signal);
    } finally {
      await discardTree(folder);
    }
    await writeFile(mark, '');
  };
  await withLock(lockOf(mark), work, { signal });
}
