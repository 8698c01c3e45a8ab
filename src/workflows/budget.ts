import {
  allHandlersFinished,
  condition,
  continueAsNew,
  defineQuery,
  defineSignal,
  getExternalWorkflowHandle,
  isCancellation,
  setHandler,
  setWorkflowOptions,
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
import { acceptedRequest, acceptedSettlement } from '../domain/budget-messages.ts';
import { splitAgentWorkflowId } from '../domain/ids.ts';
import {
  grantedSignal,
  reserveSignal,
  setBudgetMessage,
  settleSignal,
  spentQuery,
  type BudgetMessage,
} from '../domain/messages.ts';
import { admittedLimits } from './admitted-limits.ts';
import { createBudgetService, type BudgetState } from './budget-service.ts';
import { refuseUnlessChild } from './refuse-unless-child.ts';

export const reserveMessage = defineSignal<[BudgetRequest]>(reserveSignal);
export const settleMessage = defineSignal<[BudgetSettlement]>(settleSignal);
export const grantedMessage = defineSignal<[BudgetGrant]>(grantedSignal);
export const setLimits = defineSignal<[BudgetMessage]>(setBudgetMessage);

export interface BudgetInput {
  readonly limits: BudgetLimits;
  /** What only the user of a worker can raise the limits above. */
  readonly ceilings: BudgetLimits;
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
/** What a run may still spend. Ends with its run; has no children. */
export async function budget(input: BudgetInput): Promise<void> {
  refuseUnlessChild();
  const service = createBudgetService(input.state ?? { budget: openBudget(input.limits), messages: [] }, (to, grant) =>
    deliver(to, grantedMessage, [grant]),
  );
  const { run } = splitAgentWorkflowId(workflowInfo().workflowId);
  setHandler(reserveMessage, (message) => {
    const request = acceptedRequest(message, run);
    if (request !== undefined) service.receive({ kind: 'reserve', request });
  });
  setHandler(settleMessage, (message) => {
    const settlement = acceptedSettlement(message, run);
    if (settlement !== undefined) service.receive({ kind: 'settle', settlement });
  });
  // One after another: the last message counts, however long it takes to look for its grant.
  let limitsSet = Promise.resolve();
  setHandler(setLimits, (message) => {
    limitsSet = limitsSet.then(async () =>
      service.receive({
        kind: 'limits',
        changes: await admittedLimits(message, { ceilings: input.ceilings, limits: service.budget.limits }),
      }),
    );
    return limitsSet;
  });
  setHandler(defineQuery<BudgetReport>(spentQuery), () => {
    const { limits, used } = service.budget;
    return { limits, used, left: left(service.budget) };
  });
  try {
    await condition(() => workflowInfo().continueAsNewSuggested);
    const state = await service.stop();
    await condition(allHandlersFinished);
    await continueAsNew<typeof budget>({ ...input, limits: state.budget.limits, state });
  } catch (error) {
    if (!isCancellation(error)) throw error;
  }
}

/** Sends a signal; false when its receiver has ended, or does not exist. */
export async function deliver<Args extends unknown[]>(
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
