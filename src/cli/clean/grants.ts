import type { Client } from '@temporalio/client';
import type { Mark, PrivateMarks } from '../../config/private-marks.ts';
import { createGrants } from '../../grants.ts';
import { describeWorkflow } from '../../reaper.ts';
import type { JudgedRun } from './runs.ts';

export interface LeftGrant {
  readonly mark: Mark;
  remove(): Promise<void>;
}

/**
 * Grants of runs that are being forgotten, and older ones of runs that neither the store nor the server knows. The state
 * folder may have some of runs elsewhere: those are kept until they are as old as what is forgotten.
 *
 * @param before milliseconds since the epoch
 */
export async function findLeftGrants(
  stateDirectory: string,
  {
    client,
    runs,
    forgotten,
    before,
  }: {
    readonly client: Client;
    readonly runs: readonly JudgedRun[];
    readonly forgotten: readonly JudgedRun[];
    readonly before: number;
  },
): Promise<readonly LeftGrant[]> {
  const gone = new Set(forgotten);
  const known = new Set(runs.filter((run) => !gone.has(run)).map(({ reference }) => reference.run));
  const forgottenRuns = new Set(forgotten.map(({ reference }) => reference.run));
  const isLeft = async ({ note: run, added }: Mark): Promise<boolean> => {
    if (known.has(run)) return false;
    if (forgottenRuns.has(run)) return true;
    return added < before && (await describeWorkflow(client, run)).execution === undefined;
  };
  const leftOf = async (marks: PrivateMarks): Promise<LeftGrant[]> => {
    const left: LeftGrant[] = [];
    for (const mark of await marks.list())
      // oxlint-disable-next-line no-await-in-loop -- a server is asked about few of them
      if (await isLeft(mark)) left.push({ mark, remove: () => marks.remove(mark.hash) });
    return left;
  };
  return (await Promise.all(createGrants(stateDirectory).marks.map(leftOf))).flat();
}
