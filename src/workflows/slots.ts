import { CancellationScope } from '@temporalio/workflow';

/** Lets at most `size` holders in at a time, in the order they came. Who waits is let go when its scope is cancelled. */
export interface Slots {
  acquire(): Promise<void>;
  release(): void;
}

export function createSlots(size: number): Slots {
  let free = size;
  let queue: (() => void)[] = [];
  return {
    acquire() {
      if (free > 0) {
        free -= 1;
        return Promise.resolve();
      }
      return new Promise((resolve, reject) => {
        queue.push(resolve);
        CancellationScope.current().cancelRequested.catch((error: unknown) => {
          queue = queue.filter((each) => each !== resolve);
          reject(error);
        });
      });
    },
    release() {
      const next = queue.shift();
      if (next === undefined) free += 1;
      else next();
    },
  };
}
