import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { errorMessage } from '../../domain/error-message.ts';
import { ROOT_AGENT } from '../../domain/ids.ts';
import type { SandboxLabels, SandboxRequest } from '../provider.ts';
import type { SandboxRecord, SandboxRecords } from './records.ts';

/** Milliseconds without any creation before spares are made: what an agent waits for comes first. */
const QUIET_MS = 200;
/** Spares made at the same time. */
const CONCURRENCY = 2;
const MARK = '-spare-';

export interface SparePoolOptions {
  readonly records: SandboxRecords;
  readonly isRunning: (record: SandboxRecord) => boolean;
  readonly end: (id: string) => Promise<void>;
  readonly log: (line: string) => void;
}

/** What spares of a run are made by. */
export interface SpareOrder {
  readonly request: SandboxRequest;
  /** Tells sandboxes that can stand for each other: of the same run, on the same layers, with the same limits. */
  readonly key: string;
  /** Makes one, with the key in its record. */
  readonly make: (request: SandboxRequest) => Promise<unknown>;
}

interface Pool {
  stopped: boolean;
  filling: Promise<void> | undefined;
}

/**
 * Sandboxes that run and belong to no agent yet, at most `pool` for a run. On disk they are folders like others, with the
 * root agent's labels: the sweep renews and removes them as it does the root's own. One is claimed by renaming its
 * folder, which one process does and no second; so a claimed one is never given twice.
 */
export class SparePool {
  readonly #options: SparePoolOptions;
  readonly #pools = new Map<string, Pool>();
  #creating = 0;
  #lastCreation = 0;

  constructor(options: SparePoolOptions) {
    this.#options = options;
  }

  /** Says when an agent's sandbox is being made: nothing is made in advance meanwhile. */
  async whileCreating<T>(work: () => Promise<T>): Promise<T> {
    this.#creating += 1;
    try {
      return await work();
    } finally {
      this.#creating -= 1;
      this.#lastCreation = performance.now();
    }
  }

  /** A spare under its new name; undefined where there is none. */
  async claim(request: SandboxRequest, id: string, key: string): Promise<SandboxRecord | undefined> {
    const { records, isRunning } = this.#options;
    for (const spare of await this.#spares(key)) {
      // oxlint-disable-next-line no-await-in-loop -- one is wanted, not all
      if (!isRunning(spare) || !(await records.rename(spare.id, id))) continue;
      // oxlint-disable-next-line no-await-in-loop -- the last round
      return this.complete({ ...spare, id }, request);
    }
    return undefined;
  }

  /** Gives a renamed spare the record of what it is now: also where the one who renamed it did not come to it. */
  async complete(spare: SandboxRecord, { name, generation, labels }: SandboxRequest): Promise<SandboxRecord> {
    const { spare: _, ...rest } = spare;
    const record = { ...rest, name, generation, labels };
    await this.#options.records.replace(record);
    return record;
  }

  /** Makes what is missing, in its own time. */
  replenish(order: SpareOrder): void {
    const { labels, pool: size = 0 } = order.request;
    const run = runOf(labels);
    // A sub-agent's sandbox does not begin what the end of the root's has ended.
    if (labels.agent === ROOT_AGENT && this.#pools.get(run)?.stopped === true) this.#pools.delete(run);
    const pool = this.#pools.get(run) ?? { stopped: false, filling: undefined };
    this.#pools.set(run, pool);
    if (size === 0 || pool.stopped || pool.filling !== undefined) return;
    pool.filling = this.#fill(pool, order, size)
      .catch((error: unknown) => this.#options.log(`no spare sandboxes: ${errorMessage(error)}`))
      .finally(() => (pool.filling = undefined));
  }

  async #fill(pool: Pool, { request, key, make }: SpareOrder, size: number): Promise<void> {
    for (;;) {
      // oxlint-disable-next-line no-await-in-loop -- one look after another
      await this.#quiet(pool);
      if (pool.stopped) return;
      // oxlint-disable-next-line no-await-in-loop -- a few at a time, and none any more once somebody waits
      const missing = size - (await this.#spares(key)).length;
      if (missing <= 0) return;
      const ordered = Array.from({ length: Math.min(CONCURRENCY, missing) }, () => spareRequest(request));
      // oxlint-disable-next-line no-await-in-loop -- as above
      await Promise.all(ordered.map((spare) => make(spare)));
    }
  }

  async #quiet(pool: Pool): Promise<void> {
    const wait = (): number => (this.#creating > 0 ? QUIET_MS : QUIET_MS - (performance.now() - this.#lastCreation));
    // oxlint-disable-next-line no-await-in-loop -- until nobody has made one for a while
    while (!pool.stopped && wait() > 0) await delay(wait(), undefined, { ref: false });
  }

  /** Ends the spares of a run whose root agent has ended, and makes no more. */
  async drain(labels: SandboxLabels): Promise<void> {
    const run = runOf(labels);
    const pool = this.#pools.get(run) ?? { stopped: true, filling: undefined };
    pool.stopped = true;
    this.#pools.set(run, pool);
    await pool.filling;
    const spares = (await this.#all()).filter((spare) => runOf(spare.labels) === run);
    await Promise.all(spares.map(({ id }) => this.#options.end(id)));
  }

  /** Makes no more; what there is lives on. */
  async close(): Promise<void> {
    const pools = [...this.#pools.values()];
    for (const pool of pools) pool.stopped = true;
    await Promise.all(pools.map(({ filling }) => filling ?? Promise.resolve()));
  }

  async #spares(key: string): Promise<SandboxRecord[]> {
    return (await this.#all()).filter(({ spare }) => spare === key);
  }

  async #all(): Promise<SandboxRecord[]> {
    const { records } = this.#options;
    const names = (await records.names()).filter((name) => name.includes(MARK));
    const found = names.map((name) => records.read(name)).filter((record) => record !== undefined);
    return found.filter(({ spare }) => spare !== undefined);
  }
}

function runOf({ run, execution }: SandboxLabels): string {
  return `${run}@${execution}`;
}

function spareRequest(request: SandboxRequest): SandboxRequest {
  const name = `${request.name.slice(0, 40)}${MARK}${randomBytes(6).toString('hex')}`;
  return { ...request, name, generation: 0, labels: { ...request.labels, agent: ROOT_AGENT } };
}
