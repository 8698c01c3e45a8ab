import { ActivityCancellationType, ApplicationFailure, isCancellation } from '@temporalio/workflow';
import { sandboxesUsedUp } from '../domain/budget.ts';
import type { AgentInput, RebuildCause, RebuildSandboxResult } from '../domain/contract.ts';
import type { SandboxName } from '../domain/sandbox.ts';
import { RETRY, runActivities, sandboxQueue } from './activities.ts';
import type { AgentBudget } from './agent-budget.ts';
import { failureMessage, failureType } from './failure-type.ts';
import type { PauseOnError } from './pause-on-error.ts';

/** Transient failures are retried for about five minutes. */
const CREATE_RETRY = { ...RETRY, maximumAttempts: 15 } as const;

/** An agent's sandbox: created beside the first model call, and rebuilt when it is lost. */
export interface AgentSandbox {
  readonly current: SandboxName | undefined;
  /** Sandboxes that count: the first, and one for each that was lost. */
  readonly created: number;
  /** Creates it, unless that is done or under way. Never rejects: `use` throws what it met. */
  ensure(): Promise<void>;
  /** Resolves when it is not being created, or rebuilt, any more; at once where nothing has begun to create it. */
  settled(): Promise<void>;
  /**
   * Does work in it. When it is lost, it is rebuilt and the work is done again.
   *
   * @param suspect - names the code that runs from its beginning and may itself end its sandbox: the second time in a row
   *   it is not rebuilt
   * @throws what creating it threw; ApplicationFailure `Sandbox.Lost` when it cannot be rebuilt
   */
  use<T>(work: (sandbox: SandboxName) => Promise<T>, suspect?: number): Promise<T>;
  /**
   * Replaces it by one in the same state.
   *
   * @param reason - why it was lost; absent: it was evicted while the agent waited
   * @throws ApplicationFailure `Sandbox.Lost`
   */
  rebuild(reason?: string): Promise<void>;
}

export function createAgentSandbox(
  input: AgentInput,
  { budget, pauseOnError }: { readonly budget: AgentBudget; readonly pauseOnError: PauseOnError },
): AgentSandbox {
  const { execution, task, idle_timeout, queues, state, forkedAt } = input;
  let creating: Promise<SandboxName> | undefined =
    state?.sandbox === undefined ? undefined : Promise.resolve(state.sandbox);
  let current = state?.sandbox;
  let created = state?.sandboxes ?? 0;
  let lastSuspect: number | undefined;
  /** When work in it last ended. */
  let usedAt = Date.now();

  function create(): Promise<SandboxName> {
    creating ??= pauseOnError.run(first).then((name) => {
      current = name;
      created += 1;
      usedAt = Date.now();
      return name;
    });
    return creating;
  }

  async function first(): Promise<SandboxName> {
    const { createSandbox, rebuildSandbox } = runActivities({
      ...sandboxQueue(queues),
      summary: forkedAt === undefined ? 'create the sandbox' : 'rebuild the sandbox of the other run',
      retry: CREATE_RETRY,
      // Cancelled, it leaves nothing, or what it left is removed at the end.
      cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
    });
    if (forkedAt === undefined) return createSandbox({ execution, task });
    return rebuilt(await rebuildSandbox({ execution, task, cause: { kind: 'forked' } }));
  }

  async function payForRebuild(reason: string): Promise<void> {
    const { sandboxes, limits } = await budget.reserve({ sandboxes: 1 });
    if (sandboxes === 0) throw lost(`${reason} It was not rebuilt: ${sandboxesUsedUp(limits)}.`);
  }

  /** Nobody renews the sandboxes of an agent whose workers are all away: they end themselves, and that is no loss. */
  function wasIdle(): boolean {
    return Date.now() - usedAt >= idle_timeout * 1000;
  }

  const sandbox: AgentSandbox = {
    get current() {
      return current;
    },
    get created() {
      return created;
    },
    ensure: () =>
      create().then(
        () => undefined,
        () => undefined,
      ),
    settled: async () => {
      await creating?.catch(() => undefined);
    },
    async use(work, suspect) {
      for (;;) {
        const name = await create();
        try {
          return await work(name);
        } catch (error) {
          if (failureType(error) !== 'Sandbox.Lost' || isCancellation(error)) throw error;
          const reason = failureMessage(error);
          if (suspect !== undefined && suspect === lastSuspect) {
            throw lost(
              `The sandbox was lost twice while the code of iteration ${suspect} ran: it seems to end it. ${reason}`,
            );
          }
          lastSuspect = suspect;
          await sandbox.rebuild(wasIdle() ? undefined : reason);
        } finally {
          usedAt = Date.now();
        }
      }
    },
    async rebuild(reason) {
      const before = await create();
      const cause: RebuildCause =
        reason === undefined ? { kind: 'evicted', sandbox: before } : { kind: 'lost', sandbox: before, reason };
      if (reason !== undefined) await payForRebuild(reason);
      const { rebuildSandbox } = runActivities({
        ...sandboxQueue(queues),
        summary: reason === undefined ? 'rebuild the evicted sandbox' : 'rebuild the sandbox',
        cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
      });
      const result = await rebuildSandbox({ execution, task, cause });
      if (reason !== undefined && result.kind === 'refused') budget.settle({ unused: { sandboxes: 1 } });
      current = rebuilt(result);
      if (reason !== undefined) created += 1;
      creating = Promise.resolve(current);
    },
  };
  return sandbox;
}

function rebuilt(result: RebuildSandboxResult): SandboxName {
  if (result.kind === 'refused') throw lost(result.reason);
  return result.sandbox;
}

function lost(message: string): ApplicationFailure {
  return ApplicationFailure.nonRetryable(message, 'Sandbox.Lost');
}
