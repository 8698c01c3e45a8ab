import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { errorMessage } from '../domain/error-message.ts';
import { makePrivateFolder, PRIVATE_FILE_MODE } from '../files/private-folder.ts';
import { shellWord } from './command-name.ts';
import { EXIT_DONE, EXIT_FAILED } from './exit-codes.ts';
import { say, writeJson, writeResult, type Io } from './io.ts';
import type { JsonOption, TemporalOptions } from './options.ts';
import { CommandError } from './report-error.ts';
import { withSession, type Session } from './session.ts';
import { systemdUnit } from './systemd-unit.ts';

export interface ServiceOptions extends TemporalOptions {
  /** Only print the unit. */
  readonly print?: boolean;
}

const UNIT = 'durable-rlm.service';
const LOG_COMMAND = `journalctl --user -u ${UNIT}`;
/** Variables of this program, and of what it starts, that say where things are. */
const PASSED_ON = ['PATH', 'XDG_STATE_HOME', 'XDG_CACHE_HOME', 'XDG_CONFIG_HOME', 'TEMPORAL_CONFIG_FILE'];

/** `rlm service install`: `rlm up` as a service of systemd for this user. */
export function installService(io: Io, options: ServiceOptions): Promise<number> {
  return withSession(io, options, async (session) => {
    const folder = configFolder(io.env);
    const environmentFile = join(folder, 'durable-rlm', 'environment');
    const text = systemdUnit({
      command: [process.execPath, mainFile(), 'up', '--quiet', ...upOptions(io.cwd, options)],
      folder: session.stateDirectory,
      environment: passedOn(session),
      environmentFile,
    });
    if (options.print === true) {
      await writeResult(io, text);
      return EXIT_DONE;
    }
    await systemctl(io, 'show-environment');
    makePrivateFolder(session.stateDirectory);
    const unit = join(folder, 'systemd', 'user', UNIT);
    mkdirSync(dirname(unit), { recursive: true });
    writeFileSync(unit, text);
    if (!existsSync(environmentFile)) {
      mkdirSync(dirname(environmentFile), { recursive: true });
      writeFileSync(environmentFile, '# Keys for durable-rlm, one a line: OPENROUTER_API_KEY=...\n', {
        mode: PRIVATE_FILE_MODE,
      });
    }
    await systemctl(io, 'daemon-reload');
    await systemctl(io, 'enable', UNIT);
    await systemctl(io, 'restart', UNIT);
    say(io, `rlm up runs as a service now, and again after each login (${unit}).`);
    say(
      io,
      `It does not see the keys of this shell: put them into ${environmentFile}, one NAME=value a line, then type systemctl --user restart ${UNIT}.`,
    );
    say(io, `How it does: rlm service status; what it says: ${LOG_COMMAND}.`);
    say(io, 'To have it run while you are not logged in, type once: loginctl enable-linger');
    return EXIT_DONE;
  });
}

/** `rlm service remove`: runs are suspended until another worker takes them up. */
export async function removeService(io: Io): Promise<number> {
  const unit = join(configFolder(io.env), 'systemd', 'user', UNIT);
  if (!existsSync(unit)) {
    say(io, `There is no service: ${unit} does not exist.`);
    return EXIT_DONE;
  }
  await systemctl(io, 'disable', '--now', UNIT);
  rmSync(unit, { force: true });
  await systemctl(io, 'daemon-reload');
  say(io, 'The service is removed. Its runs are kept: rlm up, or rlm resume <run>, continues them.');
  return EXIT_DONE;
}

/** What systemd says of a service that `rlm service status` tells, by its names of properties. */
const PROPERTIES = ['ActiveState', 'SubState', 'Result', 'MainPID', 'ActiveEnterTimestamp', 'UnitFileState'] as const;

/**
 * `rlm service status`: what is installed, whether it runs, and where its log is.
 *
 * @returns the exit code: 0 where it runs
 */
export async function showService(io: Io, { json }: JsonOption): Promise<number> {
  const unit = join(configFolder(io.env), 'systemd', 'user', UNIT);
  if (!existsSync(unit)) {
    if (json === true) await writeJson(io, { installed: false, running: false });
    else say(io, `There is no service: ${unit} does not exist. rlm service install makes it.`);
    return EXIT_FAILED;
  }
  const shown = await systemctl(io, 'show', UNIT, ...PROPERTIES.map((name) => `--property=${name}`));
  const properties = new Map(
    shown.split('\n').map((line): [string, string] => {
      const at = line.indexOf('=');
      return [line.slice(0, at), line.slice(at + 1)];
    }),
  );
  const [state = '', subState = '', result = '', pid = '', since = '', file = ''] = PROPERTIES.map((name) =>
    properties.get(name),
  );
  const running = state === 'active';
  if (json === true) {
    const status = { installed: true, unit, enabled: file === 'enabled', running, state, sub_state: subState, result };
    await writeJson(io, { ...status, pid: running ? Number(pid) : null, log: LOG_COMMAND });
    return running ? EXIT_DONE : EXIT_FAILED;
  }
  const starts = file === 'enabled' ? 'starts after each login' : 'does not start by itself: rlm service install';
  const why = result === '' || result === 'success' ? '' : `, ${result}`;
  const stands = running
    ? `runs, as process ${pid}${since === '' ? '' : ` since ${since}`}`
    : `does not run (${state}, ${subState}${why}): systemctl --user restart ${UNIT} starts it`;
  const lines = [`installed  ${unit}; it ${starts}`, `state      ${stands}`, `log        ${LOG_COMMAND}`];
  io.stdout.write(`${lines.join('\n')}\n`);
  return running ? EXIT_DONE : EXIT_FAILED;
}

function configFolder(env: NodeJS.ProcessEnv): string {
  const given = env['XDG_CONFIG_HOME'] ?? '';
  return given === '' ? join(env['HOME'] ?? homedir(), '.config') : given;
}

function mainFile(): string {
  return fileURLToPath(new URL(import.meta.url.endsWith('.ts') ? './main.ts' : './main.js', import.meta.url));
}

function upOptions(cwd: string, { config, address, namespace, profile }: ServiceOptions): string[] {
  const given = { config: config === undefined ? undefined : resolve(cwd, config), address, namespace, profile };
  return Object.entries(given).flatMap(([name, value]) => (value === undefined ? [] : [`--${name}`, value]));
}

function passedOn({ env }: Session): Record<string, string> {
  const names = [...PASSED_ON, ...Object.keys(env).filter((name) => /^(DURABLE_RLM_|TEMPORAL_(?!API_KEY))/.test(name))];
  return Object.fromEntries(
    [...new Set(names)].flatMap((name): [string, string][] => (env[name] === undefined ? [] : [[name, env[name]]])),
  );
}

/** @returns what it prints */
async function systemctl(io: Io, ...args: readonly string[]): Promise<string> {
  try {
    return (await promisify(execFile)('systemctl', ['--user', ...args], { env: io.env })).stdout;
  } catch (error) {
    const said = error instanceof Error && 'stderr' in error ? String(error.stderr).trim() : '';
    throw new CommandError(
      `systemctl --user ${args.map(shellWord).join(' ')} failed (${said === '' ? errorMessage(error) : said}). ` +
        'A service needs systemd with a session of yours; elsewhere keep rlm up running by other means (rlm service install --print shows the unit).',
    );
  }
}
