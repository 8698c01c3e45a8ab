import type { Activities } from '../domain/contract.ts';
import type { ActivityDependencies } from './dependencies.ts';
import { withHeartbeat } from './with-heartbeat.ts';

/** Tells a person about a run that waits for them. Told twice where a worker is lost at the wrong moment. */
export async function sendNotice(
  deps: Pick<ActivityDependencies, 'notify'>,
  { notice }: Parameters<Activities['sendNotice']>[0],
): Promise<void> {
  await withHeartbeat(() => deps.notify(notice));
}
