import {
  allHandlersFinished,
  CancellationScope,
  condition,
  continueAsNew,
  defineQuery,
  defineSignal,
  getExternalWorkflowHandle,
  isCancellation,
  setHandler,
  setWorkflowOptions,
  uuid4,
  workflowInfo,
} from '@temporalio/workflow';
import {
  left,
  openBudget,
  type BudgetGrant,
  type BudgetLimits,
  type BudgetRequest,
  type BudgetSettlement,
  type Spent,
} from '../domain/budget.ts';
import { budgetWorkflowId } from '../domain/ids.ts';
import { grantedSignal, reserveSignal, setBudgetMessage, settleSignal, spentQuery } from '../domain/messages.ts';
import { createBudgetClient, type BudgetClient } from './budget-client.ts';
import { createBudgetService, type BudgetState } from './budget-service.ts';

export const reserveMessage = defineSignal<[BudgetRequest]>(reserveSignal);
export const settleMessage = defineSignal<[BudgetSettlement]>(settleSignal);
export const grantedMessage = defineSignal<[BudgetGrant]>(grantedSignal);
export const setLimits = defineSignal<[Partial<BudgetLimits>]>(setBudgetMessage);

export interface BudgetInput {
  readonly limits: BudgetLimits;
  /** Set by the workflow itself when it continues as new. */
  readonly state?: BudgetState;
}

/** Answer of the query `spent`. */
interface BudgetReport {
  readonly limits: BudgetLimits;
  readonly used: Spent;
  /** `usd` only where the run has a `max_cost`. */
  readonly left: Partial<Spent>;
}

setWorkflowOptions({ failureExceptionTypes: [Error] }, budget);
/** What a run may still spend. Runs until the run cancels it at its end; has no children. */
export async function budget(input: BudgetInput): Promise<void> {
  const service = createBudgetService(input.state ?? { budget: openBudget(input.limits), messages: [] }, (to, grant) =>
    deliver(to, grantedMessage, [grant]),
  );
  setHandler(reserveMessage, (request) => service.receive({ kind: 'reserve', request }));
  setHandler(settleMessage, (settlement) => service.receive({ kind: 'settle', settlement }));
  setHandler(setLimits, (changes) => service.receive({ kind: 'limits', changes }));
  setHandler(defineQuery<BudgetReport>(spentQuery), () => {
    const { limits, used } = service.budget;
    return { limits, used, left: left(service.budget) };
  });
  try {
    await condition(() => workflowInfo().continueAsNewSuggested);
    const state = await service.stop();
    await condition(allHandlersFinished);
    await continueAsNew<typeof budget>({ limits: state.budget.limits, state });
  } catch (error) {
    if (!isCancellation(error)) throw error;
  }
}

/** The client of an agent's workflow; sets the handler of the signal `granted`. */
export function connectToBudget(run: string): BudgetClient {
  const { workflowId } = workflowInfo();
  const budgetId = budgetWorkflowId(run);
  const client = createBudgetClient(workflowId, {
    reserve: (request) => deliver(budgetId, reserveMessage, [request]),
    settle: (settlement) => deliver(budgetId, settleMessage, [settlement]),
    async until(done, milliseconds) {
      if (milliseconds !== undefined) return condition(done, milliseconds);
      await condition(done);
      return true;
    },
    detached: (work) => CancellationScope.nonCancellable(work),
    // The seed of random numbers is another after a reset.
    nonce: () => uuid4().slice(0, 8),
  });
  setHandler(grantedMessage, (grant) => client.receive(grant));
  return client;
}

/** False when the receiver has ended, or does not exist. */
async function deliver<Args extends unknown[]>(
  workflowId: string,
  signal: ReturnType<typeof defineSignal<Args>>,
  args: Args,
): Promise<boolean> {
  try {
    await getExternalWorkflowHandle(workflowId).signal(signal, ...args);
    return true;
  } catch {
    return false;
  }
}
