import { ROOT_AGENT } from '../domain/ids.ts';
import type { RunReference } from '../domain/records.ts';

/** What a run began with that took up the work of another, in a few words. */
export function describeOrigin({
  run,
  agent,
  iteration,
}: Omit<NonNullable<RunReference['from']>, 'execution'>): string {
  const whose = agent === ROOT_AGENT ? run : `agent ${agent} of ${run}`;
  return iteration === 0 ? `continues ${whose} from its task` : `continues ${whose} after iteration ${iteration}`;
}
