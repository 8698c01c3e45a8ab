import { ApplicationFailure } from '@temporalio/workflow';
import type { LeaseHolder } from './lease-holder.ts';

/** Makes model calls only while there is money for them. */
export interface Spending {
  /** One call. @throws ApplicationFailure `Budget.Exhausted` when nothing of `rlm.max_cost` is left. */
  pay<T extends { readonly cost: number }>(call: () => Promise<T>): Promise<T>;
  /**
   * Many calls of one kind, as many at once as there is money for.
   *
   * @param ask makes those from `from` up to `to`, and tells what each cost.
   * @returns how many were made: fewer than `count` when the money is used up.
   */
  payEach(count: number, ask: (from: number, to: number) => Promise<readonly number[]>): Promise<number>;
  readonly exhausted: string;
}

/**
 * USD is reserved by estimate (what the last call cost, at least a thousandth of the budget) and settled by what the
 * call really cost; so a run may exceed its budget by less than one call of each agent. Of the calls of `payEach` the
 * first is made alone, for its price; the others count as much as the dearest so far.
 *
 * @param maxCost USD for the whole run; absent: nothing is reserved.
 */
export function createSpending(leases: LeaseHolder, maxCost: number | undefined): Spending {
  const exhausted = `the budget of $${maxCost} for model calls is used up (rlm.max_cost)`;
  if (maxCost === undefined) {
    return {
      exhausted,
      pay: (call) => call(),
      payEach: async (count, ask) => {
        await ask(0, count);
        return count;
      },
    };
  }
  const least = maxCost / 1000;
  /** What is left of sums of decimal fractions is nothing. */
  const nothing = maxCost * 1e-9;
  let estimate = least;
  let dearest: number | undefined;
  let scout: Promise<unknown> = Promise.resolve();

  async function reserve(usd: number): Promise<number> {
    const { usd: reserved } = await leases.take({ usd });
    if (reserved > nothing) return reserved;
    leases.settle({ usd: -reserved });
    return 0;
  }

  /** Settles what was reserved by what was spent, however the work ends. */
  async function settling<T>(reserved: number, work: () => Promise<T>, costOf: (result: T) => number): Promise<T> {
    let spent = 0;
    try {
      const result = await work();
      spent = costOf(result);
      return result;
    } finally {
      leases.settle({ usd: spent - reserved });
    }
  }

  async function wave(wanted: number, ask: (calls: number) => Promise<readonly number[]>): Promise<number> {
    const price = dearest ?? least;
    const reserved = await reserve(wanted * price);
    // A remainder that covers no call in full still pays for one: that much may be exceeded.
    const calls = reserved <= 0 ? 0 : Math.max(1, Math.floor(reserved / price + 1e-9));
    const costs = await settling(
      reserved,
      () => (calls === 0 ? Promise.resolve([]) : ask(calls)),
      (each) => each.reduce((sum, cost) => sum + cost, 0),
    );
    dearest = Math.max(least, dearest ?? 0, ...costs);
    return calls;
  }

  return {
    exhausted,
    async pay(call) {
      const reserved = await reserve(estimate);
      if (reserved <= 0)
        throw ApplicationFailure.nonRetryable(
          `${exhausted}; rlm budget <run> --max-cost raises it`,
          'Budget.Exhausted',
        );
      const result = await settling(reserved, call, ({ cost }) => cost);
      estimate = Math.max(least, result.cost);
      return result;
    },
    async payEach(count, ask) {
      let made = 0;
      const askMore = (wanted: number): Promise<number> => wave(wanted, (calls) => ask(made, made + calls));
      while (made < count) {
        let calls: number;
        if (dearest === undefined) {
          // Others wait for the price as well.
          const first = scout.then(() => askMore(dearest === undefined ? 1 : count - made));
          scout = first.catch(() => undefined);
          calls = await first;
        } else calls = await askMore(count - made);
        if (calls === 0) break;
        made += calls;
      }
      return made;
    },
  };
}
