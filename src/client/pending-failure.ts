/** An activity that has failed and is being retried. */
export interface PendingFailure {
  /** Undefined for the run itself. */
  readonly agent: string | undefined;
  /** Number of the attempt that is made or waited for; 2 after the first failure. */
  readonly attempt: number;
  readonly message: string;
}

/** One line for a person. */
export function describePendingFailure(failure: PendingFailure): string {
  const { agent, attempt, message } = failure;
  const who = agent === undefined ? '' : `agent ${agent}: `;
  return `${who}${message} (failed ${attempt === 2 ? 'once' : `${attempt - 1} times`}, trying again)`;
}

/** Whether two are the same failure, after however many attempts. */
export function isSameFailure(a: PendingFailure | null, b: PendingFailure | null): boolean {
  return a?.agent === b?.agent && a?.message === b?.message;
}
