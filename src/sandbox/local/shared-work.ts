/** Work that several ask for at the same time and that is done once; it continues as long as one of them waits for it. */
export class SharedWork {
  readonly #running = new Map<string, Running>();

  /** Who comes while it runs gets the same result, also the same failure; who comes later begins anew. */
  async do(key: string, signal: AbortSignal | undefined, work: (signal: AbortSignal) => Promise<void>): Promise<void> {
    signal?.throwIfAborted();
    const running = this.#running.get(key) ?? this.#start(key, work);
    running.waiting += 1;
    const left = Promise.withResolvers<never>();
    const leave = (): void => left.reject(signal?.reason);
    signal?.addEventListener('abort', leave, { once: true });
    try {
      await Promise.race([running.done, left.promise]);
    } catch (error) {
      // A caller that comes now must not find what is being given up; and what it held must be let go before that is known.
      if (signal?.aborted === true && running.waiting === 1) await this.#giveUp(key, running, signal.reason);
      throw error;
    } finally {
      running.waiting -= 1;
      signal?.removeEventListener('abort', leave);
    }
  }

  #start(key: string, work: (signal: AbortSignal) => Promise<void>): Running {
    const controller = new AbortController();
    const running: Running = { controller, waiting: 0, done: work(controller.signal) };
    this.#running.set(key, running);
    const forget = (): void => {
      if (this.#running.get(key) === running) this.#running.delete(key);
    };
    running.done.then(forget, forget);
    return running;
  }

  async #giveUp(key: string, running: Running, reason: unknown): Promise<void> {
    if (this.#running.get(key) === running) this.#running.delete(key);
    running.controller.abort(reason);
    await running.done.catch(() => undefined);
  }
}

interface Running {
  readonly controller: AbortController;
  readonly done: Promise<void>;
  waiting: number;
}
