import { spawn, spawnSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { chown, mkdir, rm, writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { errorMessage } from '../../domain/error-message.ts';
import { TypedError } from '../../domain/failures.ts';
import { waysToAllowUserNamespaces } from '../../user-namespaces.ts';
import { makeScratchFolder, removeAbandoned } from '../host/scratch.ts';
import { isRootForGood, launchSpec, uidToBecome, type Interpreter } from './launch-spec.ts';
import type { Launcher } from './launcher.ts';

export type Isolation =
  | {
      readonly ok: true;
      /** Path of bubblewrap. */
      readonly bubblewrap: string;
      /** Clones are overlays; otherwise copies in memory. */
      readonly overlay: boolean;
      /** What holds a sandbox to its limits besides the kernel's own watchdog: control groups of Linux, or nothing. */
      readonly groups: boolean;
    }
  | {
      readonly ok: false;
      readonly reason: string;
      /** What to do about it, one way a line, best first. */
      readonly remedies: readonly string[];
    };

const INSTALL_TIMEOUT_MS = 90_000;
/** Seconds apt waits for a server that does not answer. */
const DOWNLOAD_TIMEOUT = 8;
const TRIAL_TIMEOUT_MS = 30_000;
const VERSION_TIMEOUT_MS = 5_000;

/** The steps at which overlays of some kernels fail: whiteouts, opaque folders, copying up. */
const TRIAL = `
import os
assert os.getuid() == 1000 and os.getpid() == 1
os.remove("folder/file"); os.rmdir("folder"); os.mkdir("folder"); assert os.listdir("folder") == []
with open("other/file", "a") as file: file.write("more")
os.chmod("other/file", 0o755); os.rename("other/file", "other/renamed"); os.symlink("renamed", "other/link")
assert sorted(os.listdir("other")) == ["link", "renamed"]
`;

export interface TrialRequest {
  readonly launcher: Pick<Launcher, 'job'>;
  readonly interpreter: Interpreter;
  readonly cacheDirectory: string;
  /** Install bubblewrap where that needs no question (root, apt). */
  readonly install: boolean;
  readonly log: (line: string) => void;
}

/** Whether sandboxes can be made here, found out by making one. */
export async function tryIsolation(request: TrialRequest): Promise<Isolation> {
  if (process.platform !== 'linux') {
    return { ok: false, reason: `local sandboxes need Linux, this is ${process.platform}`, remedies: OTHER_WAYS };
  }
  if (isRootForGood()) {
    return {
      ok: false,
      reason: 'the worker is root in a user namespace that has no other user, and root outside of it too',
      remedies: ['run the worker as an ordinary user', ...OTHER_WAYS],
    };
  }
  const bubblewrap = findBubblewrap() ?? (request.install ? await installBubblewrap(request.log) : undefined);
  if (bubblewrap === undefined) {
    return { ok: false, reason: 'bubblewrap is not installed', remedies: [...INSTALL_COMMANDS, ...OTHER_WAYS] };
  }
  const overlay = await trial(request, bubblewrap, 'overlay');
  if (overlay.ok) return { ok: true, bubblewrap, overlay: true, groups: overlay.grouped };
  const copy = await trial(request, bubblewrap, 'copy');
  if (copy.ok) return { ok: true, bubblewrap, overlay: false, groups: copy.grouped };
  return {
    ok: false,
    reason: `a trial sandbox failed: ${copy.why}`,
    remedies: [...waysToAllowUserNamespaces(copy.why), ...OTHER_WAYS],
  };
}

type Trial = { readonly ok: true; readonly grouped: boolean } | { readonly ok: false; readonly why: string };

async function trial(request: TrialRequest, bwrap: string, kind: 'overlay' | 'copy'): Promise<Trial> {
  await removeAbandoned(request.cacheDirectory);
  const lower = await makeScratchFolder(request.cacheDirectory, 'trial');
  try {
    for (const folder of ['folder', 'other']) {
      await mkdir(join(lower, folder));
      await writeFile(join(lower, folder, 'file'), 'text');
    }
    const owner = uidToBecome();
    if (owner !== null) {
      const paths = ['', 'folder', 'folder/file', 'other', 'other/file'];
      await Promise.all(paths.map((path) => chown(join(lower, path), owner, owner)));
    }
    const spec = launchSpec({
      bwrap,
      interpreter: request.interpreter,
      folder: null,
      workspace: { kind, lower },
      memory_mb: 512,
      argv: [request.interpreter.path, '-I', '-S', '-c', TRIAL],
    });
    const exit = await request.launcher.job(spec, TRIAL_TIMEOUT_MS);
    if (exit.code === 0) return { ok: true, grouped: exit.grouped };
    return { ok: false, why: exit.stderr.trim().split('\n').at(-1) || `exit code ${exit.code}` };
  } catch (error) {
    return { ok: false, why: errorMessage(error) };
  } finally {
    await rm(lower, { recursive: true, force: true });
  }
}

/** What to tell who asked for a sandbox where none can be made. */
export function unavailable(isolation: Isolation & { ok: false }): TypedError {
  const ways = isolation.remedies.map((remedy) => `\n  - ${remedy}`).join('');
  return new TypedError('Sandbox.Unavailable', `No protected sandbox can be made here: ${isolation.reason}.${ways}`);
}

const INSTALL_COMMANDS = [
  'install it: sudo apt-get install bubblewrap (Debian, Ubuntu), sudo dnf install bubblewrap (Fedora), sudo pacman -S bubblewrap (Arch)',
];

const OTHER_WAYS = [
  'use remote sandboxes: sandbox.provider: daytona in the configuration, with DAYTONA_API_KEY set',
  'or run model-written code unprotected, as your own user, which must be said explicitly: sandbox.isolation: none',
];

/** Of several the newest: bubblewrap 0.12 follows no link that sandboxed code could put in the way of its mounts. */
export function findBubblewrap(path = process.env['PATH']): string | undefined {
  const found = findPrograms('bwrap', path).map((program) => ({ program, version: versionOf(program) }));
  return found.toSorted((left, right) => compareVersions(right.version, left.version))[0]?.program;
}

function versionOf(program: string): readonly number[] {
  const { stdout } = spawnSync(program, ['--version'], { env: {}, timeout: VERSION_TIMEOUT_MS, encoding: 'utf8' });
  return (/\d+(\.\d+)*/.exec(stdout ?? '')?.[0] ?? '0').split('.').map(Number);
}

function compareVersions(left: readonly number[], right: readonly number[]): number {
  const place = left.findIndex((part, at) => part !== (right[at] ?? 0));
  if (place === -1) return left.length < right.length ? -1 : 0;
  return (left[place] ?? 0) - (right[place] ?? 0);
}

export function findProgram(name: string): string | undefined {
  return findPrograms(name, process.env['PATH'])[0];
}

function findPrograms(name: string, path = ''): string[] {
  const folders = [...path.split(delimiter), '/usr/local/bin', '/usr/bin', '/bin'];
  const programs = folders.filter((folder) => folder.startsWith('/')).map((folder) => join(folder, name));
  return [...new Set(programs)].filter((program) => {
    try {
      accessSync(program, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** Only where nobody has to be asked: root on a Debian-like system. */
async function installBubblewrap(log: (line: string) => void): Promise<string | undefined> {
  const apt = findProgram('apt-get');
  if (apt === undefined || process.getuid?.() !== 0) return undefined;
  log('bubblewrap, which local sandboxes need, is missing: installing it (apt-get install bubblewrap)');
  const install = ['install', '--yes', '--no-install-recommends', 'bubblewrap'];
  if ((await runApt(apt, install)) !== 0 && (await runApt(apt, ['update'])) === 0) await runApt(apt, install);
  const found = findBubblewrap();
  if (found === undefined) log('bubblewrap could not be installed');
  return found;
}

function runApt(apt: string, command: readonly string[]): Promise<number> {
  const patience = ['http', 'https'].flatMap((way) => ['-o', `Acquire::${way}::Timeout=${DOWNLOAD_TIMEOUT}`]);
  const options = [...patience, '-o', 'Acquire::Retries=0', '-o', `DPkg::Lock::Timeout=${DOWNLOAD_TIMEOUT}`];
  return new Promise((resolve) => {
    const child = spawn(apt, [...options, ...command], {
      stdio: 'ignore',
      env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
      timeout: INSTALL_TIMEOUT_MS,
    });
    child.once('error', () => resolve(127));
    child.once('close', (code) => resolve(code ?? 1));
  });
}
