import { activityInfo } from '@temporalio/activity';
import type { Activities } from '../domain/contract.ts';
import { absence } from '../domain/presence.ts';
import type { ActivityDependencies } from './dependencies.ts';

/** Time in which no worker of the run's task queue was up: it does not count against the run's deadline. */
export async function workerAbsence(
  deps: Pick<ActivityDependencies, 'presence'>,
  { during }: Parameters<Activities['workerAbsence']>[0],
): Promise<number> {
  return absence(await deps.presence(activityInfo().taskQueue), during);
}
