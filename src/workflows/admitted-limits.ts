import { acceptedLimits, highestLimits, type BudgetLimits, type RunLimits } from '../domain/budget.ts';
import type { BudgetMessage } from '../domain/messages.ts';
import { runActivities } from './activities.ts';
import { isFailure } from './failure.ts';

/**
 * What a message changes. Anybody who reaches Temporal can send one, so what is above the ceilings, and above the limits in
 * force, takes the word of the worker's own user.
 */
export async function admittedLimits<Limits extends BudgetLimits>(
  message: BudgetMessage,
  { ceilings, limits }: { readonly ceilings: Limits; readonly limits: Limits },
): Promise<Partial<RunLimits>> {
  const asked = acceptedLimits(message);
  const capped = acceptedLimits(message, highestLimits(ceilings, limits));
  const isAbove = Object.entries(capped).some(([name, value]) => asked[name as keyof RunLimits] !== value);
  if (!isAbove || typeof message.grant !== 'string') return capped;
  try {
    await runActivities({ summary: 'look for the grant of new limits' }).admitBudget(message);
    return asked;
  } catch (error) {
    if (!isFailure(error, 'Input.NotAllowed')) throw error;
    return capped;
  }
}
