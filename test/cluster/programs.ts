import { execFile, execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { cacheDirectory } from '../../src/config/directories.ts';
import { findTemporalCli } from '../../src/temporal/find-cli.ts';
import { findS3Gateway } from '../storage/s3-server.ts';

/** The version of the images in docker-compose.yml. */
export const TEMPORAL_VERSION = 'v1.32.0';

/** Everything that the cluster is made of, where it lies on this machine. */
export interface Programs {
  /** The production server, not the development server of the CLI. */
  readonly temporalServer: string;
  readonly temporalSqlTool: string;
  /** Versioned schemas for PostgreSQL. */
  readonly schemas: string;
  readonly temporalCli: string;
  /** Folder of `postgres` and `initdb`. */
  readonly postgres: string;
}

/** Finds them, and installs what is missing: with Go (about three minutes, once) and from Debian's packages. */
export async function findPrograms(log: (line: string) => void): Promise<Programs> {
  const folder = join(cacheDirectory(process.env), 'cluster');
  const server = 'go.temporal.io/server';
  const temporalServer = join(folder, 'bin', 'server');
  const temporalSqlTool = join(folder, 'bin', 'sql');
  if (![temporalServer, temporalSqlTool].every(existsSync)) {
    mkdirSync(folder, { recursive: true });
    log(`Building the Temporal server ${TEMPORAL_VERSION}, once: about three minutes`);
    const modules = ['cmd/server', 'cmd/tools/sql'].map((path) => `${server}/${path}@${TEMPORAL_VERSION}`);
    await promisify(execFile)('go', ['install', ...modules], {
      env: { ...process.env, GOBIN: join(folder, 'bin') },
      maxBuffer: 1 << 26,
    });
  }
  const modules = execFileSync('go', ['env', 'GOMODCACHE'], { encoding: 'utf8' }).trim();
  if ((await findS3Gateway(log)) === undefined) throw new Error('Go is needed to build versitygw');
  return {
    temporalServer,
    temporalSqlTool,
    schemas: join(modules, `${server}@${TEMPORAL_VERSION}`, 'schema', 'postgresql', 'v12'),
    temporalCli: await findTemporalCli({ cacheDirectory: cacheDirectory(process.env), log }),
    postgres: await findPostgres(log),
  };
}

async function findPostgres(log: (line: string) => void): Promise<string> {
  const installed = postgresFolder();
  if (installed !== undefined) return installed;
  if (process.getuid?.() !== 0) throw new Error('PostgreSQL is missing: sudo apt-get install postgresql');
  log("Installing PostgreSQL from the system's packages");
  await promisify(execFile)('apt-get', ['install', '-y', '--no-install-recommends', 'postgresql'], {
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
  });
  const folder = postgresFolder();
  if (folder === undefined) throw new Error('apt-get installed no PostgreSQL below /usr/lib/postgresql');
  return folder;
}

/** Debian keeps its programs off the path. */
function postgresFolder(): string | undefined {
  const root = '/usr/lib/postgresql';
  const versions = existsSync(root) ? readdirSync(root).toSorted((a, b) => Number(b) - Number(a)) : [];
  return versions.map((version) => join(root, version, 'bin')).find((folder) => existsSync(join(folder, 'initdb')));
}
