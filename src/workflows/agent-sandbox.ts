import { ActivityCancellationType, ApplicationFailure } from '@temporalio/workflow';
import { sandboxesUsedUp } from '../domain/budget.ts';
import type { AgentInput } from '../domain/contract.ts';
import type { SandboxName } from '../domain/sandbox.ts';
import { RETRY, runActivities, sandboxQueue } from './activities.ts';
import { failureMessage, failureType, isCancelled } from './failure-type.ts';
import type { AgentBudget } from './agent-budget.ts';

/** Attempts that may pass are tried again for about five minutes. */
const CREATE_RETRY = { ...RETRY, maximumAttempts: 15 } as const;

/** An agent's sandbox: created beside the first model call, and rebuilt when it is lost. */
export interface AgentSandbox {
  readonly current: SandboxName | undefined;
  /** Sandboxes created for the agent; one that replaces an evicted one does not count. */
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
   * @param reason - absent: it was evicted while the agent waited, and the new one does not count
   * @throws ApplicationFailure `Sandbox.Lost`
   */
  rebuild(reason?: string): Promise<void>;
}

export function createAgentSandbox(input: AgentInput, budget: AgentBudget): AgentSandbox {
  const { execution, task, queues, state, forkedAt } = input;
  let creating: Promise<SandboxName> | undefined =
    state?.sandbox === undefined ? undefined : Promise.resolve(state.sandbox);
  let current = state?.sandbox;
  let created = state?.sandboxes ?? 0;
  let lastSuspect: number | undefined;

  function create(): Promise<SandboxName> {
    creating ??= first().then((name) => {
      current = name;
      created += 1;
      return name;
    });
    return creating;
  }

  function first(): Promise<SandboxName> {
    const { createSandbox, rebuildSandbox } = runActivities({
      ...sandboxQueue(queues),
      summary: forkedAt === undefined ? 'create the sandbox' : 'rebuild the sandbox of the other run',
      retry: CREATE_RETRY,
      // Cancelled, it leaves nothing, or what it left is removed at the end.
      cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
    });
    return forkedAt === undefined ? createSandbox({ execution, task }) : rebuildSandbox({ execution, task });
  }

  async function payForRebuild(reason: string): Promise<void> {
    const { sandboxes, limits } = await budget.reserve({ sandboxes: 1 });
    if (sandboxes === 0) {
      throw ApplicationFailure.nonRetryable(
        `${reason} It was not rebuilt: ${sandboxesUsedUp(limits)}.`,
        'Sandbox.Lost',
      );
    }
    created += 1;
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
          if (failureType(error) !== 'Sandbox.Lost' || isCancelled(error)) throw error;
          const reason = failureMessage(error);
          if (suspect !== undefined && suspect === lastSuspect) {
            throw ApplicationFailure.nonRetryable(
              `The sandbox was lost twice while the code of iteration ${suspect} ran: it seems to end it. ${reason}`,
              'Sandbox.Lost',
            );
          }
          lastSuspect = suspect;
          await sandbox.rebuild(reason);
        }
      }
    },
    async rebuild(reason) {
      const lost = await create();
      if (reason !== undefined) await payForRebuild(reason);
      const { rebuildSandbox } = runActivities({
        ...sandboxQueue(queues),
        summary: reason === undefined ? 'rebuild the evicted sandbox' : 'rebuild the sandbox',
        cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
      });
      const why = reason === undefined ? {} : { reason };
      current = await rebuildSandbox({ execution, task, lost, ...why });
      creating = Promise.resolve(current);
    },
  };
  return sandbox;
}
