/**
 * Temporal cannot be reached, found or started. The message says what to do next; commands end with
 * exit code 2 on it, before anything is spent.
 */
export class TemporalSetupError extends Error {
  constructor(message: string, options: { cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'TemporalSetupError';
  }
}
