import { ActivityCancellationType, isCancellation, type ApplicationFailure } from '@temporalio/workflow';
import { sandboxesUsedUp } from '../domain/budget.ts';
import type { AgentInput, RebuildCause, RebuildSandboxResult } from '../domain/contract.ts';
import type { SandboxName } from '../domain/sandbox.ts';
import { RETRY, runActivities, sandboxQueue } from './activities.ts';
import type { AgentBudget } from './agent-budget.ts';
import { failureMessage, isFailure, typedFailure } from './failure.ts';
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
   * @param startsIteration - the work starts the code of this iteration. A sandbox that is lost there twice in a row is not
   *   rebuilt again: the code is taken to end it
   * @throws what creating it threw; ApplicationFailure `Sandbox.Lost` when it cannot be rebuilt
   */
  use<T>(work: (sandbox: SandboxName) => Promise<T>, startsIteration?: number): Promise<T>;
  /**
   * Replaces it by one in the same state.
   *
   * @throws ApplicationFailure `Sandbox.Lost`
   */
  rebuild(replaced: Replaced): Promise<void>;
}

/** What happened to a sandbox that is replaced. Only a loss counts against the budget. */
export type Replaced =
  | { readonly kind: 'lost'; readonly reason: string }
  /** To make room, while the agent waited. */
  | { readonly kind: 'evicted' }
  /** It ended itself, because nobody had spoken to it for `sandbox.idle_timeout`. */
  | { readonly kind: 'idle' };

export function createAgentSandbox(
  input: AgentInput,
  { budget, pauseOnError }: { readonly budget: AgentBudget; readonly pauseOnError: PauseOnError },
): AgentSandbox {
  const { execution, task, idle_timeout, queues, state, forkedAt } = input;
  let creating: Promise<SandboxName> | undefined =
    state?.sandbox === undefined ? undefined : Promise.resolve(state.sandbox);
  let current = state?.sandbox;
  let created = state?.sandboxes ?? 0;
  /** The iteration at whose start it was lost last. */
  let lostAtStart: number | undefined;
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

  /**
   * Sandboxes whose workers are all away are renewed by nobody, and end themselves: that is no loss. Only the time can tell;
   * one that was renewed while its agent waited for as long, and is lost then, passes for idle too.
   */
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
    async use(work, startsIteration) {
      for (;;) {
        const name = await create();
        try {
          return await work(name);
        } catch (error) {
          if (!isFailure(error, 'Sandbox.Lost') || isCancellation(error)) throw error;
          const reason = failureMessage(error);
          if (startsIteration !== undefined && startsIteration === lostAtStart) {
            throw lost(
              `The sandbox was lost twice while the code of iteration ${startsIteration} ran: it seems to end it. ${reason}`,
            );
          }
          lostAtStart = startsIteration;
          await sandbox.rebuild(wasIdle() ? { kind: 'idle' } : { kind: 'lost', reason });
        } finally {
          usedAt = Date.now();
        }
      }
    },
    async rebuild(replaced) {
      const before = await create();
      const isLost = replaced.kind === 'lost';
      const cause: RebuildCause = isLost ? { ...replaced, sandbox: before } : { kind: 'evicted', sandbox: before };
      if (isLost) await payForRebuild(replaced.reason);
      const { rebuildSandbox } = runActivities({
        ...sandboxQueue(queues),
        summary: `rebuild the sandbox, which was ${replaced.kind}`,
        cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
      });
      const result = await rebuildSandbox({ execution, task, cause });
      if (isLost && result.kind === 'refused') budget.settle({ unused: { sandboxes: 1 } });
      current = rebuilt(result);
      if (isLost) created += 1;
      creating = Promise.resolve(current);
      usedAt = Date.now();
    },
  };
  return sandbox;
}

function rebuilt(result: RebuildSandboxResult): SandboxName {
  if (result.kind === 'refused') throw lost(result.reason);
  return result.sandbox;
}

function lost(message: string): ApplicationFailure {
  return typedFailure('Sandbox.Lost', message);
}
