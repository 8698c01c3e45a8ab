import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { createServer } from 'node:net';
import { homedir, tmpdir } from 'node:os';
import { dirname } from 'node:path';
import type { DevServerFiles } from './dev-server-files.ts';
import { rotateLog } from './dev-server-files.ts';
import { LOOPBACK } from './dev-server-arguments.ts';
import { findPython } from './find-python.ts';

/** How the launcher ends when another server already holds the database file. */
export const LOCK_IS_HELD = 75;

/**
 * Takes the lock of the database file, writes where the server will listen, and *becomes* the server, which
 * so holds the lock for its life. The kernel gives the lock back whatever ends the process: there is no
 * stale lock, no server without a record, and no moment in which two processes could both start one.
 * A new database is marked until its server answers: one whose making was cut off would never start again.
 */
const LAUNCHER = `
import fcntl, json, os, subprocess, sys
lock, record_file, record, database, making, *command = sys.argv[1:]
os.umask(0o077)
descriptor = os.open(lock, os.O_RDWR | os.O_CREAT, 0o600)
try:
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
except BlockingIOError:
    sys.exit(${LOCK_IS_HELD})
os.set_inheritable(descriptor, True)
if os.path.exists(making):
    for file in [database, database + "-wal", database + "-shm"]:
        if os.path.exists(file):
            os.unlink(file)
elif not os.path.exists(database):
    open(making, "x").close()
pid = os.getpid()
try:
    with open("/proc/self/stat", encoding="utf-8", errors="replace") as file:
        start_time = file.read().rpartition(")")[2].split()[19]
    with open("/proc/sys/kernel/random/boot_id", encoding="utf-8") as file:
        boot_id = file.read().strip()
except FileNotFoundError:
    line = subprocess.run(["ps", "-o", "lstart=", "-p", str(pid)], env={**os.environ, "LC_ALL": "C", "TZ": "UTC"},
                          capture_output=True, text=True, check=True).stdout
    start_time, boot_id = " ".join(line.split()), ""
temporary = f"{record_file}.{pid}.tmp"
with open(temporary, "w", encoding="utf-8") as file:
    json.dump({**json.loads(record), "process": {"pid": pid, "startTime": start_time, "bootId": boot_id}}, file)
os.replace(temporary, record_file)
os.execv(command[0], command)
`;

export interface Launch {
  readonly executable: string;
  readonly serverArguments: readonly string[];
  readonly port: number;
  readonly uiPort: number | undefined;
}

/** Starts a server that outlives this process: own session, own process group, output to its log. */
export function launchDevServer(files: DevServerFiles, launch: Launch): ChildProcess {
  rotateLog(files);
  const log = openSync(files.log, 'a', 0o600);
  try {
    const record = { port: launch.port, uiPort: launch.uiPort ?? null, executable: launch.executable };
    const command = [launch.executable, ...launch.serverArguments];
    const child = spawn(
      findPython(),
      [
        '-I',
        '-S',
        '-c',
        LAUNCHER,
        files.lock,
        files.record,
        JSON.stringify(record),
        files.databaseFile,
        files.making,
        ...command,
      ],
      { cwd: dirname(files.databaseFile), detached: true, stdio: ['ignore', log, log], env: serverEnvironment() },
    );
    child.unref();
    return child;
  } finally {
    closeSync(log);
  }
}

/**
 * Nothing but what a process needs: the server lives long and must know none of its first user's keys. Its garbage is
 * collected when the heap has grown fivefold instead of twofold: some 100 MB for a tenth of its CPU time.
 */
function serverEnvironment(): NodeJS.ProcessEnv {
  return {
    GOGC: '400',
    PATH: process.env['PATH'] ?? '/usr/bin:/bin',
    HOME: homedir(),
    TMPDIR: tmpdir(),
  };
}

/**
 * The first free loopback port of: the wanted ones in their order, then any. The wanted ones should lie below
 * the range from which the system serves outgoing connections, or one of those may hold it after a restart.
 */
export async function freePort(wanted: readonly number[]): Promise<number> {
  for (const port of [...wanted, 0]) {
    const free = await bindable(port);
    if (free !== undefined) return free;
  }
  throw new Error('The system has no free port left.');
}

function bindable(port: number): Promise<number | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(undefined));
    server.listen({ port, host: LOOPBACK }, () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : undefined));
    });
  });
}
