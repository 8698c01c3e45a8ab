import type { RunStatus } from './model.ts';

const ENDED: readonly RunStatus[] = ['completed', 'timed_out', 'cancelled', 'failed', 'terminated'];

export function hasEnded(status: RunStatus): boolean {
  return ENDED.includes(status);
}
