import { lstat, mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { TypedError } from '../../domain/failures.ts';
import type { SandboxSetup } from '../provider.ts';
import { readSetupReport, type SetupPlace, type SetupPlan } from '../setup.ts';
import type { KernelInterpreter } from './interpreters.ts';
import { launchSpec, sandboxEnvironment, type SpecRequest } from './launch-spec.ts';
import type { Exit, Launcher } from './launcher.ts';
import { openWayOut, type WayOut, type WayOutOptions } from './way-out.ts';

const MEMORY_MB = 8192;
const DEFAULT_DISK_MB = 10_240;
const BASELINE_TIMEOUT_MS = 10 * 60_000;
/** What the commands get beyond their own limit to end and say so. */
const GRACE_MS = 15_000;

/** A setup's surroundings, as its processes see them and as the host does. */
export interface SetupRoom {
  readonly launcher: Launcher;
  readonly bwrap: string | null;
  readonly interpreter: KernelInterpreter;
  readonly inside: SetupPlace & {
    readonly kernel: string;
    readonly objects: string;
    readonly index: string;
    /** Empty folder for the baseline. */
    readonly baseline: string;
  };
  /** What of the host is shown to the processes; without isolation nothing has to be. */
  readonly binds: Pick<SpecRequest, 'read_only' | 'writable'>;
  readonly workspace: SpecRequest['workspace'];
  /** MiB that the commands may add on disk. */
  readonly disk_mb?: number | undefined;
  /** Without isolation the commands have the host's network. */
  readonly wayOut?: WayOutOptions;
  /** Of every process, without isolation. */
  readonly environment?: Readonly<Record<string, string>>;
}

/**
 * Runs the commands, with a way out to the internet, and nothing afterwards; then, without it, takes down what they did to
 * the tree.
 *
 * @throws TypedError `Sandbox.SetupFailed`.
 */
export async function runSetup(
  room: SetupRoom,
  { setup, plan, commit }: { readonly setup: SandboxSetup; readonly plan: SetupPlan; readonly commit: string },
  signal: AbortSignal | undefined,
): Promise<void> {
  const { interpreter, inside } = room;
  const own = { ...interpreter, path: plan.python };
  const argv = [interpreter.path, '-I', '-S', inside.kernel];
  const wayOut = room.wayOut === undefined ? undefined : await openWayOut(setup, room.wayOut);
  const given = wayOut?.environment ?? setup.environment;
  const environment = { ...given, ...sandboxEnvironment(own), ...room.environment, ...plan.variables };
  const commands = {
    argv: [...argv, ...plan.arguments, ...limits(room), ...(wayOut?.arguments ?? [])],
    environment,
    read_only: wayOut?.read_only ?? [],
  };
  try {
    readSetupReport(plan, await job(room, commands, setup.timeout * 1000 + GRACE_MS, signal));
  } finally {
    await wayOut?.close();
  }
  const paths = ['--workspace', inside.workspace, '--objects', inside.objects, '--index', inside.index];
  const baseline = [...argv, 'baseline', '--commit', commit, ...paths, '--into', inside.baseline];
  const taken = await job(room, { argv: baseline }, BASELINE_TIMEOUT_MS, signal);
  if (taken.code !== 0) throw failed('what the commands did cannot be told from the commit', taken);
}

/**
 * Builds the kernel with an interpreter that the setup itself has made.
 *
 * @param places of the kernel's sources and of the folder for it; `host` is that folder as the host sees it.
 * @returns path on the host. What stands there is a plain file: what makes it is not to be trusted with links.
 */
export async function buildKernelInside(
  room: SetupRoom,
  python: string,
  places: { readonly sources: string; readonly into: string; readonly host: string },
  signal: AbortSignal | undefined,
): Promise<string> {
  await mkdir(places.host, { recursive: true });
  const argv = [python, '-I', '-B', join(places.sources, 'bundle.py'), places.into];
  const exit = await job(room, { argv }, BASELINE_TIMEOUT_MS, signal);
  if (exit.code !== 0) throw failed(`its Python, ${python}, cannot run the kernel`, exit);
  const [name = '', ...others] = await readdir(places.host);
  const path = join(places.host, name);
  const version = /^kernel-3\.(\d+)\.\d+-[0-9a-f]+\.pyc$/.exec(name)?.[1];
  const entry = await lstat(path);
  if (version === undefined || others.length > 0 || !entry.isFile() || entry.nlink !== 1) {
    throw failed(`its Python, ${python}, is not one that the kernel runs on`, exit);
  }
  if (Number(version) < 9) throw failed(`its Python is version 3.${version}; 3.9 or newer is needed`, exit);
  return path;
}

async function job(
  room: SetupRoom,
  what: { argv: readonly string[]; environment?: Readonly<Record<string, string>>; read_only?: WayOut['read_only'] },
  timeoutMs: number,
  signal: AbortSignal | undefined,
): Promise<Exit> {
  const spec = launchSpec({
    bwrap: room.bwrap,
    interpreter: room.interpreter,
    folder: null,
    ...room.binds,
    workspace: room.workspace,
    inside: room.inside.workspace,
    memory_mb: MEMORY_MB,
    disk_mb: room.disk_mb ?? DEFAULT_DISK_MB,
    environment: { ...sandboxEnvironment(room.interpreter), ...room.environment },
    ...what,
    read_only: [...(room.binds.read_only ?? []), ...(what.read_only ?? [])],
  });
  signal?.throwIfAborted();
  const exit = await room.launcher.job(spec, timeoutMs, signal);
  signal?.throwIfAborted();
  return exit;
}

/** Of a plain process nothing is limited. */
function limits({ bwrap, inside, disk_mb = DEFAULT_DISK_MB }: SetupRoom): string[] {
  if (bwrap === null) return [];
  return [
    '--disk-mb',
    String(disk_mb),
    '--folders',
    JSON.stringify([inside.workspace, inside.home, '/tmp']),
    '--memory-mb',
    String(MEMORY_MB),
  ];
}

function failed(why: string, exit: Exit): TypedError {
  const said = exit.stderr.trim().slice(-2000);
  return new TypedError('Sandbox.SetupFailed', `sandbox.setup failed: ${why}${said === '' ? '.' : `: ${said}`}`);
}
