import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { basename, dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { FRONTEND_PORT, UI_PORT } from './dev-server-arguments.ts';
import type { DevServerFiles } from './dev-server-files.ts';
import { rotateLog } from './dev-server-files.ts';
import type { DevServerSockets } from './dev-server-sockets.ts';
import { findPython } from './find-python.ts';

/** How the launched process ends when another server already holds the database file. */
export const LOCK_IS_HELD = 75;
/** And where it may not make a network namespace; its log says why. */
export const NO_NAMESPACE = 76;

const KEEPER = fileURLToPath(new URL('../../python/rlm_server', import.meta.url));

export interface Launch {
  readonly executable: string;
  readonly serverArguments: readonly string[];
  readonly sockets: DevServerSockets;
  /** Variables of the server's, besides those that every process needs. */
  readonly environment: Readonly<Record<string, string>>;
}

/** The garbage is collected when the heap has grown fivefold instead of twofold: some 100 MB for a tenth of the CPU time. */
export const SERVER_ENVIRONMENT = { GOGC: '400' } as const;

/**
 * Starts a server that outlives this process: own session, own process group, output to its log. What is started is
 * python/rlm_server, which holds the lock of the database file, writes where the server listens, and relays to it.
 */
export function launchDevServer(files: DevServerFiles, launch: Launch): ChildProcess {
  rotateLog(files);
  const log = openSync(files.log, 'a', 0o600);
  try {
    const { executable, sockets, serverArguments, environment } = launch;
    const spec = {
      lock: files.lock,
      record: files.record,
      found: { ...sockets, executable },
      database: basename(files.databaseFile),
      making: files.making,
      sockets: { [sockets.socket]: FRONTEND_PORT, [sockets.uiSocket]: UI_PORT },
      command: [executable, ...serverArguments],
    };
    const child = spawn(findPython(), ['-I', '-S', '-B', KEEPER, JSON.stringify(spec)], {
      cwd: dirname(files.databaseFile),
      detached: true,
      stdio: ['ignore', log, log],
      env: { ...neededEnvironment(), ...environment },
    });
    child.unref();
    return child;
  } finally {
    closeSync(log);
  }
}

/** Why the server cannot have a network namespace here, found out by making one; undefined when it can. */
export function namespaceFault(): string | undefined {
  if (process.platform !== 'linux') return `That needs Linux; this is ${process.platform}.`;
  const trial = 'import sys; sys.path[:0] = sys.argv[1:]; import linux; linux.enter_network_namespace()';
  const { status, stderr } = spawnSync(findPython(), ['-I', '-S', '-B', '-c', trial, KEEPER], { encoding: 'utf8' });
  return status === 0 ? undefined : (stderr.trim().split('\n').at(-1) ?? `The trial ended with ${status}.`);
}

/** Nothing else: the server lives long and must know none of its first user's keys. */
function neededEnvironment(): NodeJS.ProcessEnv {
  return {
    PATH: process.env['PATH'] ?? '/usr/bin:/bin',
    HOME: homedir(),
    TMPDIR: tmpdir(),
  };
}
