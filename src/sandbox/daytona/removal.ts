import type { Daytona, Sandbox } from '@daytonaio/sdk';
import {
  backoffMs,
  retryUntil,
  isTransient,
  pauseBeforeRetry,
  sleep,
  statusOf,
  withinLimit,
  type Deadline,
} from './calls.ts';
import { findSandbox } from './states.ts';

export interface Removal {
  readonly client: Daytona;
  /** Its name, or Daytona's own id. */
  readonly id: string;
  readonly limitMs: number;
  /** Known from before, which spares asking for it. */
  readonly known?: Sandbox | undefined;
}

/**
 * Deletes a sandbox; where there is none, nothing happens. Its name is free, and it runs no more, a moment later.
 *
 * @throws `DaytonaTimeoutError` when Daytona does not take it by then: the sweep comes back to it.
 */
export async function removeSandbox({ client, id, limitMs, known }: Removal, until: Deadline): Promise<void> {
  let sandbox = known;
  for (let attempt = 0; ; attempt += 1) {
    sandbox ??= await retryUntil({ what: 'find the sandbox', limitMs, work: () => findSandbox(client, id) }, until);
    if (sandbox === undefined || sandbox.state === 'destroyed') return;
    const target = sandbox;
    try {
      const work = (): Promise<void> => target.delete(Math.ceil(limitMs / 1000));
      await withinLimit({ what: 'delete the sandbox', limitMs: limitMs + 1000, work }, until);
      return;
    } catch (error) {
      until.signal?.throwIfAborted();
      sandbox = undefined; // Another may have its name by now.
      if (statusOf(error) === 404) continue;
      // Something else is being done with it just now.
      if (statusOf(error) === 409 && performance.now() + 1000 < until.deadline) {
        await sleep(backoffMs(attempt, 2_000), until.signal);
        continue;
      }
      if (statusOf(error) !== 409 && !isTransient(error)) throw error;
      await pauseBeforeRetry('delete the sandbox', error, attempt, until);
    }
  }
}
