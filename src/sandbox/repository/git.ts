import { spawn } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { makeTemporaryFolder } from '../../files/temporary-folder.ts';
import type { Readable } from 'node:stream';
import { redact } from '../../redact.ts';

/**
 * git on the host, which must do what this program asks and nothing that a repository, a folder or a server asks: it
 * runs in an empty folder of ours, with a repository that is ours or none, and reads no configuration but what is given
 * here. What counts of the user's own configuration is read by `user-config.ts` and passed on explicitly.
 */
export interface GitOptions {
  /** A repository of ours; its configuration is read. Default: none. Never one that others have made. */
  readonly gitDirectory?: string;
  readonly workTree?: string;
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal | undefined;
  /** Ways git may open a connection, `https:ssh` and the like. Default: none. */
  readonly protocols?: string;
  /** Configuration, `[name, value]`. It travels in the environment: arguments are there for every user to read. */
  readonly config?: readonly (readonly [string, string])[];
  readonly environment?: Readonly<Record<string, string>>;
  /** Taken out of whatever git prints. */
  readonly secrets?: readonly string[];
  /** What it reads from its standard input. Default: nothing. */
  readonly input?: Uint8Array;
  /** Default false. For `userConfig`. */
  readonly readsUserConfig?: boolean;
}

export interface GitResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** What git, ssh and credential helpers take to reach a server. Nothing that begins with GIT_ but two. */
const PASSED_ON = [
  'PATH',
  'HOME',
  'USER',
  'LOGNAME',
  'XDG_CONFIG_HOME',
  'XDG_CACHE_HOME',
  'XDG_RUNTIME_DIR',
  'DBUS_SESSION_BUS_ADDRESS',
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
  'GIT_SSL_CAPATH',
];

const SETTINGS: readonly (readonly [string, string])[] = [
  ['core.hooksPath', '/dev/null'],
  ['core.attributesFile', '/dev/null'],
  ['core.fsmonitor', 'false'],
  ['core.askPass', ''],
  ['fetch.recurseSubmodules', 'false'],
  ['submodule.recurse', 'false'],
  ['transfer.bundleURI', 'false'],
  ['gc.auto', '0'],
  ['maintenance.auto', 'false'],
  ['http.lowSpeedLimit', '1000'],
  ['http.lowSpeedTime', '60'],
];

function gitEnvironment(options: GitOptions, scratch: string): Record<string, string> {
  const reads = options.readsUserConfig === true;
  const environment = inherited(reads ? [...PASSED_ON, 'GIT_CONFIG_GLOBAL'] : PASSED_ON);
  // The user's own credential helpers may be among the configuration; none of them may ask a person.
  const config = [...SETTINGS, ...(options.config ?? []), ['credential.interactive', 'false'] as const];
  config.forEach(([name, value], place) => {
    environment[`GIT_CONFIG_KEY_${place}`] = name;
    environment[`GIT_CONFIG_VALUE_${place}`] = value;
  });
  return {
    ...environment,
    GIT_CONFIG_COUNT: String(config.length),
    GIT_CONFIG_NOSYSTEM: '1',
    ...(reads ? {} : { GIT_CONFIG_GLOBAL: '/dev/null' }),
    GIT_ATTR_NOSYSTEM: '1',
    GIT_TERMINAL_PROMPT: '0',
    GIT_OPTIONAL_LOCKS: '0',
    GIT_NO_REPLACE_OBJECTS: '1',
    // A partial clone fetches what it lacks, from where and by which program its configuration says.
    GIT_NO_LAZY_FETCH: '1',
    GIT_ALLOW_PROTOCOL: options.protocols ?? 'none',
    LC_ALL: 'C',
    // Always set, so that none is looked for in the current folder and above.
    GIT_DIR: options.gitDirectory ?? join(scratch, 'none'),
    ...(options.workTree === undefined ? {} : { GIT_WORK_TREE: options.workTree }),
    ...options.environment,
  };
}

function inherited(names: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    names.flatMap((name): [string, string][] => {
      const value = process.env[name];
      return value === undefined ? [] : [[name, value]];
    }),
  );
}

/** Milliseconds for the last words of git once it has ended. */
const LAST_WORDS_MS = 1000;

/** Runs git to its end; its exit code is the caller's to judge. */
export async function runGit(arguments_: readonly string[], options: GitOptions = {}): Promise<GitResult> {
  const child = spawnGit(arguments_, options);
  const [stdout, stderr, ended] = await Promise.all([collect(child.stdout), collect(child.stderr), child.ended]);
  // What a server says may repeat what it was sent.
  const withoutSecrets = (text: string): string => secrets.reduce(redact, text);
  const secrets = options.secrets ?? [];
  return { code: ended.code, stdout: withoutSecrets(stdout), stderr: ended.reason ?? withoutSecrets(stderr) };
}

export interface RunningGit {
  readonly stdout: Readable;
  readonly stderr: Readable;
  /** `reason` when it was ended by us. Never rejects. */
  readonly ended: Promise<{ readonly code: number; readonly reason?: string }>;
}

export function spawnGit(arguments_: readonly string[], options: GitOptions = {}): RunningGit {
  const timeoutMs = options.timeoutMs ?? 60_000;
  const scratch = makeTemporaryFolder('git');
  const child = spawn('git', arguments_, {
    cwd: scratch,
    env: gitEnvironment(options, scratch),
    stdio: ['pipe', 'pipe', 'pipe'],
    // A group of its own: git's helpers (ssh, remote-https) end with it.
    detached: true,
  });
  child.stdin.on('error', () => undefined); // It has ended, and says why.
  child.stdin.end(options.input ?? '');
  let reason: string | undefined;
  const end = (why: string): void => {
    reason ??= why;
    try {
      if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
    } catch {
      // It has ended by itself.
    }
    // A process that has left the group may hold them open.
    setTimeout(() => [child.stdout, child.stderr].forEach((stream) => stream.destroy()), LAST_WORDS_MS).unref();
  };
  const timer = setTimeout(() => end(`no answer within ${timeoutMs / 1000} s`), timeoutMs);
  const aborted = (): void => end('cancelled');
  if (options.signal?.aborted === true) aborted();
  options.signal?.addEventListener('abort', aborted, { once: true });
  const ended = new Promise<{ code: number; reason?: string }>((resolve) => {
    const settle = (code: number): void => {
      clearTimeout(timer);
      options.signal?.removeEventListener('abort', aborted);
      rmSync(scratch, { recursive: true, force: true });
      resolve(reason === undefined ? { code } : { code, reason });
    };
    child.once('error', (error: NodeJS.ErrnoException) => {
      reason ??= error.code === 'ENOENT' ? 'git is not installed here (apt install git)' : error.message;
      settle(127);
    });
    // ssh leaves a process behind that holds standard error where its connections persist: it is not waited for.
    child.once('exit', () => setTimeout(() => child.stderr.destroy(), LAST_WORDS_MS).unref());
    child.once('close', (code) => settle(code ?? 137));
  });
  return { stdout: child.stdout, stderr: child.stderr, ended };
}

async function collect(stream: Readable): Promise<string> {
  stream.setEncoding('utf8');
  let text = '';
  try {
    for await (const chunk of stream) text += String(chunk);
  } catch (error) {
    // Nobody waits for more of it: see `spawnGit`.
    if (!stream.destroyed) throw error;
  }
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
