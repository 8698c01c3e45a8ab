const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
export type Interrupt = (typeof SIGNALS)[number];

/** Signals to this process as values to wait for, in the order they came. */
export interface Interrupts {
  /** The next signal that has not been handled yet. */
  next(): Promise<Interrupt>;
  /** Signals act as they do by default again. */
  close(): void;
}

export function catchInterrupts(): Interrupts {
  const queued: Interrupt[] = [];
  let waiting: { promise: Promise<Interrupt>; resolve: (signal: Interrupt) => void } | undefined;
  const handlers = SIGNALS.map((signal) => {
    const handler = (): void => {
      if (waiting === undefined) queued.push(signal);
      else waiting.resolve(signal);
      waiting = undefined;
    };
    process.on(signal, handler);
    return { signal, handler };
  });
  return {
    next() {
      const first = queued.shift();
      if (first !== undefined) return Promise.resolve(first);
      waiting ??= Promise.withResolvers<Interrupt>();
      return waiting.promise;
    },
    close() {
      for (const { signal, handler } of handlers) process.off(signal, handler);
    },
  };
}
