import type { BatchState } from '../../domain/batch.ts';
import { formatClock, formatCost } from '../live/format.ts';

/** How far it is, with the time left as the items since `first` took. */
export function progressLine(state: BatchState, first: BatchState | undefined, elapsedMs: number): string {
  const left = timeLeft(state, first, elapsedMs);
  return [describeProgress(state), ...(left === undefined ? [] : [`about ${formatClock(left)} left`])].join(', ');
}

/** How far it is. */
export function describeProgress(state: BatchState): string {
  if (state.status === 'starting') return 'reading the items';
  const done = doneOf(state);
  const failed = state.counts.failed + state.counts.kept_failed;
  return [
    `${done} of ${state.total} done`,
    ...(failed === 0 ? [] : [`${failed} failed`]),
    state.status === 'paused'
      ? `paused${state.reason === null ? '' : ` (${state.reason})`}`
      : `${state.running.length} running`,
    ...(state.cost === 0 ? [] : [formatCost(state.cost)]),
  ].join(', ');
}

function timeLeft(state: BatchState, first: BatchState | undefined, elapsedMs: number): number | undefined {
  if (first === undefined || state.status !== 'running') return undefined;
  const [done, since] = [doneOf(state), doneOf(state) - doneOf(first)];
  return since === 0 || done === state.total ? undefined : (elapsedMs / since) * (state.total - done);
}

function doneOf({ counts }: BatchState): number {
  return counts.completed + counts.failed + counts.kept_completed + counts.kept_failed;
}
