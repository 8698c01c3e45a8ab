import type { RebuildCause } from './contract.ts';
import { ownRecords } from './fork.ts';
import type { ChainRecord } from './records.ts';

/**
 * Whether an agent gets another sandbox.
 *
 * @returns why not, for a person; undefined where it does
 */
export function rebuildRefusal(
  records: readonly ChainRecord[],
  cause: RebuildCause,
  max_rebuilds: number,
): string | undefined {
  // Its host was lost just after the end was recorded: nothing is left to be done in a sandbox.
  if (records.at(-1)?.kind === 'end') return 'The sandbox was lost when its agent had ended.';
  if (cause.kind !== 'lost') return undefined;
  const losses = ownRecords(records).filter((record) => record.kind === 'rebuild' && record.reason !== null).length;
  if (losses < max_rebuilds) return undefined;
  const times = losses === 0 ? 'once' : `${losses + 1} times`;
  return `The sandbox was lost ${times} (sandbox.max_rebuilds: ${max_rebuilds}). ${cause.reason}`;
}
