import { costUsedUp, type BudgetLimits } from '../domain/budget.ts';
import type { BudgetClient } from './budget-client.ts';
import { typedFailure } from './failure.ts';

/** Makes model calls that the budget has been asked for. */
export interface PaidCalls {
  /** A call of the agent's own. @throws ApplicationFailure `Budget.Exhausted` when nothing of `rlm.max_cost` is left. */
  payForCall<T extends { readonly cost: number }>(call: () => Promise<T>): Promise<T>;
  /**
   * Prompts of `llm_query`, as many as the budget has calls and USD for.
   *
   * @param ask asks those from `from` up to `to`, and returns what each cost
   */
  payForPrompts(count: number, ask: (from: number, to: number) => Promise<readonly number[]>): Promise<AskedPrompts>;
}

export interface AskedPrompts {
  /** The first so many were asked. */
  readonly asked: number;
  /** So many more were not asked, because `rlm.max_cost` was used up. The rest exceeded `rlm.max_llm_calls`. */
  readonly unpaid: number;
  readonly limits: BudgetLimits;
}

/** @param limited whether the run has a `max_cost`; else a call asks the budget for nothing */
export function createPaidCalls(budget: BudgetClient, limited: boolean): PaidCalls {
  /** Settles `count` model calls, however they end. Of those that are cancelled together none counts as paid. */
  async function paying<T>(count: number, call: () => Promise<T>, costOf: (result: T) => number): Promise<T> {
    if (!limited) return call();
    try {
      const result = await call();
      budget.settle({ paid: { model_calls: count, usd: costOf(result) } });
      return result;
    } catch (error) {
      budget.settle({ unused: { model_calls: count } });
      throw error;
    }
  }

  return {
    async payForCall(call) {
      if (limited) {
        const { model_calls, limits } = await budget.reserve({ model_calls: 1 });
        if (model_calls === 0) {
          throw typedFailure('Budget.Exhausted', costUsedUp(limits));
        }
      }
      return paying(1, call, ({ cost }) => cost);
    },
    async payForPrompts(count, ask) {
      let grant = await budget.reserve({ llm_calls: count, ...(limited ? { model_calls: count } : {}) });
      const granted = grant.llm_calls;
      let affordable = limited ? grant.model_calls : granted;
      let asked = 0;
      try {
        for (;;) {
          const [from, calls] = [asked, Math.min(affordable, granted - asked)];
          if (affordable > calls) budget.settle({ unused: { model_calls: affordable - calls } });
          if (calls === 0) break;
          asked += calls;
          // oxlint-disable-next-line no-await-in-loop -- what these cost decides how many more there may be
          await paying(calls, () => ask(from, from + calls), sum);
          if (asked === granted) break;
          // oxlint-disable-next-line no-await-in-loop -- as above
          grant = await budget.reserve({ model_calls: granted - asked });
          affordable = grant.model_calls;
        }
      } finally {
        if (asked < granted) budget.settle({ unused: { llm_calls: granted - asked } });
      }
      return { asked, unpaid: granted - asked, limits: grant.limits };
    },
  };
}

function sum(costs: readonly number[]): number {
  return costs.reduce((total, cost) => total + cost, 0);
}
