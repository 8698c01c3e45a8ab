import { execFile } from 'node:child_process';
import { homedir } from 'node:os';
import { delimiter, isAbsolute, join } from 'node:path';
import { promisify } from 'node:util';
import { errorMessage } from '../domain/error-message.ts';
import { withLock } from '../files/lock.ts';
import { TemporalSetupError } from './errors.ts';
import { isExecutable } from './find-python.ts';
import { CLI_VERSION, downloadCli, type InstallOptions, installWithGo } from './install-cli.ts';

/** The oldest server whose features and flags are relied on. */
const OLDEST_SERVER = [1, 27] as const;

export interface FindCliOptions {
  /** The CLI is kept in its `bin` folder. */
  readonly cacheDirectory: string;
  /** Default: this process's environment. */
  readonly env?: NodeJS.ProcessEnv;
  readonly log?: (line: string) => void;
  /** Where to download from and for how long; for tests. */
  readonly install?: InstallOptions;
}

export interface TemporalCli {
  readonly path: string;
  /** Version of the server it holds, such as `1.29.1`. */
  readonly serverVersion: string;
}

/**
 * The path of a Temporal CLI that can be used: on PATH, where Temporal's installer puts it, in our cache, or newly
 * installed there (by download, else built by Go: about two minutes, once).
 *
 * @throws TemporalSetupError that names the commands to type.
 */
export async function findTemporalCli(options: FindCliOptions): Promise<string> {
  const found = await locateTemporalCli(options);
  if (found !== undefined) return found.path;
  const log = options.log ?? (() => undefined);
  const lock = join(options.cacheDirectory, 'bin', '.temporal.lock');
  const onWait = (): void => log('Another process is installing the Temporal CLI; waiting for it.');
  return withLock(lock, async () => (await cached(options))?.path ?? (await install(options, log)), { onWait });
}

/** The CLI that is already here, if any; installs nothing. */
export async function locateTemporalCli(options: FindCliOptions): Promise<TemporalCli | undefined> {
  const env = options.env ?? process.env;
  // A relative one would be looked for in the current folder.
  const folders = (env['PATH'] ?? '').split(delimiter).filter((folder) => isAbsolute(folder));
  const installers = join(env['HOME'] ?? homedir(), '.temporalio', 'bin');
  for (const path of [...folders, installers].map((folder) => join(folder, 'temporal')).filter(isExecutable)) {
    const cli = await usable(path);
    if (cli !== undefined) return cli;
    options.log?.(`${path} is not used: it does not hold a Temporal server ${OLDEST_SERVER.join('.')} or newer.`);
  }
  return cached(options);
}

/** The exact commands that put a usable CLI in place. */
export function installCommands(): readonly string[] {
  return [
    'curl -sSf https://temporal.download/cli.sh | sh',
    'brew install temporal',
    `go install github.com/temporalio/cli/cmd/temporal@v${CLI_VERSION}`,
  ];
}

function cached(options: FindCliOptions): Promise<TemporalCli | undefined> {
  const path = cachedPath(options.cacheDirectory);
  return isExecutable(path) ? usable(path) : Promise.resolve(undefined);
}

function cachedPath(cacheDirectory: string): string {
  return join(cacheDirectory, 'bin', 'temporal');
}

async function install(options: FindCliOptions, log: (line: string) => void): Promise<string> {
  const target = cachedPath(options.cacheDirectory);
  const env = options.env ?? process.env;
  const reasons: string[] = [];
  for (const way of [downloadCli, installWithGo]) {
    try {
      await way(target, env, log, options.install ?? {});
      if ((await usable(target)) !== undefined) return target;
      reasons.push(`${target} was installed but does not run`);
    } catch (error) {
      reasons.push(errorMessage(error));
    }
  }
  const commands = installCommands().map((command) => `  ${command}`);
  throw new TemporalSetupError(
    `The Temporal CLI is missing and could not be installed (${reasons.join('; ')}).\n` +
      `Install it with one of these and try again, or give --address of a Temporal server:\n${commands.join('\n')}`,
  );
}

/** What `temporal --version` says: `temporal version 1.5.1 (Server 1.29.1, UI 2.42.1)`. */
async function usable(path: string): Promise<TemporalCli | undefined> {
  try {
    const { stdout } = await promisify(execFile)(path, ['--version'], { timeout: 20_000 });
    const serverVersion = /Server (\d+\.\d+[^,)\s]*)/.exec(stdout)?.[1];
    return serverVersion !== undefined && isRecent(serverVersion) ? { path, serverVersion } : undefined;
  } catch {
    return undefined;
  }
}

function isRecent(version: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return major > OLDEST_SERVER[0] || (major === OLDEST_SERVER[0] && minor >= OLDEST_SERVER[1]);
}
