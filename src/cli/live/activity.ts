import type { AgentReference } from '../../domain/records.ts';
import { parentAgent } from '../../domain/ids.ts';
import { plural } from './format.ts';

/** Sub-agents at work, by their parent. */
export function countWorkingChildren(agents: readonly AgentReference[]): ReadonlyMap<string, number> {
  const working = new Map<string, number>();
  for (const { agent, state } of agents) {
    const parent = parentAgent(agent);
    if (parent !== undefined && state !== 'done') working.set(parent, (working.get(parent) ?? 0) + 1);
  }
  return working;
}

const ACTIVITIES: Record<AgentReference['state'], string> = {
  starting: 'preparing its sandbox',
  thinking: 'asking the model',
  running: 'running code',
  waiting: 'waiting for answers',
  closing: 'finishing',
  done: 'done',
};

/** What an agent does now, in a few words. */
export function activity({ state, status }: AgentReference, workingChildren: number): string {
  // Its block is still there, but what it waits for says more.
  if ((state === 'waiting' || state === 'running') && workingChildren > 0)
    return `waiting for ${plural(workingChildren, 'sub-agent')}`;
  if (state === 'done' && status !== undefined && status !== 'completed') return status;
  return ACTIVITIES[state];
}
