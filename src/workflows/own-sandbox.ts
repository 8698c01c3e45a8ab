import { ActivityCancellationType, ApplicationFailure } from '@temporalio/workflow';
import type { AgentInput, RebuildSandboxResult, WorkflowLimits } from '../domain/contract.ts';
import { sandboxesUsedUp } from '../domain/budget.ts';
import type { SandboxName } from '../domain/sandbox.ts';
import { runActivities, sandboxQueue } from './activities.ts';
import type { AgentBudget } from './agent-budget.ts';

/** An agent's sandbox, made when it is needed and made again when it is lost. */
export interface OwnSandbox {
  /** Once it is known to be there. */
  readonly name: SandboxName | undefined;
  /** How many were made, those for dropped ones not counted. */
  readonly count: number;
  readonly losses: number;
  readonly generation: number;
  set(name: SandboxName): void;
  /** There will be none. */
  fail(failure: { readonly type: string; readonly message: string }): void;
  /** Makes it, unless that is done or under way. Its failure is the agent's. */
  made(): Promise<SandboxName>;
  /** Once it is made, or has failed; at once where nobody began to make it. */
  settled(): Promise<SandboxName | undefined>;
  /**
   * Makes another one for the one that was lost, in the same state.
   *
   * @param reason undefined when it was dropped on purpose: then it is not counted
   * @throws ApplicationFailure `Sandbox.Lost` when that cannot be.
   */
  rebuild(reason: string | undefined): Promise<RebuildSandboxResult>;
}

export function ownSandbox(input: AgentInput, limits: WorkflowLimits, budget: AgentBudget): OwnSandbox {
  let name = input.resumed?.sandbox;
  let making: Promise<SandboxName> | undefined = name === undefined ? undefined : Promise.resolve(name);
  let generation = input.resumed?.generation ?? 0;
  let losses = input.resumed?.losses ?? 0;

  async function makeAgain(lost: SandboxName, reason: string | undefined): Promise<RebuildSandboxResult> {
    if (reason !== undefined) await payFor(reason);
    generation += 1;
    const activities = runActivities({
      summary: `make the sandbox again (${generation})`,
      cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
    });
    const { execution, task } = input;
    const why = reason === undefined ? {} : { reason };
    return activities.rebuildSandbox({ execution, task, generation, lost, losses, ...why });
  }

  async function payFor(reason: string): Promise<void> {
    const { sandboxes, limits: current } = await budget.reserve({ sandboxes: 1 });
    if (sandboxes === 0) {
      throw ApplicationFailure.nonRetryable(
        `${reason} It was not made again: ${sandboxesUsedUp(current)}.`,
        'Sandbox.Lost',
      );
    }
    losses += 1;
  }

  return {
    get name() {
      return name;
    },
    get losses() {
      return losses;
    },
    get generation() {
      return generation;
    },
    get count() {
      return name === undefined ? 0 : losses + 1;
    },
    set(made) {
      name = made;
      making = Promise.resolve(made);
    },
    fail({ type, message }) {
      making = Promise.reject(ApplicationFailure.nonRetryable(message, type));
      making.catch(() => undefined); // Met where it is awaited.
    },
    made() {
      // Cancelled, it leaves nothing, or what it left is removed at the end.
      making ??= runActivities({
        ...sandboxQueue(limits),
        summary: 'make the sandbox',
        scheduleToCloseTimeout: `${limits.create_timeout}s`,
        cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
      })
        .createSandbox({ execution: input.execution, task: input.task, generation: 0 })
        .then((made) => {
          name = made;
          return made;
        });
      return making;
    },
    settled: async () => making?.catch(() => undefined),
    async rebuild(reason) {
      const rebuilt = await makeAgain(await this.made(), reason);
      this.set(rebuilt.sandbox);
      return rebuilt;
    },
  };
}

/** What the model wrote may have ended its own sandbox: one that dies twice at the same block is not made a third time. */
export interface LossLimit {
  /** @throws ApplicationFailure `Sandbox.Lost` the second time in a row */
  count(block: number, reason: string): void;
}

export function createLossLimit(): LossLimit {
  let last: number | undefined;
  return {
    count(block, reason) {
      if (last === block) {
        throw ApplicationFailure.nonRetryable(
          `The sandbox was lost twice while block ${block} ran: it seems to end it. ${reason}`,
          'Sandbox.Lost',
        );
      }
      last = block;
    },
  };
}
