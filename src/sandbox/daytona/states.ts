import type { Daytona, Sandbox } from '@daytonaio/sdk';
import { statusOf } from './calls.ts';

/** By its name or Daytona's own id; undefined where there is none. */
export async function findSandbox(client: Daytona, id: string): Promise<Sandbox | undefined> {
  try {
    return await client.get(id);
  } catch (error) {
    if (statusOf(error) === 404) return undefined;
    throw error;
  }
}

/** Whether it runs no more and never will: what was in it is lost. */
export function isOver({ state }: Pick<Sandbox, 'state'>): boolean {
  return state === undefined || OVER.has(state);
}

const OVER: ReadonlySet<string> = new Set([
  'stopped',
  'stopping',
  'destroyed',
  'destroying',
  'error',
  'build_failed',
  'archived',
  'archiving',
  'paused',
  'pausing',
  'unknown',
]);
