import { condition } from '@temporalio/workflow';
import type { Span } from '../domain/presence.ts';

/** A time limit whose clock stands still while the run is paused, and while no worker was up. */
export interface Deadline {
  /** Milliseconds left. Time without a worker is taken off it when the limit seems to be reached. */
  readonly remaining: number;
  /** The limit, in milliseconds; may be changed while it is waited for. */
  set(milliseconds: number): void;
  /** True when `done` became true in time, false at the deadline. */
  until(done: () => boolean): Promise<boolean>;
}

export interface DeadlineClock {
  readonly isPaused: () => boolean;
  /** Milliseconds of these spans in which no worker was up. */
  readonly absence: (during: readonly Span[]) => Promise<number>;
}

export function createDeadline({ isPaused, absence }: DeadlineClock): Deadline {
  let limit = 0;
  let changes = 0;
  /** Milliseconds that count for certain. */
  let used = 0;
  /** Stretches that count but for the time without a worker in them. */
  let stretches: Span[] = [];
  let runningSince: number | undefined;
  const current = (): Span[] => (runningSince === undefined ? [] : [{ from: runningSince, to: Date.now() }]);
  const remaining = (): number => limit - used - total([...stretches, ...current()]);

  /** Whether time is left once the time without a worker is known. */
  async function isLeft(): Promise<boolean> {
    if (remaining() > 0) return true;
    const asked = stretches;
    const absent = await absence(asked);
    used += Math.max(0, total(asked) - absent);
    stretches = stretches.slice(asked.length);
    return remaining() > 0;
  }

  return {
    get remaining() {
      return Math.max(0, remaining());
    },
    set(milliseconds) {
      limit = milliseconds;
      changes += 1;
    },
    async until(done) {
      while (!done()) {
        if (isPaused()) {
          await condition(() => done() || !isPaused());
          continue;
        }
        const before = changes;
        runningSince = Date.now();
        await condition(() => done() || isPaused() || changes !== before, Math.max(1, remaining()));
        stretches = [...stretches, ...current()];
        runningSince = undefined;
        if (!done() && !(await isLeft()) && !done()) return false;
      }
      return true;
    },
  };
}

function total(spans: readonly Span[]): number {
  return spans.reduce((sum, { from, to }) => sum + to - from, 0);
}
