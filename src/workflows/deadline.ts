import { condition } from '@temporalio/workflow';

/** A time limit whose clock stands still while the run is paused. */
export interface Deadline {
  /** Milliseconds left. */
  readonly remaining: number;
  set(milliseconds: number): void;
  /** True when `done` became true in time, false at the deadline. */
  until(done: () => boolean): Promise<boolean>;
}

export function createDeadline(isPaused: () => boolean): Deadline {
  let left = 0;
  let runningSince: number | undefined;
  const elapsed = (): number => (runningSince === undefined ? 0 : Date.now() - runningSince);
  const stop = (): void => {
    left -= elapsed();
    runningSince = undefined;
  };
  return {
    get remaining() {
      return Math.max(0, left - elapsed());
    },
    set(milliseconds) {
      left = milliseconds;
    },
    async until(done) {
      while (!done()) {
        if (isPaused()) {
          await condition(() => done() || !isPaused());
          continue;
        }
        runningSince = Date.now();
        await condition(() => done() || isPaused(), Math.max(1, left));
        stop();
        if (left <= 0 && !done()) return false;
      }
      return true;
    },
  };
}
