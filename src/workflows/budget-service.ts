import {
  changeLimits,
  compactBudget,
  notDelivered,
  reserve,
  settle,
  type Budget,
  type BudgetGrant,
  type BudgetLimits,
  type BudgetRequest,
  type BudgetSettlement,
  type BudgetStep,
  type Delivery,
} from '../domain/budget.ts';

/** A message to the budget. */
export type MessageToBudget =
  | { readonly kind: 'reserve'; readonly request: BudgetRequest }
  | { readonly kind: 'settle'; readonly settlement: BudgetSettlement }
  | { readonly kind: 'limits'; readonly changes: Partial<BudgetLimits> };

/** The budget and what it has yet to do: all that a next execution needs. */
export interface BudgetState {
  readonly budget: Budget;
  /** Messages that arrived while it stopped. */
  readonly messages: readonly MessageToBudget[];
}

/** Applies messages to a budget and sends the grants. */
export interface BudgetService {
  readonly budget: Budget;
  receive(message: MessageToBudget): void;
  /** Grants nothing more; resolves with what is left to do when no grant is being sent. */
  stop(): Promise<BudgetState>;
}

/** @param send returns false when the agent has ended */
export function createBudgetService(
  state: BudgetState,
  send: (to: string, grant: BudgetGrant) => Promise<boolean>,
): BudgetService {
  let { budget } = state;
  let stopped = false;
  const messages: MessageToBudget[] = [];
  /** By the id of the grant. */
  const sending = new Map<string, Promise<void>>();

  function apply(step: BudgetStep): void {
    budget = step.budget;
    for (const delivery of step.deliveries) {
      const { id } = delivery.grant;
      // One that is on its way arrives, or shows that its agent has ended: a second one could only hide that.
      if (!sending.has(id)) sending.set(id, deliver(delivery));
    }
  }

  async function deliver(delivery: Delivery): Promise<void> {
    const delivered = await send(delivery.to, delivery.grant);
    sending.delete(delivery.grant.id);
    if (!delivered) apply(notDelivered(budget, delivery));
  }

  const service: BudgetService = {
    get budget() {
      return budget;
    },
    receive(message) {
      if (stopped) messages.push(message);
      else apply(stepOf(budget, message));
    },
    async stop() {
      stopped = true;
      // A grant that cannot be delivered is granted to the next that waits.
      // oxlint-disable-next-line no-await-in-loop -- one may bring more
      while (sending.size > 0) await Promise.all(sending.values());
      return { budget: compactBudget(budget), messages };
    },
  };
  for (const message of state.messages) service.receive(message);
  return service;
}

function stepOf(budget: Budget, message: MessageToBudget): BudgetStep {
  if (message.kind === 'reserve') return reserve(budget, message.request);
  if (message.kind === 'settle') return settle(budget, message.settlement);
  return changeLimits(budget, message.changes);
}
