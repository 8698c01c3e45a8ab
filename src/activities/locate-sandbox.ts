import type { LocateSandboxInput } from '../domain/contract.ts';
import { hostTaskQueue } from '../domain/ids.ts';
import { parseHandle } from '../domain/sandbox.ts';
import type { ActivityDependencies, ForAgent } from './dependencies.ts';

/**
 * Whether a sandbox's host is there. That nobody took its work for a while says little: every worker may have been
 * away. The worker that runs this is not; so if it is another host, the sandbox's own should have polled as well.
 */
export async function locateSandbox(
  deps: ActivityDependencies,
  { sandbox, taskQueue }: ForAgent<LocateSandboxInput>,
): Promise<'there' | 'lost'> {
  const { provider, host } = parseHandle(sandbox);
  if (host === undefined || deps.sandboxes(provider).host === host) return 'there';
  const lastPoll = await deps.lastPoll(hostTaskQueue(taskQueue, host));
  return lastPoll !== undefined && Date.now() - lastPoll < deps.hostPatience ? 'there' : 'lost';
}
