import { dirname } from 'node:path';
import { stateDirectory } from '../config/directories.ts';
import { TypedError } from '../domain/failures.ts';
import { EXIT_FAILED, EXIT_USAGE } from './exit-codes.ts';
import { say, type Io } from './io.ts';

/** Ends a command with a message for a person and an exit code. */
export class CommandError extends Error {
  readonly exitCode: number;

  constructor(message: string, exitCode: number = EXIT_USAGE, options: { cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'CommandError';
    this.exitCode = exitCode;
  }
}

/**
 * Says what went wrong, and where the code is to blame shows where.
 *
 * @returns the command's exit code: 2 for what a person can put right, found before anything was spent
 */
export function reportError(io: Io, error: unknown): number {
  if (error instanceof CommandError) {
    if (error.message !== '') say(io, `rlm: ${error.message}`);
    return error.exitCode;
  }
  // Temporal's room is not loaded just to know its error.
  if (error instanceof TypedError || (error instanceof Error && error.name === 'TemporalSetupError')) {
    say(io, `rlm: ${error.message}`);
    return EXIT_USAGE;
  }
  const full = fullDisk(error, io.env);
  if (full !== undefined) {
    say(io, `rlm: ${full}`);
    return EXIT_FAILED;
  }
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  say(io, `rlm: this should not have happened; please report it.\n${text}`);
  return EXIT_FAILED;
}

/** Of errors of the file system that a person can put right, what has happened; `{}` is where. */
const FULL: Readonly<Record<string, string>> = {
  ENOSPC: 'The disk of {} is full',
  EDQUOT: 'Your quota on the disk of {} is used up',
  EROFS: '{} is on a file system that is read-only',
};

/** Undefined for an error of another kind. A write to an open file does not name it: it is the state folder's, then. */
function fullDisk(error: unknown, env: NodeJS.ProcessEnv): string | undefined {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    const { code = '', path } = cause as NodeJS.ErrnoException;
    const what = FULL[code];
    if (what === undefined) continue;
    const folder = path === undefined ? stateDirectory(env) : dirname(path);
    const instead = code === 'EROFS' ? 'Make it writable' : 'Make room there (rlm clean shows what may go)';
    return `${what.replace('{}', folder)}. ${instead}, then type the same again: nothing that was stored is lost. DURABLE_RLM_STATE names another state folder.`;
  }
  return undefined;
}

/** From here on money may have been spent: a failure is a failure, no longer a mistake in the command. */
export async function afterStart<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const known = error instanceof TypedError || (error instanceof Error && error.name === 'TemporalSetupError');
    if (known) throw new CommandError(error.message, EXIT_FAILED, { cause: error });
    throw error;
  }
}
