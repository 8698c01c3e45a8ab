import { execFile, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { cacheDirectory } from '../../src/config/directories.ts';

/** The gateway that the compose file runs too, from its Go module: it checks signatures and speaks all that S3 does. */
const VERSION = 'v1.8.0';
const MODULE = `github.com/versity/versitygw/cmd/versitygw@${VERSION}`;

export const ACCESS_KEY = 'key-of-the-tests';
export const SECRET_KEY = 'secret-of-the-tests';

export interface S3Server {
  readonly endpoint: string;
  readonly port: number;
  /** Holds a folder for each bucket, and in it a file for each object. */
  readonly folder: string;
  /** What a client needs in its environment. */
  readonly env: NodeJS.ProcessEnv;
  createBucket(name: string): void;
  /** Ends without a farewell, as a host does. */
  kill(): Promise<void>;
  /** On the same port with the same objects. */
  restart(): Promise<void>;
  close(): Promise<void>;
}

/** The gateway's program: on the path, in the cache, or, with `log`, built there once where Go is (a minute or two). */
export async function findS3Gateway(log?: (line: string) => void): Promise<string | undefined> {
  const folder = join(cacheDirectory(process.env), 'bin');
  const places = [...(process.env['PATH'] ?? '').split(delimiter), folder].map((place) => join(place, 'versitygw'));
  const found = places.find(existsSync);
  if (found !== undefined || log === undefined) return found;
  try {
    await promisify(execFile)('go', ['version']);
  } catch {
    return undefined;
  }
  log(`Building an S3 gateway for the tests, once: go install ${MODULE}`);
  mkdirSync(folder, { recursive: true });
  await promisify(execFile)('go', ['install', MODULE], { env: { ...process.env, GOBIN: folder } });
  return join(folder, 'versitygw');
}

/** @param options.accessLog file that gets a line for each request */
export async function startS3Server(options: { accessLog?: string } = {}): Promise<S3Server> {
  const program = await findS3Gateway();
  if (program === undefined) throw new Error(`There is no versitygw: go install ${MODULE}`);
  const root = mkdtempSync(join(tmpdir(), 'rlm-s3-'));
  const folder = join(root, 'buckets');
  const sidecar = join(root, 'sidecar');
  for (const path of [folder, sidecar]) mkdirSync(path);
  const port = await freePort();
  const logging = options.accessLog === undefined ? [] : ['--access-log', options.accessLog];
  const begin = (): ReturnType<typeof spawn> =>
    spawn(
      program,
      [
        '--port',
        `127.0.0.1:${port}`,
        '--health',
        '/health',
        '--quiet',
        '--keep-alive',
        ...logging,
        'posix',
        '--sidecar',
        sidecar,
        folder,
      ],
      {
        env: { PATH: process.env['PATH'], ROOT_ACCESS_KEY: ACCESS_KEY, ROOT_SECRET_KEY: SECRET_KEY },
        stdio: ['ignore', 'ignore', 'inherit'],
      },
    );
  let child = begin();
  const endpoint = `http://127.0.0.1:${port}`;
  await untilHealthy(endpoint, child);
  const kill = async (): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await ended;
  };
  return {
    endpoint,
    port,
    folder,
    env: {
      AWS_ACCESS_KEY_ID: ACCESS_KEY,
      AWS_SECRET_ACCESS_KEY: SECRET_KEY,
      AWS_EC2_METADATA_DISABLED: 'true',
    },
    createBucket(name) {
      mkdirSync(join(folder, name));
    },
    kill,
    async restart() {
      await kill();
      child = begin();
      await untilHealthy(endpoint, child);
    },
    async close() {
      await kill();
      rmSync(root, { recursive: true, force: true });
    },
  };
}

async function untilHealthy(endpoint: string, child: ReturnType<typeof spawn>): Promise<void> {
  for (let attempt = 0; attempt < 500; attempt += 1) {
    if (child.exitCode !== null) throw new Error(`versitygw ended with ${child.exitCode}`);
    const healthy = await fetch(`${endpoint}/health`).then(
      ({ ok }) => ok,
      () => false,
    );
    if (healthy) return;
    await delay(20);
  }
  throw new Error('versitygw does not answer');
}

/** A port of the loopback that nobody uses now. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
