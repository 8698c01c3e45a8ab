import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { renameSync, rmSync } from 'node:fs';
import { delimiter, dirname, isAbsolute, join } from 'node:path';
import { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { makePrivateFolder } from '../files/private-folder.ts';
import { isExecutable } from './find-python.ts';

/** The newest that Go installs by module path; a download gets the same one. */
export const CLI_VERSION = '1.5.1';

export interface InstallOptions {
  /** Default: Temporal's own. */
  readonly downloadUrl?: string;
  /** Milliseconds without a byte after which a download is given up. Default 10 s. */
  readonly patience?: number;
}

/**
 * One way to put the CLI at `target`, in one step: a reader finds all of it or nothing.
 *
 * @throws Error with the reason in a few words.
 */
export type InstallWay = (
  target: string,
  env: NodeJS.ProcessEnv,
  log: (line: string) => void,
  options: InstallOptions,
) => Promise<void>;

export const downloadCli: InstallWay = async (target, env, log, options) => {
  const architecture = process.arch === 'x64' ? 'amd64' : process.arch;
  const url =
    options.downloadUrl ??
    `https://temporal.download/cli/archive/v${CLI_VERSION}?platform=${process.platform}&arch=${architecture}`;
  log(`Downloading the Temporal CLI ${CLI_VERSION} (once) ...`);
  await inTemporaryFolder(target, async (folder) => {
    const patience = patienceOf(options.patience ?? 10_000);
    try {
      const response = await fetch(url, { signal: patience.signal });
      if (!response.ok || response.body === null) throw new Error(`it answered ${response.status}`);
      const unpack = spawn('tar', ['-xzf', '-', '-C', folder, 'temporal'], {
        cwd: folder,
        env,
        stdio: ['pipe', 'ignore', 'ignore'],
      });
      const unpacked = exitOf(unpack, 'tar');
      unpacked.catch(() => undefined);
      await pipeline(Readable.fromWeb(response.body), patience.watch, unpack.stdin, { signal: patience.signal });
      await unpacked;
    } catch (error) {
      throw new Error(`the download failed: ${reasonOf(patience.signal.aborted ? patience.signal.reason : error)}`, {
        cause: error,
      });
    } finally {
      patience.end();
    }
    return join(folder, 'temporal');
  });
};

/** Nobody debugs it: without what a debugger needs, and with the compiler collecting less garbage, it takes a sixth less time. */
const FASTER = ['-gcflags=all=-dwarf=false', '-ldflags=-s -w'];

export const installWithGo: InstallWay = async (target, env, log) => {
  const program = findGo(env);
  if (program === undefined) throw new Error('Go is not installed');
  log(`Building the Temporal CLI ${CLI_VERSION} with Go (about two minutes, once) ...`);
  await inTemporaryFolder(target, async (folder) => {
    const go = spawn(program, ['install', ...FASTER, `github.com/temporalio/cli/cmd/temporal@v${CLI_VERSION}`], {
      // Not the current folder: it may hold a go.mod or a go.work that says what to build and with which Go.
      cwd: folder,
      env: { ...env, GOBIN: folder, CGO_ENABLED: '0', GOGC: '400' },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let said = '';
    go.stderr.on('data', (chunk: Buffer) => (said = (said + chunk.toString()).slice(-2000)));
    try {
      await exitOf(go, 'go install');
    } catch (error) {
      const lastLine = said.trim().split('\n').at(-1) ?? '';
      throw new Error(`go install failed: ${lastLine || reasonOf(error)}`, { cause: error });
    }
    return join(folder, 'temporal');
  });
};

/** On PATH; a relative folder of it would be looked for in the current one. */
function findGo(env: NodeJS.ProcessEnv): string | undefined {
  const folders = (env['PATH'] ?? '').split(delimiter).filter((folder) => isAbsolute(folder));
  return folders.map((folder) => join(folder, 'go')).find(isExecutable);
}

async function inTemporaryFolder(target: string, make: (folder: string) => Promise<string>): Promise<void> {
  const folder = join(dirname(target), `.install-${randomUUID()}`);
  makePrivateFolder(folder);
  try {
    renameSync(await make(folder), target);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function exitOf(child: ReturnType<typeof spawn>, name: string): Promise<void> {
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code) =>
      code === 0 ? resolve() : reject(new Error(`${name} ended with ${code ?? 'a signal'}`)),
    );
  });
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? error.cause.message : error.message;
}

/** Gives up when nothing has come for a while, however long the whole takes. */
function patienceOf(milliseconds: number): { signal: AbortSignal; watch: Transform; end: () => void } {
  const controller = new AbortController();
  const giveUp = (): void => controller.abort(new Error(`nothing came for ${milliseconds / 1000} s`));
  const timer = setTimeout(giveUp, milliseconds);
  const watch = new Transform({
    transform(chunk, _encoding, pass) {
      timer.refresh();
      pass(null, chunk);
    },
  });
  return { signal: controller.signal, watch, end: () => clearTimeout(timer) };
}
