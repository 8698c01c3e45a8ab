import { ApplicationFailure } from '@temporalio/workflow';
import type { LeaseHolder } from './lease-holder.ts';

/** Makes model calls only while there is money for them. */
export interface Spending {
  /** @throws ApplicationFailure `Budget.Exhausted` when nothing of `rlm.max_cost` is left. */
  pay<T extends { readonly cost: number }>(call: () => Promise<T>): Promise<T>;
}

/**
 * USD is reserved by estimate (what the last call cost, at least a thousandth of the budget) and settled by what the
 * call really cost; so a run may exceed its budget by less than one call of each agent.
 *
 * @param maxCost USD for the whole run; absent: nothing is reserved.
 */
export function createSpending(leases: LeaseHolder, maxCost: number | undefined): Spending {
  if (maxCost === undefined) return { pay: (call) => call() };
  let estimate = maxCost / 1000;
  return {
    async pay(call) {
      const { usd: reserved } = await leases.take({ usd: estimate });
      if (reserved <= 0) {
        throw ApplicationFailure.nonRetryable(
          `the budget of $${maxCost} for model calls is used up (rlm.max_cost)`,
          'Budget.Exhausted',
        );
      }
      try {
        const result = await call();
        estimate = Math.max(maxCost / 1000, result.cost);
        leases.settle({ usd: result.cost - reserved });
        return result;
      } catch (error) {
        leases.settle({ usd: -reserved });
        throw error;
      }
    },
  };
}
