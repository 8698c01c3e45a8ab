import { TypedError } from '../domain/failures.ts';

/** Calls of one model in flight at the beginning; doubled with each round that is answered whole. */
const START = 64;
/** The greatest number there will be. What is in flight when the process is killed may have to be asked again. */
const MAX = 500;
/** Share of its time that this process may work while more calls are let in: answers must not wait to be journalled. */
const MAX_UTILIZATION = 0.7;
/** Milliseconds over which that is measured. */
const UTILIZATION_MS = 200;
/** Milliseconds without new calls after a first refusal, doubled with each that follows. */
const FIRST_PAUSE_MS = 250;
/** Longest of these pauses. A hint may ask for more, but not hold up a person who has resumed the run. */
const MAX_PAUSE_MS = 30_000;
const MAX_HINTED_PAUSE_MS = 60_000;
/** Added to a pause, at random: refused calls do not all return at the same moment. */
const JITTER = 0.25;
/** Models and keys that a process remembers the limits of. */
const MAX_KNOWN = 200;

/** How many calls of models this process has in flight. */
export interface ModelLimits {
  readonly taken: number;
  readonly waiting: number;
  /** The calls to one model at one endpoint with one key: what providers limit. */
  of(key: string): ModelLimit;
}

export interface ModelLimit {
  /** When a call was last answered, in milliseconds since the epoch. */
  readonly answeredAt: number | undefined;
  /**
   * Makes a call once there is room for it.
   *
   * @param options.max - `model.max_concurrency`
   * @throws the signal's reason when it fires first
   */
  run<T>(
    call: () => Promise<T>,
    options: { readonly max?: number | undefined; readonly signal: AbortSignal },
  ): Promise<T>;
}

/** @param max - calls of all models together; absent: no limit but those of the models */
export function createModelLimits(max = Number.POSITIVE_INFINITY, clock: () => number = Date.now): ModelLimits {
  const known = new Map<string, AdaptiveLimit>();
  const shared: Shared = {
    clock,
    isBusy: createBusyMeter(),
    taken: 0,
    max,
    onRoom: () => {
      for (const limit of known.values()) limit.startWaiting();
    },
  };
  return {
    get taken() {
      return shared.taken;
    },
    get waiting() {
      return [...known.values()].reduce((sum, { waiting }) => sum + waiting, 0);
    },
    of(key) {
      const limit = known.get(key) ?? new AdaptiveLimit(shared);
      if (known.size >= MAX_KNOWN) for (const [name, { isIdle }] of known) if (isIdle) known.delete(name);
      known.set(key, limit);
      return limit;
    },
  };
}

/** What the limits of all models have in common. */
interface Shared {
  readonly clock: () => number;
  readonly isBusy: () => boolean;
  readonly max: number;
  taken: number;
  /** Called when a call has ended. */
  readonly onRoom: () => void;
}

/** Whether this process is about to have more answers than it has time for. */
function createBusyMeter(): () => boolean {
  let since = performance.eventLoopUtilization();
  let at = performance.now();
  let isBusy = false;
  return () => {
    const now = performance.now();
    if (now - at >= UTILIZATION_MS) {
      isBusy = performance.eventLoopUtilization(since).utilization > MAX_UTILIZATION;
      since = performance.eventLoopUtilization();
      at = now;
    }
    return isBusy;
  };
}

interface Waiting {
  readonly max: number;
  readonly start: () => void;
}

/**
 * As many calls as the provider takes: half as many after a refusal (429), one more with each round that is answered. After
 * a refusal no call begins for a while, which no waiting call pays for with an attempt.
 */
class AdaptiveLimit implements ModelLimit {
  readonly #shared: Shared;
  readonly #queue = new Set<Waiting>();
  #limit = START;
  #inFlight = 0;
  #refusals = 0;
  #isRefusedBefore = false;
  #reducedAt = Number.NEGATIVE_INFINITY;
  #closedUntil = 0;
  #timer: NodeJS.Timeout | undefined;
  #next: NodeJS.Immediate | undefined;
  #answeredAt: number | undefined;

  constructor(shared: Shared) {
    this.#shared = shared;
  }

  get answeredAt(): number | undefined {
    return this.#answeredAt;
  }

  get waiting(): number {
    return this.#queue.size;
  }

  get isIdle(): boolean {
    return this.#inFlight === 0 && this.#queue.size === 0;
  }

  async run<T>(call: () => Promise<T>, { max = MAX, signal }: Parameters<ModelLimit['run']>[1]): Promise<T> {
    await this.#admission(max, signal);
    const startedAt = this.#shared.clock();
    try {
      const result = await call();
      this.#onAnswer();
      return result;
    } catch (error) {
      if (error instanceof TypedError && error.type === 'Model.RateLimited')
        this.#onRefusal(startedAt, error.retryAfterMs);
      throw error;
    } finally {
      this.#inFlight -= 1;
      this.#shared.taken -= 1;
      this.#shared.onRoom();
    }
  }

  #admission(max: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason as Error);
      const abort = (): void => {
        this.#queue.delete(waiting);
        reject(signal.reason as Error);
      };
      const start = (): void => {
        signal.removeEventListener('abort', abort);
        resolve();
      };
      const waiting: Waiting = { max, start };
      signal.addEventListener('abort', abort, { once: true });
      this.#queue.add(waiting);
      this.startWaiting();
    });
  }

  /**
   * Starts what there is room for, first come, first served: one in a turn of the event loop, so that answers which have
   * arrived are not kept waiting by requests that begin.
   */
  startWaiting(): void {
    const pause = this.#closedUntil - this.#shared.clock();
    if (pause > 0) return this.#startAfter(pause);
    const [waiting] = this.#queue;
    if (waiting === undefined || this.#shared.taken >= this.#shared.max) return;
    if (this.#inFlight >= Math.min(Math.floor(this.#limit), waiting.max)) return;
    this.#queue.delete(waiting);
    this.#inFlight += 1;
    this.#shared.taken += 1;
    waiting.start();
    if (this.#queue.size === 0 || this.#next !== undefined) return;
    this.#next = setImmediate(() => {
      this.#next = undefined;
      this.startWaiting();
    });
  }

  #startAfter(milliseconds: number): void {
    if (this.#queue.size === 0) return;
    if (this.#timer !== undefined) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.startWaiting();
    }, milliseconds);
  }

  #onAnswer(): void {
    this.#answeredAt = this.#shared.clock();
    this.#refusals = 0;
    // A limit that nothing meets says nothing about what would be taken beyond it.
    if (this.#queue.size === 0 && this.#inFlight < this.#limit) return;
    if (this.#shared.isBusy()) return;
    this.#limit = Math.min(MAX, this.#limit + (this.#isRefusedBefore ? 1 / this.#limit : 1));
  }

  #onRefusal(startedAt: number, hint: number | undefined): void {
    const now = this.#shared.clock();
    // The calls of one round are refused together: they count once.
    if (startedAt > this.#reducedAt) {
      this.#isRefusedBefore = true;
      this.#refusals += 1;
      this.#reducedAt = now;
      this.#limit = Math.max(1, Math.min(this.#limit, this.#inFlight) / 2);
    }
    const pause = Math.min(FIRST_PAUSE_MS * 2 ** Math.max(0, this.#refusals - 1), MAX_PAUSE_MS);
    const wait = Math.max(pause, Math.min(hint ?? 0, MAX_HINTED_PAUSE_MS));
    this.#closedUntil = Math.max(this.#closedUntil, now + wait * (1 + Math.random() * JITTER));
  }
}
