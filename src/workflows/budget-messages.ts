import { condition } from '@temporalio/workflow';
import type { RunLimits } from '../domain/budget.ts';
import { budgetWorkflowId } from '../domain/ids.ts';
import { setBudgetMessage, type BudgetMessage } from '../domain/messages.ts';
import { admittedLimits } from './admitted-limits.ts';
import { setLimits } from './budget.ts';
import type { Deadline } from './deadline.ts';
import { deliver } from './deliver.ts';
import { onMessage, type IgnoredMessages } from './messages.ts';
import type { RunStatusKeeper } from './run-status.ts';

/** Lets a person change what a run may spend: its budget, and the time it may take. */
export function onBudgetMessages(
  run: string,
  {
    ignored,
    status,
    deadline,
    isBegun,
    ceilings,
  }: {
    readonly ignored: IgnoredMessages;
    readonly status: RunStatusKeeper;
    readonly deadline: Deadline;
    /** Whether the root agent is there, and the budget with it; messages that come before wait for it. */
    readonly isBegun: () => boolean;
    /** What only the user of a worker can raise limits above. */
    readonly ceilings: () => RunLimits | undefined;
  },
): {
  /** Resolves when those that have come so far count. */
  readonly applied: () => Promise<void>;
} {
  // One after another: signals that are sent at the same time may overtake each other.
  let applied = Promise.resolve();

  async function apply(message: BudgetMessage): Promise<void> {
    await condition(isBegun);
    const { limits } = status;
    const highest = ceilings();
    if (limits === null || highest === undefined) return;
    if (message.max_cost !== undefined && limits.max_cost === undefined)
      ignored.add('max_cost was ignored: the run began without rlm.max_cost, so what it spends is not counted.');
    // The budget checks the grant itself, because anybody could send it this signal.
    const [admitted] = await Promise.all([
      admittedLimits(message, { ceilings: highest, limits }),
      deliver(budgetWorkflowId(run), setLimits, [message]),
    ]);
    const { max_cost, ...others } = admitted;
    // A limit that nothing counts must not be shown as one.
    const changes = limits.max_cost === undefined || max_cost === undefined ? others : { ...others, max_cost };
    for (const [name, value] of Object.entries(changes)) {
      const asked = message[name as keyof RunLimits];
      if (asked !== undefined && value < asked)
        ignored.add(
          `${name} is now ${value}, not ${asked}: more takes rlm budget, with the state folder of the run's worker.`,
        );
    }
    status.setLimits(changes);
    if (changes.global_timeout !== undefined) deadline.set(changes.global_timeout * 1000);
  }

  onMessage<BudgetMessage>(setBudgetMessage, ignored, {
    description:
      'Change what the run may spend. {max_sandboxes?, max_llm_calls?, max_cost?, global_timeout?, id?}; what is left out stays',
    apply(message) {
      const applying = applied.then(() => apply(message));
      // One that cannot be applied holds up none after it.
      applied = applying.catch(() => undefined);
      return applying;
    },
    reply: status.read,
  });
  return { applied: () => applied };
}
