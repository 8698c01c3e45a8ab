import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { cacheDirectory as userCacheDirectory } from '../../src/config/directories.ts';
import { defaultDatabaseFile, stopDevServer } from '../../src/temporal/dev-server.ts';
import { findTemporalCli } from '../../src/temporal/find-cli.ts';
import { openPlace, placeByEnvironment, type PlaceName } from './places.ts';
import { killGroup } from '../kill-group.ts';

const MAIN = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));

/** A folder with a state, cache and home of its own, in which the built command is run as a person would. */
export interface Desk {
  readonly folder: string;
  readonly state: string;
  readonly env: NodeJS.ProcessEnv;
  /** Starts `rlm ...` in a process group of its own. */
  start(args: readonly string[], env?: NodeJS.ProcessEnv): RunningCommand;
  run(args: readonly string[], env?: NodeJS.ProcessEnv): Promise<Finished>;
  /** Writes the configuration of the desk's user, in the folder that is theirs. */
  configure(yaml: string): void;
  /** What a configuration must hold for its sandboxes. */
  readonly settings: { readonly sandbox: Readonly<Record<string, unknown>> };
  /** Sandboxes that exist, and processes that belong to this desk's state folder. */
  leftovers(): Promise<string[]>;
  close(): Promise<void>;
}

export interface RunningCommand {
  readonly pid: number;
  readonly finished: Promise<Finished>;
  /** Ends the whole process group with SIGKILL. */
  kill(): void;
  stderr(): string;
}

export interface Finished {
  /** Null when it was killed. */
  readonly code: number | null;
  readonly stdout: Buffer;
  readonly stderr: string;
}

/** @param sandboxes where they are; default: on this host, unless the environment says otherwise. */
export async function createDesk(sandboxes: PlaceName = placeByEnvironment()): Promise<Desk> {
  const folder = mkdtempSync(join(tmpdir(), 'rlm-desk-'));
  const place = await openPlace(sandboxes, folder);
  const [state, cache] = [join(folder, 'state'), join(folder, 'cache')];
  mkdirSync(cache, { recursive: true });
  const temporal = await findTemporalCli({ cacheDirectory: userCacheDirectory(process.env), env: process.env });
  const env: NodeJS.ProcessEnv = {
    PATH: [dirname(temporal), dirname(process.execPath), process.env['PATH']].join(delimiter),
    HOME: folder,
    DURABLE_RLM_STATE: state,
    DURABLE_RLM_CACHE: cache,
    LLM_API_KEY: 'key-of-the-tests',
    NO_COLOR: '1',
    ...place.environment,
  };
  const commands = new Set<RunningCommand>();

  const start = (args: readonly string[], extra: NodeJS.ProcessEnv = {}): RunningCommand => {
    const child = spawn(process.execPath, [MAIN, ...args], {
      cwd: folder,
      env: { ...env, ...extra },
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const stdout: Buffer[] = [];
    let stderr = '';
    child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => {
      stderr += chunk.toString();
    });
    const finished = new Promise<Finished>((resolve) => {
      child.once('close', (code) => resolve({ code, stdout: Buffer.concat(stdout), stderr }));
    });
    const command: RunningCommand = {
      pid: child.pid ?? 0,
      finished,
      stderr: () => stderr,
      kill() {
        try {
          killGroup(child);
        } catch {
          // It has ended by itself.
        }
      },
    };
    commands.add(command);
    void finished.then(() => commands.delete(command));
    return command;
  };

  return {
    folder,
    state,
    env,
    start,
    run: (args, extra) => start(args, extra).finished,
    configure(yaml) {
      mkdirSync(join(folder, '.config', 'durable-rlm'), { recursive: true });
      writeFileSync(join(folder, '.config', 'durable-rlm', 'config.yaml'), yaml);
    },
    settings: { sandbox: place.settings },
    leftovers: async () => [...(await place.leftovers()), ...processesNaming(join(state, 'sandboxes'))],
    async close() {
      for (const command of commands) command.kill();
      await Promise.all([...commands].map(({ finished }) => finished));
      await place.close();
      if (existsSync(defaultDatabaseFile(state)))
        await stopDevServer({ databaseFile: defaultDatabaseFile(state), force: true });
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Resolves when the command's standard error has the text. */
export async function says(command: RunningCommand, text: RegExp): Promise<void> {
  let ended = false;
  void command.finished.then(() => (ended = true));
  while (!text.test(command.stderr())) {
    if (ended) throw new Error(`ended without saying ${text.source}:\n${command.stderr()}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Command lines of the processes that name a path. */
function processesNaming(path: string): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        const line = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
        return line.includes(path) ? [`process ${pid}: ${line.slice(0, 200)}`] : [];
      } catch {
        return []; // It has ended.
      }
    });
}
