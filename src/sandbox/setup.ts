import { posix } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { TypedError } from '../domain/failures.ts';
import type { SandboxSpec, SandboxSetup } from './provider.ts';

/** Bytes below which the file system of a setup must not fall: more is never a repository's business. */
const MIN_FREE_BYTES = 512 * 1024 * 1024;
/** Characters of a command's output that an error quotes. */
const QUOTED = 3000;

/** Where a setup takes place, as its commands see it. */
export interface SetupPlace {
  readonly workspace: string;
  readonly home: string;
}

/** What is to be run for a setup. */
export interface SetupPlan {
  /** Folder of the virtual environment that the commands install into and that the kernel runs on. */
  readonly environment: string;
  /** Its interpreter. */
  readonly python: string;
  /** Made by the commands themselves, maybe of another Python than the one that sandboxes otherwise have. */
  readonly isOwn: boolean;
  /** Arguments of `kernel setup`. */
  readonly arguments: readonly string[];
  /** What commands find in their environment besides `setup.environment`, PATH and HOME; `later`: what the code finds. */
  readonly variables: Readonly<Record<string, string>>;
  readonly later: Readonly<Record<string, string>>;
  /** How error messages name each command. */
  readonly names: readonly string[];
}

/**
 * Whether `sandbox.python` names a virtual environment of the repository (`.venv`, `./venv`, `tools/venv`), which only
 * its setup can make, and not one of the host (an absolute path, a name on PATH).
 */
export function isInRepository(python: string | undefined): python is string {
  return python !== undefined && !python.startsWith('/') && (python.startsWith('.') || python.includes('/'));
}

/** @throws TypedError `Input.Invalid` when `python` lies outside of the repository, or nothing makes it. */
export function checkSetup({ python, setup }: Pick<SandboxSpec, 'python' | 'setup'>): void {
  if (!isInRepository(python)) return;
  const path = posix.normalize(python);
  if (path === '.' || path.startsWith('..')) {
    throw new TypedError('Input.Invalid', `sandbox.python must be a folder of the repository, not ${python}.`);
  }
  if (setup === undefined) {
    throw new TypedError(
      'Input.Invalid',
      `sandbox.python names ${python}, a virtual environment of the repository, and nothing makes it: add a command to ` +
        `sandbox.setup, such as "python3 -m venv ${python}", or give the absolute path of an interpreter.`,
    );
  }
}

/**
 * @param interpreter path of the Python that sandboxes have otherwise, which a virtual environment is made of.
 * @param preferred `sandbox.python`.
 */
export function planSetup(
  setup: SandboxSetup,
  place: SetupPlace,
  { interpreter, preferred }: { readonly interpreter: string; readonly preferred: string | undefined },
): SetupPlan {
  const isOwn = isInRepository(preferred);
  const environment = isOwn ? posix.join(place.workspace, preferred) : posix.join(place.home, 'environment');
  const commands = setup.commands.map((command) => ['/bin/sh', '-c', command]);
  const first = [interpreter, '-m', 'venv', environment];
  const all = isOwn ? commands : [first, ...commands];
  const limits = ['--seconds', String(setup.timeout), '--least-free', String(MIN_FREE_BYTES)];
  const later = {
    VIRTUAL_ENV: environment,
    // Of what is installed and of the tree alike: outside of both, compiled once.
    PYTHONPYCACHEPREFIX: posix.join(place.home, '.bytecode'),
  };
  return {
    environment,
    python: posix.join(environment, 'bin', 'python'),
    isOwn,
    arguments: ['setup', '--workspace', place.workspace, ...limits, '--commands', JSON.stringify(all)],
    variables: { PIP_DISABLE_PIP_VERSION_CHECK: '1', PIP_NO_INPUT: '1', ...later },
    later,
    names: isOwn ? setup.commands : [first.join(' '), ...setup.commands],
  };
}

interface Report {
  readonly failed: number | null;
  readonly seconds: number;
  readonly why: string;
  readonly output: string;
}

/**
 * Reads what `kernel setup` printed. It ran beside code that nobody has looked at, so nothing of it is taken on trust.
 *
 * @returns seconds it took.
 * @throws TypedError `Sandbox.SetupFailed` with the command, its exit code and the end of its output.
 */
export function readSetupReport(
  plan: SetupPlan,
  ended: { readonly code: number; readonly stdout: string; readonly stderr: string },
): number {
  const report = ended.code === 0 ? parseReport(ended.stdout) : undefined;
  if (report === undefined) {
    const why = ended.stderr.trim().slice(-QUOTED) || `exit code ${ended.code}`;
    throw new TypedError('Sandbox.SetupFailed', `The commands of sandbox.setup could not be run: ${why}`);
  }
  if (report.failed === null) return report.seconds;
  const name = plan.names[report.failed] ?? '?';
  const output = report.output.trim().slice(-QUOTED);
  const quoted = output === '' ? 'It printed nothing.' : `The end of its output:\n${output}`;
  const isVenv = !plan.isOwn && report.failed === 0;
  const way = isVenv
    ? 'A virtual environment could not be made: install the venv module (Debian, Ubuntu: sudo apt-get install ' +
      'python3-venv), or name another interpreter in sandbox.python.'
    : 'No agent was started and no model asked. Commands run with sh in a clone of the commit, with network and with no ' +
      'variables of this host but those named in sandbox.setup_env.';
  throw new TypedError(
    'Sandbox.SetupFailed',
    `A command of sandbox.setup failed: \`${name}\` ${report.why}. ${quoted}\n${way}`,
  );
}

function parseReport(stdout: string): Report | undefined {
  try {
    const value = JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as unknown;
    if (typeof value !== 'object' || value === null || !('failed' in value)) return undefined;
    const { failed, seconds, why, output } = value as Partial<Record<keyof Report, unknown>>;
    return {
      failed: typeof failed === 'number' ? failed : null,
      seconds: typeof seconds === 'number' ? seconds : 0,
      why: typeof why === 'string' ? why.slice(0, 300) : '',
      output: typeof output === 'string' ? printable(output) : '',
    };
  } catch {
    return undefined;
  }
}

/** Without the escape sequences of terminals, and only the last state of lines that were drawn over and over. */
function printable(text: string): string {
  return stripVTControlCharacters(text)
    .replaceAll(/[^\n]*\r(?!\n)/g, '')
    .replaceAll(/[^\P{Cc}\n\t]/gu, '');
}
