import { spawn } from 'node:child_process';
import type { Readable } from 'node:stream';
import { TypedError } from '../../domain/failures.ts';

export interface GitOptions {
  readonly cwd?: string;
  /** The repository, when it is not found from `cwd`. */
  readonly gitDirectory?: string;
  /** Sent to this URL's host only, as HTTP basic authentication. */
  readonly token?: { readonly value: string; readonly url: string };
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal | undefined;
  /** Ways git may open a connection, `https:ssh` and the like. Default: none, whatever the repository says. */
  readonly protocols?: string;
  /** More configuration, `[name, value]`; stronger than any file. */
  readonly config?: readonly (readonly [string, string])[];
  readonly environment?: Readonly<Record<string, string>>;
}

export interface GitResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Of the worker's environment git sees only what it takes to reach a server. */
const PASSED_ON = [
  'PATH',
  'HOME',
  'USER',
  'XDG_CONFIG_HOME',
  'SSH_AUTH_SOCK',
  'http_proxy',
  'https_proxy',
  'HTTPS_PROXY',
  'all_proxy',
  'ALL_PROXY',
  'no_proxy',
  'NO_PROXY',
  'SSL_CERT_FILE',
  'SSL_CERT_DIR',
  'GIT_SSL_CAINFO',
  'GIT_CONFIG_GLOBAL',
  'GIT_CONFIG_SYSTEM',
];

/**
 * What a repository or a configuration could make git run on the host, switched off. The files of the user's own
 * configuration are still read: they may hold the proxy or the certificates without which nothing is reached.
 */
const DISARMED: readonly (readonly [string, string])[] = [
  ['core.hooksPath', '/dev/null'],
  ['core.fsmonitor', 'false'],
  ['core.askPass', ''],
  ['credential.helper', ''],
  ['credential.interactive', 'false'],
  ['fetch.recurseSubmodules', 'false'],
  ['submodule.recurse', 'false'],
  ['transfer.bundleURI', 'false'],
  ['gc.auto', '0'],
  ['maintenance.auto', 'false'],
  ['safe.directory', '*'],
  ['http.lowSpeedLimit', '1000'],
  ['http.lowSpeedTime', '60'],
];

export function gitEnvironment(options: GitOptions): Record<string, string> {
  const environment: Record<string, string> = {};
  for (const name of PASSED_ON) {
    const value = process.env[name];
    if (value !== undefined) environment[name] = value;
  }
  const config = [...DISARMED, ...(options.config ?? []), ...tokenHeader(options.token)];
  config.forEach(([name, value], place) => {
    environment[`GIT_CONFIG_KEY_${place}`] = name;
    environment[`GIT_CONFIG_VALUE_${place}`] = value;
  });
  return {
    ...environment,
    GIT_CONFIG_COUNT: String(config.length),
    GIT_TERMINAL_PROMPT: '0',
    GIT_OPTIONAL_LOCKS: '0',
    GIT_NO_REPLACE_OBJECTS: '1',
    // A partial clone fetches what it lacks, from where and by which program its configuration says.
    GIT_NO_LAZY_FETCH: '1',
    GIT_ALLOW_PROTOCOL: options.protocols ?? 'none',
    GIT_SSH_COMMAND: 'ssh -oBatchMode=yes -oConnectTimeout=20',
    LC_ALL: 'C',
    ...(options.gitDirectory === undefined ? {} : { GIT_DIR: options.gitDirectory }),
    ...options.environment,
  };
}

function tokenHeader(token: GitOptions['token']): [string, string][] {
  if (token === undefined) return [];
  const { origin, protocol, hostname } = new URL(token.url);
  const onLoopback = ['localhost', '127.0.0.1', '[::1]'].includes(hostname);
  if (protocol !== 'https:' && !(protocol === 'http:' && onLoopback)) {
    throw new TypedError('Input.Invalid', `A token is sent over HTTPS only: give the repository as an https:// URL.`);
  }
  const credentials = Buffer.from(`x-access-token:${token.value}`).toString('base64');
  return [[`http.${origin}/.extraHeader`, `Authorization: Basic ${credentials}`]];
}

/** Runs git to its end; its exit code is the caller's to judge. */
export async function runGit(arguments_: readonly string[], options: GitOptions = {}): Promise<GitResult> {
  const child = spawnGit(arguments_, options);
  const [stdout, stderr, ended] = await Promise.all([collect(child.stdout), collect(child.stderr), child.ended]);
  return { code: ended.code, stdout, stderr: ended.reason ?? stderr };
}

export interface RunningGit {
  readonly stdout: Readable;
  readonly stderr: Readable;
  /** `reason` when it was ended by us. Never rejects. */
  readonly ended: Promise<{ readonly code: number; readonly reason?: string }>;
}

export function spawnGit(arguments_: readonly string[], options: GitOptions = {}): RunningGit {
  const timeoutMs = options.timeoutMs ?? 60_000;
  const child = spawn('git', arguments_, {
    cwd: options.cwd,
    env: gitEnvironment(options),
    stdio: ['ignore', 'pipe', 'pipe'],
    // A group of its own: git's helpers (ssh, remote-https) end with it.
    detached: true,
  });
  let reason: string | undefined;
  const end = (why: string): void => {
    reason ??= why;
    try {
      if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
    } catch {
      // It has ended by itself.
    }
  };
  const timer = setTimeout(() => end(`no answer within ${timeoutMs / 1000} s`), timeoutMs);
  const aborted = (): void => end('cancelled');
  if (options.signal?.aborted === true) aborted();
  options.signal?.addEventListener('abort', aborted, { once: true });
  const ended = new Promise<{ code: number; reason?: string }>((resolve) => {
    const settle = (code: number): void => {
      clearTimeout(timer);
      options.signal?.removeEventListener('abort', aborted);
      resolve(reason === undefined ? { code } : { code, reason });
    };
    child.once('error', (error: NodeJS.ErrnoException) => {
      reason ??= error.code === 'ENOENT' ? 'git is not installed here (apt install git)' : error.message;
      settle(127);
    });
    child.once('close', (code) => settle(code ?? 137));
  });
  return { stdout: child.stdout, stderr: child.stderr, ended };
}

async function collect(stream: Readable): Promise<string> {
  stream.setEncoding('utf8');
  let text = '';
  for await (const chunk of stream) text += String(chunk);
  return text;
}

/** The last line of git's complaint, without its prefix: what a person wants to read. */
export function complaint(result: GitResult): string {
  const lines = result.stderr
    .split('\n')
    .map((line) => line.replace(/^(fatal|error|remote|warning): /, '').trim())
    .filter((line) => line !== '');
  return lines.at(-1) ?? `git ended with exit code ${result.code}`;
}
