import {
  allHandlersFinished,
  CancellationScope,
  condition,
  continueAsNew,
  defineQuery,
  defineSignal,
  isCancellation,
  setHandler,
  setWorkflowOptions,
  workflowInfo,
} from '@temporalio/workflow';
import {
  countedLimits,
  left,
  openBudget,
  type Budget,
  type BudgetGrant,
  type BudgetLimits,
  type BudgetRequest,
  type BudgetSettlement,
  type Spent,
} from '../domain/budget.ts';
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
import { deliver } from './deliver.ts';
import { createBudgetService, type BudgetState } from './budget-service.ts';
import { createIgnoredMessages, ignoreOtherSignals, onSignal, type IgnoredMessages } from './messages.ts';
import { refuseUnlessChild } from './refuse-unless-child.ts';

export const reserveMessage = defineSignal<[BudgetRequest]>(reserveSignal);
export const settleMessage = defineSignal<[BudgetSettlement]>(settleSignal);
const grantedMessage = defineSignal<[BudgetGrant]>(grantedSignal);
export const setLimits = defineSignal<[BudgetMessage]>(setBudgetMessage);

export interface BudgetInput {
  readonly limits: BudgetLimits;
  /** What only the user of a worker can raise the limits above. */
  readonly ceilings: BudgetLimits;
  /** Set by the workflow itself when it continues as new. */
  readonly state?: BudgetState;
}

/** Answer of the query `spent`, and what the workflow returns. */
export interface BudgetReport {
  readonly limits: BudgetLimits;
  /** `usd` only where the run has a `max_cost`: else it is not counted. */
  readonly used: Partial<Spent>;
  readonly left: Partial<Spent>;
  /** Messages that were ignored, the newest last. */
  readonly notes: readonly string[];
}

function report(state: Budget, { notes }: IgnoredMessages): BudgetReport {
  const { limits, used } = state;
  const { usd, ...counts } = used;
  return { limits, used: { ...counts, ...(limits.max_cost === undefined ? {} : { usd }) }, left: left(state), notes };
}

setWorkflowOptions({ failureExceptionTypes: [Error] }, budget);
/** What a run may still spend. Ends when its run cancels it, and says what was used; has no children. */
export async function budget(input: BudgetInput): Promise<BudgetReport> {
  refuseUnlessChild();
  const service = createBudgetService(input.state ?? { budget: openBudget(input.limits), messages: [] }, (to, grant) =>
    // Not with the run that is cancelled: an agent that has ended must not be told from one that has not by that.
    CancellationScope.nonCancellable(() => deliver(to, grantedMessage, [grant])),
  );
  const { run } = splitAgentWorkflowId(workflowInfo().workflowId);
  const isOfRun = ({ from }: { readonly from: string }): boolean => from.startsWith(`${run}/`);
  const ignored = createIgnoredMessages();
  const setLimitsTo = async (message: BudgetMessage): Promise<void> => {
    const changes = await admittedLimits(message, { ceilings: input.ceilings, limits: service.budget.limits });
    service.receive({ kind: 'limits', changes: countedLimits(changes) });
  };
  // One after another, and before what comes after them, however long it takes to look for a grant.
  let limitsSet = Promise.resolve();
  onSignal<BudgetMessage>(setBudgetMessage, ignored, {
    description: 'From the run: other limits. To be sent to the run, which passes them on',
    apply: (message) => (limitsSet = limitsSet.then(() => setLimitsTo(message))),
  });
  onSignal<BudgetRequest>(reserveSignal, ignored, {
    description: 'From an agent: what it is about to use',
    async apply(request) {
      await limitsSet;
      if (isOfRun(request)) service.receive({ kind: 'reserve', request });
    },
  });
  onSignal<BudgetSettlement>(settleSignal, ignored, {
    description: 'From an agent: what it has used, and what not',
    async apply(settlement) {
      await limitsSet;
      if (isOfRun(settlement)) service.receive({ kind: 'settle', settlement });
    },
  });
  ignoreOtherSignals(ignored, [setBudgetMessage]);
  const description =
    'What the run has used of its budget and what is left. USD are counted where it has a max_cost; what any run has cost so far is in the status of the run';
  setHandler(defineQuery<BudgetReport>(spentQuery), () => report(service.budget, ignored), { description });
  try {
    await condition(() => workflowInfo().continueAsNewSuggested);
    const state = await service.stop();
    await condition(allHandlersFinished);
    return await continueAsNew<typeof budget>({ ...input, limits: state.budget.limits, state });
  } catch (error) {
    if (!isCancellation(error)) throw error;
    return report(service.budget, ignored);
  }
}
