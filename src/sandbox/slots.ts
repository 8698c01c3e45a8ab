import pLimit from 'p-limit';

/** At most so many at the same time, first come, first served. */
export interface Slots {
  /** @returns what gives the slot back; calling it again does nothing. @throws the signal's reason when it fires first */
  acquire(signal?: AbortSignal): Promise<() => void>;
  readonly taken: number;
  readonly waiting: number;
}

/** @param limit absent: no limit, only counted */
export function createSlots(limit = Number.POSITIVE_INFINITY): Slots {
  const slots = pLimit(limit);
  let abandoned = 0;
  return {
    get taken() {
      return slots.activeCount;
    },
    get waiting() {
      return slots.pendingCount - abandoned;
    },
    acquire: (signal) =>
      new Promise((resolve, reject) => {
        signal?.throwIfAborted();
        const abort = (): void => {
          abandoned += 1;
          reject(signal?.reason as Error);
        };
        signal?.addEventListener('abort', abort, { once: true });
        void slots(() => {
          signal?.removeEventListener('abort', abort);
          if (signal?.aborted !== true) return new Promise<void>((release) => resolve(release));
          abandoned -= 1;
          return undefined;
        });
      }),
  };
}
