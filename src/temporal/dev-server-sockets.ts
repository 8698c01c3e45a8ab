import { createHash } from 'node:crypto';
import { lstatSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { DevServerFiles } from './dev-server-files.ts';
import { TemporalSetupError } from './errors.ts';

/** Bytes that the path of a unix socket may have. */
const MAX_PATH_BYTES = 107;

export interface DevServerSockets {
  readonly socket: string;
  readonly uiSocket: string;
}

/**
 * Paths for the sockets of a database file's server: beside it, or where its path is too long for a socket in a folder of
 * its own below XDG_RUNTIME_DIR or /tmp. The folder is closed to other users.
 *
 * @throws TemporalSetupError where somebody else holds that folder.
 */
export function prepareSockets(files: DevServerFiles, env: NodeJS.ProcessEnv = process.env): DevServerSockets {
  const own = socketsIn(files.folder);
  if (fits(own)) return own;
  const folder = makeOwnFolder(runtimeFolder(env));
  return socketsIn(makeOwnFolder(join(folder, hashedName(files))));
}

/** Whether a socket is that of the server of a database file, which need not run. Makes nothing. */
export function isSocketOf(files: DevServerFiles, socket: string, env: NodeJS.ProcessEnv = process.env): boolean {
  const own = socketsIn(files.folder);
  return socket === (fits(own) ? own : socketsIn(join(runtimeFolder(env), hashedName(files)))).socket;
}

function hashedName({ databaseFile }: DevServerFiles): string {
  return createHash('sha256').update(databaseFile).digest('hex').slice(0, 16);
}

function socketsIn(folder: string): DevServerSockets {
  return { socket: join(folder, 'temporal.sock'), uiSocket: join(folder, 'ui.sock') };
}

function fits({ socket, uiSocket }: DevServerSockets): boolean {
  return [socket, uiSocket].every((path) => Buffer.byteLength(path) <= MAX_PATH_BYTES);
}

function runtimeFolder(env: NodeJS.ProcessEnv): string {
  const runtime = env['XDG_RUNTIME_DIR'];
  if (runtime?.startsWith('/') === true) {
    const folder = join(runtime, 'durable-rlm');
    if (fits(socketsIn(join(folder, '0'.repeat(16)))) && isOwn(runtime)) return folder;
  }
  return `/tmp/durable-rlm-${process.getuid?.() ?? 0}`;
}

/** In /tmp another user may have been first. */
function makeOwnFolder(folder: string): string {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  if (isOwn(folder)) return folder;
  throw new TemporalSetupError(
    `The folder ${folder}, for the sockets of the embedded Temporal server, is not this user's alone. Remove it, or set ` +
      'XDG_RUNTIME_DIR to a folder that only you can enter.',
  );
}

function isOwn(folder: string): boolean {
  const entry = lstatSync(folder, { throwIfNoEntry: false });
  return entry?.isDirectory() === true && entry.uid === process.getuid?.() && (entry.mode & 0o077) === 0;
}
