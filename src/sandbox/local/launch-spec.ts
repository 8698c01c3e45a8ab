import { randomUUID } from 'node:crypto';
import { existsSync, lstatSync, readFileSync, readdirSync, readlinkSync } from 'node:fs';
import { dirname } from 'node:path';
import type { LaunchSpec } from './launcher.ts';

/**
 * The uid of sandboxes when the worker is root: above those of accounts and of Debian's and systemd's dynamic users,
 * within the 65,536 that a container has, and not `nobody`, who owns what cannot be mapped and may use a disk's
 * reserved blocks.
 */
const SANDBOX_UID = 60907;

/** Processes and threads of one sandbox. */
const PROCESSES = 512;
/** Smallest size of the file system in memory that holds what a sandbox writes, MiB. */
const MIN_DISK_MB = 1024;
/** Of the file system that patches are made in; `python/rlm_launcher/child.py` has the same. */
const SCRATCH_MB = 512;
/** What a sandbox takes beside memory of its processes and files: supervisor, page tables, buffers. */
const GROUP_ROOM_MB = 256;

interface UidRange {
  readonly inside: number;
  readonly outside: number;
  readonly length: number;
}

/** Which uids this user namespace has; all of them outside of any. */
function mappedUids(): UidRange[] {
  const lines = readFileSync('/proc/self/uid_map', 'utf8').trim().split('\n');
  return lines.map((line) => {
    const [inside = 0, outside = 0, length = 0] = line.trim().split(/ +/).map(Number);
    return { inside, outside, length };
  });
}

/**
 * The uid to change to before a sandbox is made; null to stay what the worker is: not root, or root of a user namespace
 * only, which has no other uid to give.
 */
export function uidToBecome(): number | null {
  if (process.getuid?.() !== 0) return null;
  const mapped = mappedUids().some(({ inside, length }) => inside <= SANDBOX_UID && SANDBOX_UID < inside + length);
  return mapped ? SANDBOX_UID : null;
}

/** Root here, root outside, and no other uid to become: whatever is made of it, files of root would open. */
export function isRootForGood(): boolean {
  return (
    process.getuid?.() === 0 &&
    uidToBecome() === null &&
    mappedUids().some(({ inside, outside }) => inside === 0 && outside === 0)
  );
}

/** Whose the files of sandboxes are on the host. */
export function sandboxOwner(): number {
  return uidToBecome() ?? process.getuid?.() ?? 0;
}

type Binds = LaunchSpec['read_only'];

interface SystemView {
  readonly read_only: Binds;
  readonly symlinks: Binds;
}

let system: SystemView | undefined;

/** The parts of the host's system that a sandbox sees, read-only: programs and libraries, no data, no accounts. */
export function systemView(): SystemView {
  if (system !== undefined) return system;
  const read_only: [string, string][] = [['/usr', '/usr']];
  const symlinks: [string, string][] = [];
  for (const path of ['/bin', '/sbin', '/lib', '/lib32', '/lib64', '/libx32']) {
    const entry = lstatSync(path, { throwIfNoEntry: false });
    if (entry?.isSymbolicLink() === true) symlinks.push([readlinkSync(path), path]);
    else if (entry?.isDirectory() === true) read_only.push([path, path]);
  }
  const settings = [
    'alternatives',
    'ca-certificates',
    'ld.so.cache',
    'ld.so.conf',
    'ld.so.conf.d',
    'localtime',
    'fonts',
  ];
  const pythons = readdirSync('/etc').filter((name) => /^python3(\.\d+)?$/.test(name));
  for (const name of [...settings, 'mime.types', 'pki', 'ssl', 'terminfo', ...pythons]) {
    if (existsSync(`/etc/${name}`)) read_only.push([`/etc/${name}`, `/etc/${name}`]);
  }
  if (existsSync('/nix/store')) read_only.push(['/nix/store', '/nix/store']);
  system = { read_only, symlinks };
  return system;
}

/** An interpreter and the folders it needs. */
export interface Interpreter {
  readonly path: string;
  /** sys.prefix and sys.base_prefix. */
  readonly prefixes: readonly string[];
}

function isSystem(path: string): boolean {
  return path === '/usr' || path.startsWith('/usr/') || path.startsWith('/nix/store/');
}

/** What of the interpreter the system's folders do not show already. */
export function interpreterBinds(interpreter: Interpreter): Binds {
  return [...new Set(interpreter.prefixes)]
    .filter((path) => path !== '/' && !isSystem(path))
    .map((path) => [path, path]);
}

/** The whole environment of what runs in a sandbox. */
export function sandboxEnvironment(interpreter: Interpreter): Record<string, string> {
  const standard = ['/usr/local/bin', '/usr/bin', '/bin'];
  const own = dirname(interpreter.path);
  return {
    PATH: [...(standard.includes(own) ? [] : [own]), ...standard].join(':'),
    HOME,
    USER: 'agent',
    LANG: 'C.UTF-8',
    PYTHONHASHSEED: '0',
  };
}

export interface SpecRequest {
  readonly bwrap: string | null;
  readonly interpreter: Interpreter;
  readonly folder: string | null;
  readonly read_only?: Binds;
  /** Of jobs only. */
  readonly writable?: Binds;
  readonly workspace: LaunchSpec['workspace'];
  readonly inside?: string;
  readonly memory_mb: number;
  readonly disk_mb?: number;
  /** Default: a control group of its own. */
  readonly isGrouped?: boolean;
  readonly argv: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
}

export const WORKSPACE = '/workspace';
export const HOME = '/home/agent';

export function launchSpec(request: SpecRequest): LaunchSpec {
  const view = systemView();
  const disk_mb = request.disk_mb ?? Math.max(MIN_DISK_MB, request.memory_mb);
  // What a sandbox writes is in memory; what a job writes is on disk, and where it is cached can be taken from it.
  const inMemory = request.folder === null ? 0 : disk_mb + SCRATCH_MB;
  return {
    bwrap: request.bwrap,
    uid: uidToBecome(),
    folder: request.folder,
    read_only: [...view.read_only, ...interpreterBinds(request.interpreter), ...(request.read_only ?? [])],
    writable: request.writable ?? [],
    symlinks: view.symlinks,
    workspace: request.workspace,
    inside: request.inside ?? WORKSPACE,
    memory_mb: request.memory_mb,
    disk_mb,
    processes: PROCESSES,
    group:
      request.isGrouped === false
        ? null
        : { name: `rlm-${randomUUID()}`, memory_mb: request.memory_mb + inMemory + GROUP_ROOM_MB },
    environment: request.environment ?? sandboxEnvironment(request.interpreter),
    argv: request.argv,
  };
}
