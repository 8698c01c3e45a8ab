/** At most so many at the same time; who comes first is served first. */
export interface Slots {
  /** @returns what gives the slot back; calling it again does nothing. @throws the signal's reason when it fires first */
  acquire(signal?: AbortSignal): Promise<() => void>;
  readonly taken: number;
  readonly waiting: number;
}

/** @param limit absent: no limit, only counted */
export function createSlots(limit = Number.POSITIVE_INFINITY): Slots {
  const queue = new Set<() => void>();
  let taken = 0;

  function take(): () => void {
    taken += 1;
    let given = false;
    return () => {
      if (given) return;
      given = true;
      taken -= 1;
      const [next] = queue;
      if (next !== undefined && taken < limit) next();
    };
  }

  return {
    get taken() {
      return taken;
    },
    get waiting() {
      return queue.size;
    },
    acquire(signal) {
      if (taken < limit && queue.size === 0) return Promise.resolve(take());
      return new Promise((resolve, reject) => {
        const leave = (): void => {
          queue.delete(next);
          signal?.removeEventListener('abort', abort);
        };
        const next = (): void => {
          leave();
          resolve(take());
        };
        const abort = (): void => {
          leave();
          reject(signal?.reason as Error);
        };
        if (signal?.aborted === true) return abort();
        queue.add(next);
        signal?.addEventListener('abort', abort, { once: true });
      });
    },
  };
}
