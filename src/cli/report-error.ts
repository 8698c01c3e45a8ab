import { TypedError } from '../domain/failures.ts';
import { EXIT_FAILED, EXIT_USAGE } from './exit-codes.ts';
import { say, type Io } from './io.ts';
import { describeSystemError } from './system-errors.ts';

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
  const fault = describeSystemError(error, io.env);
  if (fault !== undefined) {
    say(io, `rlm: ${fault}`);
    return EXIT_USAGE;
  }
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  say(io, `rlm: this should not have happened; please report it.\n${text}`);
  return EXIT_FAILED;
}

/** From here on money may have been spent: a failure is a failure, no longer a mistake in the command. */
export async function afterStart<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const known = error instanceof TypedError || (error instanceof Error && error.name === 'TemporalSetupError');
    if (known) throw new CommandError(error.message, EXIT_FAILED, { cause: error });
    const fault = describeSystemError(error, process.env);
    if (fault !== undefined) throw new CommandError(fault, EXIT_FAILED, { cause: error });
    throw error;
  }
}
