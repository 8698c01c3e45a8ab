/** What all agents of a run together may use over its lifetime: this part of the setting `rlm`. */
export interface BudgetLimits {
  readonly max_sandboxes: number;
  readonly max_llm_calls: number;
  /** USD. Absent: no limit, and no agent asks for model calls. */
  readonly max_cost?: number;
}

/** Those of a run's limits that its budget counts. */
export function budgetLimits({ max_sandboxes, max_llm_calls, max_cost }: BudgetLimits): BudgetLimits {
  return { max_sandboxes, max_llm_calls, ...(max_cost === undefined ? {} : { max_cost }) };
}

/** What a person may change of a run that is open: its budget, and the seconds it may take. */
export interface RunLimits extends BudgetLimits {
  readonly global_timeout: number;
}

export function runLimits({ global_timeout, ...limits }: RunLimits): RunLimits {
  return { ...budgetLimits(limits), global_timeout };
}

/** Those of changed limits that the budget counts. */
export function countedLimits({ max_sandboxes, max_llm_calls, max_cost }: Partial<RunLimits>): Partial<BudgetLimits> {
  return {
    ...(max_sandboxes === undefined ? {} : { max_sandboxes }),
    ...(max_llm_calls === undefined ? {} : { max_llm_calls }),
    ...(max_cost === undefined ? {} : { max_cost }),
  };
}

/** What an agent asks for and gets. */
export interface Amounts {
  readonly sandboxes: number;
  /** Prompts of `llm_query`. */
  readonly llm_calls: number;
  /** Calls of any model, each to be paid for from `max_cost`. */
  readonly model_calls: number;
}

export const NOTHING: Amounts = { sandboxes: 0, llm_calls: 0, model_calls: 0 };

export interface BudgetRequest extends Partial<Amounts> {
  /** Unique. The same id again is the same request, and counts once. */
  readonly id: string;
  /** Workflow id of the agent that asks. It makes its next request when it has heard of this one, or withdrawn it. */
  readonly from: string;
}

/** The answer to a request: as much of it as was left. */
export interface BudgetGrant extends Amounts {
  readonly id: string;
  /** The limits in force: they may have been changed since the run began. */
  readonly limits: BudgetLimits;
}

/** What became of grants. */
export interface BudgetSettlement {
  /** Unique. The same id again is the same settlement, and counts once. */
  readonly id: string;
  readonly from: string;
  /** Granted, and not used. */
  readonly unused?: Partial<Amounts>;
  /** Model calls that were made, and what they cost together. */
  readonly paid?: { readonly model_calls: number; readonly usd: number };
  /** Id of the sender's last request, whose grant it no longer waits for. */
  readonly withdraw?: string;
}

export interface Spent {
  readonly sandboxes: number;
  readonly llm_calls: number;
  readonly usd: number;
}

export interface Budget {
  readonly limits: BudgetLimits;
  /** Sandboxes and `llm_query` calls that were granted, less those given back; USD that was paid. */
  readonly used: Spent;
  /** Of those that USD was granted for. */
  readonly modelCalls: { readonly paid: number; readonly inFlight: number };
  /** Requests for model calls that wait for a price, or for the cost of calls in flight; in order of arrival. */
  readonly waiting: readonly WaitingRequest[];
  /** By workflow id; those heard of last come last. */
  readonly senders: Readonly<Record<string, Sender>>;
}

interface WaitingRequest {
  readonly id: string;
  readonly from: string;
  readonly model_calls: number;
  /** What has been granted already. */
  readonly granted: Amounts;
}

/** The last messages of an agent, by which a repeated one is recognised. */
interface Sender {
  /** `granted` is absent while the request waits. */
  readonly request?: { readonly id: string; readonly granted?: Amounts };
  /** Id of the last settlement. */
  readonly settled?: string;
}

/** A grant and the agent it is for. */
export interface Delivery {
  readonly to: string;
  readonly grant: BudgetGrant;
  /** The agent asked again: a grant of the same id was sent before. */
  readonly repeated?: true;
}

/** The budget after a message, and the grants to be sent. */
export interface BudgetStep {
  readonly budget: Budget;
  readonly deliveries: readonly Delivery[];
}

/** The budget of a run that begins: the root agent's sandbox counts. */
export function openBudget(limits: BudgetLimits): Budget {
  return {
    limits,
    used: { sandboxes: 1, llm_calls: 0, usd: 0 },
    modelCalls: { paid: 0, inFlight: 0 },
    waiting: [],
    senders: {},
  };
}

/** Grants as many as are left, in order of arrival. */
export function reserve(budget: Budget, request: BudgetRequest): BudgetStep {
  const { id, from, model_calls = 0 } = request;
  if (budget.senders[from]?.request?.id === id) return repeat(budget, request);
  // What its sender waited for before it was reset is not waited for any more.
  const before = budget.waiting.find((each) => each.from === from);
  const current = before === undefined ? budget : withdrawRequest(budget, from, before.id);
  const { limits, used } = current;
  const granted: Amounts = {
    sandboxes: upTo(limits.max_sandboxes - used.sandboxes, request.sandboxes),
    llm_calls: upTo(limits.max_llm_calls - used.llm_calls, request.llm_calls),
    model_calls: 0,
  };
  const counted = rememberRequest(use(current, granted), from, { id });
  return answerWaiting({ ...counted, waiting: [...counted.waiting, { id, from, model_calls, granted }] });
}

/** Counts what was paid and what comes back; requests that waited for it are answered. */
export function settle(budget: Budget, settlement: BudgetSettlement): BudgetStep {
  const { id, from, unused, paid, withdraw } = settlement;
  if (budget.senders[from]?.settled === id) return { budget, deliveries: [] };
  let settled = release(remember(budget, from, { settled: id }), { ...NOTHING, ...unused });
  if (paid !== undefined) settled = pay(settled, paid);
  return answerWaiting(withdraw === undefined ? settled : withdrawRequest(settled, from, withdraw));
}

/**
 * The limits of a message that somebody sent: what is no number is left out, and none is above its ceiling.
 *
 * @param ceilings - what a run that was started by others may be given at most
 */
export function acceptedLimits(message: unknown, ceilings: Partial<RunLimits> = {}): Partial<RunLimits> {
  const given = (typeof message === 'object' && message !== null ? message : {}) as Record<string, unknown>;
  const accepted = (['max_sandboxes', 'max_llm_calls', 'max_cost', 'global_timeout'] as const).flatMap((name) => {
    const value = given[name];
    if (typeof value !== 'number' || !Number.isFinite(value) || value < 0) return [];
    const whole = name === 'max_cost' ? value : Math.floor(value);
    return [[name, Math.min(whole, ceilings[name] ?? Infinity)] as const];
  });
  return Object.fromEntries(accepted);
}

/** The greater of two, limit by limit. One that is absent limits nothing. */
export function highestLimits<Limits extends BudgetLimits>(
  one: Limits,
  other: Limits,
): BudgetLimits & Partial<RunLimits> {
  const max_cost = Math.max(one.max_cost ?? Infinity, other.max_cost ?? Infinity);
  const timeouts = [one, other].flatMap((limits) =>
    'global_timeout' in limits ? [Number(limits.global_timeout)] : [],
  );
  return {
    max_sandboxes: Math.max(one.max_sandboxes, other.max_sandboxes),
    max_llm_calls: Math.max(one.max_llm_calls, other.max_llm_calls),
    ...(max_cost === Infinity ? {} : { max_cost }),
    ...(timeouts.length === 0 ? {} : { global_timeout: Math.max(...timeouts) }),
  };
}

/** Other limits. One below what is used grants nothing more. A run that began without `max_cost` gets none. */
export function changeLimits(budget: Budget, changes: Partial<BudgetLimits>): BudgetStep {
  const { max_cost, ...counts } = changes;
  const cost = budget.limits.max_cost === undefined || max_cost === undefined ? {} : { max_cost };
  return answerWaiting({ ...budget, limits: { ...budget.limits, ...counts, ...cost } });
}

/** A grant that could not be delivered, because its agent has ended, is unused. */
export function notDelivered(budget: Budget, { to, grant, repeated }: Delivery): BudgetStep {
  // The agent may have used what it got the first time.
  if (repeated === true) return { budget, deliveries: [] };
  return answerWaiting(withdrawRequest(budget, to, grant.id));
}

/** What may still be used. USD only where there is a limit. */
export function left({ limits, used }: Budget): Partial<Spent> {
  return {
    sandboxes: Math.max(0, limits.max_sandboxes - used.sandboxes),
    llm_calls: Math.max(0, limits.max_llm_calls - used.llm_calls),
    ...(limits.max_cost === undefined ? {} : { usd: Math.max(0, limits.max_cost - used.usd) }),
  };
}

export function sandboxesUsedUp({ max_sandboxes }: BudgetLimits): string {
  return `the sandbox budget is used up (rlm.max_sandboxes: ${max_sandboxes} for the whole run)`;
}

export function promptsUsedUp({ max_llm_calls }: BudgetLimits): string {
  return `the budget of llm_query calls is used up (rlm.max_llm_calls: ${max_llm_calls} for the whole run)`;
}

export function costUsedUp({ max_cost }: BudgetLimits): string {
  return `the budget of $${max_cost} for model calls is used up (rlm.max_cost)`;
}

/** Why nothing more can be granted when the workflow that counts has ended. */
export const BUDGET_ENDED =
  'The workflow that counts the budget of this run has ended, so nothing more can be granted.';

/** Senders that are remembered when the budget continues as new: far more than may repeat a message then. */
const MAX_SENDERS = 2000;

/** The budget without what it need not remember. */
export function compactBudget(budget: Budget): Budget {
  return { ...budget, senders: Object.fromEntries(Object.entries(budget.senders).slice(-MAX_SENDERS)) };
}

/**
 * A request that is asked again gets the same grant again. One that still waits is not left to wait for agents that may
 * be gone: it gets one model call while any USD is left.
 */
function repeat(budget: Budget, { id, from }: BudgetRequest): BudgetStep {
  const waiting = budget.waiting.find((each) => each.from === from && each.id === id);
  if (waiting !== undefined) {
    const granted = { ...waiting.granted, model_calls: isExhausted(budget) ? 0 : 1 };
    return answer(budget, waiting, granted);
  }
  const granted = budget.senders[from]?.request?.granted ?? NOTHING;
  return { budget, deliveries: [{ to: from, grant: { id, ...granted, limits: budget.limits }, repeated: true }] };
}

/** Answers what waits, in order of arrival, as far as that can be decided. */
function answerWaiting(budget: Budget): BudgetStep {
  let state = budget;
  const deliveries: Delivery[] = [];
  for (const waiting of budget.waiting) {
    const affordable = waiting.model_calls === 0 ? 0 : affordableCalls(state, waiting.model_calls);
    if (affordable === undefined) continue;
    const step = answer(state, waiting, { ...waiting.granted, model_calls: affordable });
    state = step.budget;
    deliveries.push(...step.deliveries);
  }
  return { budget: state, deliveries };
}

function answer(budget: Budget, { id, from }: WaitingRequest, granted: Amounts): BudgetStep {
  const { limits, modelCalls } = budget;
  const counted = {
    ...budget,
    modelCalls: { ...modelCalls, inFlight: modelCalls.inFlight + granted.model_calls },
    waiting: budget.waiting.filter((each) => each.from !== from || each.id !== id),
  };
  return {
    budget: rememberRequest(counted, from, { id, granted }),
    deliveries: [{ to: from, grant: { id, ...granted, limits } }],
  };
}

/**
 * How many of `wanted` model calls USD is left for at the mean price so far, those in flight counted, and one while
 * anything is left. Undefined while that depends on calls in flight: on the first one for its price, or on all of them
 * where they may use up what is left.
 */
function affordableCalls(budget: Budget, wanted: number): number | undefined {
  const { max_cost } = budget.limits;
  const { paid, inFlight } = budget.modelCalls;
  if (max_cost === undefined) return wanted;
  if (isExhausted(budget)) return 0;
  if (paid === 0) return inFlight === 0 ? 1 : undefined;
  const price = budget.used.usd / paid;
  if (price === 0) return wanted;
  const usd = max_cost - budget.used.usd - inFlight * price;
  if (usd <= roundingError(max_cost)) return undefined;
  return Math.min(wanted, Math.max(1, Math.floor(usd / price + 1e-9)));
}

function isExhausted({ limits: { max_cost }, used }: Budget): boolean {
  return max_cost !== undefined && max_cost - used.usd <= roundingError(max_cost);
}

/** Sums of decimal fractions are not exact: less than this is nothing. */
function roundingError(usd: number): number {
  return usd * 1e-9;
}

function withdrawRequest(budget: Budget, from: string, id: string): Budget {
  const waiting = budget.waiting.find((each) => each.from === from && each.id === id);
  const last = budget.senders[from]?.request;
  const granted = waiting?.granted ?? (last?.id === id ? last.granted : undefined);
  if (granted === undefined) return budget;
  const without = { ...budget, waiting: budget.waiting.filter((each) => each !== waiting) };
  return rememberRequest(release(without, granted), from, { id, granted: NOTHING });
}

function use(budget: Budget, amounts: Amounts): Budget {
  const { used, modelCalls } = budget;
  return {
    ...budget,
    used: {
      ...used,
      sandboxes: used.sandboxes + amounts.sandboxes,
      llm_calls: used.llm_calls + amounts.llm_calls,
    },
    modelCalls: { ...modelCalls, inFlight: modelCalls.inFlight + amounts.model_calls },
  };
}

/** Never more than was used. */
function release(budget: Budget, { sandboxes, llm_calls, model_calls }: Amounts): Budget {
  const { used, modelCalls } = budget;
  return use(budget, {
    sandboxes: -Math.min(sandboxes, used.sandboxes),
    llm_calls: -Math.min(llm_calls, used.llm_calls),
    model_calls: -Math.min(model_calls, modelCalls.inFlight),
  });
}

function pay(budget: Budget, { model_calls, usd }: { readonly model_calls: number; readonly usd: number }): Budget {
  const { used, modelCalls } = budget;
  return {
    ...budget,
    // Costs are sums of decimal fractions of a cent: keep them readable.
    used: { ...used, usd: Math.round((used.usd + usd) * 1e9) / 1e9 },
    modelCalls: { paid: modelCalls.paid + model_calls, inFlight: modelCalls.inFlight - model_calls },
  };
}

function rememberRequest(budget: Budget, from: string, request: NonNullable<Sender['request']>): Budget {
  return remember(budget, from, { request });
}

function remember(budget: Budget, from: string, message: Sender): Budget {
  const { [from]: known, ...others } = budget.senders;
  return { ...budget, senders: { ...others, [from]: { ...known, ...message } } };
}

function upTo(available: number, wanted = 0): number {
  return Math.max(0, Math.min(wanted, available));
}
