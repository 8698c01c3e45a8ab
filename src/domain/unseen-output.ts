import type { BlockResult } from './kernel-protocol.ts';
import type { ChainRecord } from './records.ts';

/**
 * FINAL counts only if no earlier block of the same reply printed anything, on stdout or stderr: the model wrote it
 * without having seen that, and often with output that it made up. Otherwise the block has ended there, and the model is
 * told why.
 *
 * @param before records of the agent's chain up to this block; those since its last reply are looked at
 */
export function refuseUnseenFinal(result: BlockResult, before: readonly ChainRecord[]): BlockResult {
  if (result.final === null || !hasUnseenOutput(before)) return result;
  const error =
    'Not finished: an earlier block of the same reply had printed something, which you had not seen when you wrote this. ' +
    'Look at the output above, then finish in your next reply.';
  return { ...result, status: 'error', final: null, error };
}

function hasUnseenOutput(records: readonly ChainRecord[]): boolean {
  const since = records.slice(records.findLastIndex(({ kind }) => kind === 'reply') + 1);
  return since.some(
    (record) => record.kind === 'block' && `${record.result.stdout}${record.result.stderr}`.trim() !== '',
  );
}
