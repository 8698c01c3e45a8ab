import { execFile } from 'node:child_process';
import { accessSync, constants, existsSync, statfsSync } from 'node:fs';
import { dirname } from 'node:path';
import { promisify } from 'node:util';
import { errorMessage } from '../domain/error-message.ts';
import type { RunConfig } from '../domain/config.ts';
import type { BlobStore } from '../storage/blob-store.ts';
import { modelsOf } from '../llm/model-costs.ts';
import { probeModel } from '../llm/probe-model.ts';
import { findPython } from '../sandbox/kernel-python.ts';
import type { Isolation } from '../sandbox/local/index.ts';
import { chooseTemporal, connect, type TemporalChoice } from '../temporal/connection.ts';
import { namespaceFault } from '../temporal/dev-server-launcher.ts';
import { defaultDatabaseFile, devServerStatus, waysWithoutNamespace } from '../temporal/dev-server.ts';
import { installCommands, locateTemporalCli } from '../temporal/find-cli.ts';

/** What was looked at, what was found, and what to do about it. */
export interface Check {
  readonly name: string;
  /** `false`: a run would fail. `'warning'`: it may, or does something first. */
  readonly ok: boolean | 'warning';
  /** One line. */
  readonly found: string;
  /** What to do, one way a line; absent when all is well. */
  readonly remedy?: string;
}

export interface DoctorOptions {
  readonly config: RunConfig;
  readonly env: NodeJS.ProcessEnv;
  readonly stateDirectory: string;
  readonly cacheDirectory: string;
  readonly blobs: Pick<BlobStore, 'check'>;
  /** As a run would choose its server. */
  readonly temporal: TemporalChoice;
  /** Tries to make a local sandbox. */
  readonly checkIsolation: () => Promise<Isolation>;
  /** Milliseconds for a check that asks the network. Default 10 s. */
  readonly timeoutMs?: number;
}

/** Oldest versions that will do. */
const OLDEST_NODE = [22, 18] as const;
/** The first that heeds GIT_CONFIG_GLOBAL, by which the user's own settings are kept out. */
const OLDEST_GIT = [2, 32] as const;

const MIB = 1024 ** 2;
/** MiB below which the first runs may fail, and below which nothing works. */
const DISK_LOW = 2048;
const DISK_EMPTY = 200;
/** MiB of memory below which a tree of agents gets into trouble: 8 MB a sandbox, 2 GB for server and worker. */
const MEMORY_LOW = 2048;

/** All checks, in the order in which a person should solve them. None of them throws, starts or installs anything. */
export function runDoctorChecks(options: DoctorOptions): Promise<readonly Check[]> {
  const { config, env, timeoutMs = 10_000 } = options;
  const { provider, python } = config.sandbox;
  return Promise.all([
    guarded('Node', () => checkNode(process.versions.node)),
    guarded('Python', () => checkPython(python)),
    guarded('git', () => checkGit(env)),
    ...(provider === 'local' ? [guarded('sandbox', () => checkSandbox(config, options.checkIsolation))] : []),
    guarded('Temporal', () => checkTemporal(options)),
    ...(config.storage.driver === 's3' ? [guarded('blob store', () => checkStore(config, options.blobs))] : []),
    ...modelsOf(config).map((name) =>
      guarded(`model ${name}`, () => checkModel(name, config, env, AbortSignal.timeout(timeoutMs))),
    ),
    guarded('Daytona', () => checkDaytona(config, env, timeoutMs)),
    guarded('state directory', () => checkDirectory('state directory', options.stateDirectory)),
    guarded('cache directory', () => checkDirectory('cache directory', options.cacheDirectory)),
    guarded('memory', () => checkMemory(process.availableMemory())),
  ]);
}

export function checkNode(version: string): Check {
  const found = `${version} (${process.execPath})`;
  if (isAtLeast(version, OLDEST_NODE)) return { name: 'Node', ok: true, found };
  return {
    name: 'Node',
    ok: false,
    found,
    remedy: `install Node ${OLDEST_NODE.join('.')} or newer: https://nodejs.org`,
  };
}

export async function checkPython(preferred: string | undefined): Promise<Check> {
  const { path, version } = await findPython(preferred === undefined ? {} : { preferred });
  return { name: 'Python', ok: true, found: `${version} (${path})` };
}

export async function checkGit(env: NodeJS.ProcessEnv): Promise<Check> {
  const remedy = `install git ${OLDEST_GIT.join('.')} or newer: sudo apt-get install git (Debian, Ubuntu), brew install git`;
  try {
    // Like all of git on the host: not in a folder of somebody's, nor with somebody's settings.
    const how = { cwd: '/', env: { PATH: env['PATH'] }, timeout: 20_000 };
    const { stdout } = await promisify(execFile)('git', ['--version'], how);
    const version = /(\d+\.\d+[.\d]*)/.exec(stdout)?.[1] ?? stdout.trim();
    if (isAtLeast(version, OLDEST_GIT)) return { name: 'git', ok: true, found: version };
    return { name: 'git', ok: false, found: version, remedy };
  } catch {
    return { name: 'git', ok: false, found: 'not found', remedy };
  }
}

/** For configurations with `sandbox.provider: local`. */
export async function checkSandbox(config: RunConfig, checkIsolation: () => Promise<Isolation>): Promise<Check> {
  const name = 'sandbox';
  if (config.sandbox.isolation === 'none') {
    const remedy = 'leave out sandbox.isolation to protect yourself from what models write';
    return { name, ok: 'warning', found: 'none: model-written code runs unprotected, as your own user', remedy };
  }
  const isolation = await checkIsolation();
  if (!isolation.ok) return { name, ok: false, found: isolation.reason, remedy: isolation.remedies.join('\n') };
  const clones = isolation.overlay ? 'overlays' : 'copies (no overlays in user namespaces here: about 70 ms more each)';
  const limits = isolation.groups ? 'control groups and a watchdog' : 'a watchdog (no control groups can be made here)';
  return { name, ok: true, found: `bubblewrap (${isolation.bubblewrap}), clones are ${clones}, limits by ${limits}` };
}

export async function checkTemporal(
  options: Pick<DoctorOptions, 'temporal' | 'stateDirectory' | 'cacheDirectory' | 'env'>,
): Promise<Check> {
  const name = 'Temporal';
  const databaseFile = defaultDatabaseFile(options.stateDirectory);
  const target = chooseTemporal({ ...options.temporal, databaseFile });
  if (target !== undefined) {
    const connection = await connect(target);
    await connection.close();
    return { name, ok: true, found: `server at ${target.address}, namespace ${target.namespace}` };
  }
  const { server } = devServerStatus(databaseFile);
  if (server !== undefined) return { name, ok: true, found: `embedded server at ${server.address} (running)` };
  const fault = namespaceFault();
  if (fault !== undefined) {
    const found = `the embedded server can have no network namespace of its own: ${fault}`;
    return { name, ok: false, found, remedy: waysWithoutNamespace(fault).join('\n') };
  }
  const cli = await locateTemporalCli({ cacheDirectory: options.cacheDirectory, env: options.env });
  if (cli !== undefined) {
    return { name, ok: true, found: `embedded server ${cli.serverVersion} (${cli.path}), started when needed` };
  }
  const remedy = ['the first run tries to install it; or do it yourself:', ...installCommands()].join('\n');
  return { name, ok: 'warning', found: 'the Temporal CLI is not installed', remedy };
}

/** Writes, reads and lists something small. For `storage.driver: s3`; a folder is looked at as such. */
export async function checkStore({ storage }: RunConfig, blobs: Pick<BlobStore, 'check'>): Promise<Check> {
  await blobs.check();
  const found = `s3://${storage.bucket}/${storage.prefix ?? ''} can be read and written`;
  return { name: 'blob store', ok: true, found };
}

/** Asks the endpoint whether key, name and address are right. */
export async function checkModel(
  model: string,
  config: RunConfig,
  env: NodeJS.ProcessEnv,
  signal: AbortSignal,
): Promise<Check> {
  const probed = await probeModel(model, { model: config.model, env, signal });
  const name = `model ${model}`;
  if (probed.kind === 'unsure') return { name, ok: 'warning', found: probed.reason };
  const { endpoint, withKey } = probed;
  return { name, ok: true, found: `${endpoint} answers${withKey ? ' and takes the key' : ''}` };
}

/** @param timeoutMs milliseconds for asking whether the key is taken, where Daytona is used */
export async function checkDaytona(config: RunConfig, env: NodeJS.ProcessEnv, timeoutMs = 10_000): Promise<Check> {
  const name = 'Daytona';
  const hasKey = (env['DAYTONA_API_KEY'] ?? '') !== '';
  if (config.sandbox.provider !== 'daytona') {
    const found = hasKey ? 'DAYTONA_API_KEY is set' : 'DAYTONA_API_KEY is not set, nor needed for local sandboxes';
    return { name, ok: true, found };
  }
  if (!hasKey) {
    const remedy =
      'export DAYTONA_API_KEY=... (a key from https://app.daytona.io), or use local sandboxes: sandbox.provider: local';
    return { name, ok: false, found: 'DAYTONA_API_KEY is not set', remedy };
  }
  // Its SDK is loaded only where it is used.
  const { probeDaytona } = await import('../sandbox/daytona/probe.ts');
  const apiUrl = await probeDaytona({ environment: env, patienceMs: timeoutMs });
  return { name, ok: true, found: `${apiUrl} answers and takes the key` };
}

/** Whether a folder that may not exist yet can be written, and what its disk has left. */
export function checkDirectory(name: string, folder: string): Check {
  const existing = nearestExisting(folder);
  const remedy = `make room there, or choose another place (XDG_STATE_HOME, XDG_CACHE_HOME)`;
  if (!isWritable(existing)) {
    return {
      name,
      ok: false,
      found: `${folder} cannot be written`,
      remedy: `allow it: ls -ld ${existing}, or ${remedy}`,
    };
  }
  const { bavail, bsize } = statfsSync(existing);
  const free = Math.floor((bavail * bsize) / MIB);
  const found = `${folder}, ${free < 10_240 ? `${free} MiB` : `${Math.floor(free / 1024)} GiB`} free`;
  if (free >= DISK_LOW) return { name, ok: true, found };
  return { name, ok: free < DISK_EMPTY ? false : 'warning', found, remedy };
}

/** @param available bytes that this process and its children may still take. */
export function checkMemory(available: number): Check {
  const found = `${Math.floor(available / MIB)} MiB available`;
  if (available >= MEMORY_LOW * MIB) return { name: 'memory', ok: true, found };
  const remedy = 'set sandbox.memory_mb and rlm.max_parallel lower, or end other programs';
  return { name: 'memory', ok: 'warning', found, remedy };
}

/** A check that threw has found a fault: its message says what and what to do. */
async function guarded(name: string, check: () => Check | Promise<Check>): Promise<Check> {
  try {
    return await check();
  } catch (error) {
    const [found = '', ...remedy] = errorMessage(error).split('\n');
    return { name, ok: false, found, ...(remedy.length === 0 ? {} : { remedy: remedy.join('\n') }) };
  }
}

function isAtLeast(version: string, [oldestMajor, oldestMinor]: readonly [number, number]): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return major > oldestMajor || (major === oldestMajor && minor >= oldestMinor);
}

function nearestExisting(folder: string): string {
  return existsSync(folder) || dirname(folder) === folder ? folder : nearestExisting(dirname(folder));
}

function isWritable(folder: string): boolean {
  try {
    accessSync(folder, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}
