import type { Amounts, BudgetGrant, BudgetRequest, BudgetSettlement } from './budget.ts';
import { isRecord } from './is-record.ts';

/*
 * What comes by signal may be anything: whoever reaches Temporal can send one, by hand too. A message that is none is left
 * out, for a handler that throws would end its workflow, and the run with it.
 */

/** @param run - whose agents may ask */
export function acceptedRequest(message: unknown, run: string): BudgetRequest | undefined {
  return isFromAgent(message, run) && hasAmounts(message) ? (message as unknown as BudgetRequest) : undefined;
}

/** @param run - whose agents may settle */
export function acceptedSettlement(message: unknown, run: string): BudgetSettlement | undefined {
  if (!isFromAgent(message, run)) return undefined;
  const { unused = {}, paid = { model_calls: 0, usd: 0 }, withdraw = '' } = message;
  const isPaid = isRecord(paid) && isCount(paid['model_calls']) && isAmount(paid['usd']);
  return isRecord(unused) && hasAmounts(unused) && isPaid && typeof withdraw === 'string'
    ? (message as unknown as BudgetSettlement)
    : undefined;
}

export function acceptedGrant(message: unknown): BudgetGrant | undefined {
  return isRecord(message) && typeof message['id'] === 'string' && hasAmounts(message) && isRecord(message['limits'])
    ? (message as unknown as BudgetGrant)
    : undefined;
}

function isFromAgent(message: unknown, run: string): message is Record<string, unknown> {
  if (!isRecord(message)) return false;
  const { id, from } = message;
  return typeof id === 'string' && typeof from === 'string' && from.startsWith(`${run}/`);
}

const AMOUNTS = ['sandboxes', 'llm_calls', 'model_calls'] as const satisfies readonly (keyof Amounts)[];

/** None is negative: what is given back would be more than was taken. */
function hasAmounts(value: Readonly<Record<string, unknown>>): boolean {
  return AMOUNTS.every((name) => value[name] === undefined || isCount(value[name]));
}

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && isAmount(value);
}

function isAmount(value: unknown): boolean {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0;
}
