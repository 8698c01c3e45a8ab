import { randomBytes } from 'node:crypto';
import { execFileSync } from 'node:child_process';
import { chownSync, mkdirSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { freePort } from '../storage/s3-server.ts';
import { runProgram, startProgram, untilReady, type Program } from './processes.ts';

export interface Postgres {
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly program: Program;
}

/** A database server of its own on the loopback, as an unprivileged user, whose files lie below `folder`. */
export async function startPostgres(bin: string, folder: string): Promise<Postgres> {
  const user = unprivileged();
  const home = join(folder, 'postgres');
  const data = join(home, 'data');
  mkdirSync(home);
  const password = randomBytes(16).toString('hex');
  writeFileSync(join(home, 'password'), password);
  if (user !== undefined) for (const path of [home, join(home, 'password')]) chownSync(path, user.uid, user.gid);
  const env = { PATH: process.env['PATH'], LC_ALL: 'C.UTF-8' };
  const log = join(folder, 'postgres.log');
  const as = user === undefined ? {} : { user };
  const options = [
    '-D',
    data,
    '-U',
    'temporal',
    '-A',
    'scram-sha-256',
    '--pwfile',
    join(home, 'password'),
    '-E',
    'UTF8',
  ];
  await runProgram({
    command: [join(bin, 'initdb'), ...options],
    env,
    cwd: home,
    log,
    ...as,
  });
  const port = await freePort();
  const program = startProgram({
    command: [join(bin, 'postgres'), '-D', data, '-h', '127.0.0.1', '-p', String(port), '-k', home, '-N', '120'],
    env,
    cwd: home,
    log,
    ...as,
  });
  await untilReady(program, 'PostgreSQL', () => accepts(port));
  return { port, user: 'temporal', password, program };
}

/** PostgreSQL refuses to run as root. */
function unprivileged(): { uid: number; gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const entry = ['postgres', 'nobody'].map(passwd).find((line) => line !== '');
  const [, , uid, gid] = (entry ?? '').split(':');
  if (uid === undefined || gid === undefined) throw new Error('There is no user "postgres" or "nobody" to run it as');
  return { uid: Number(uid), gid: Number(gid) };
}

function passwd(name: string): string {
  try {
    return execFileSync('getent', ['passwd', name], { encoding: 'utf8' }).trim();
  } catch {
    return '';
  }
}

export function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port });
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
