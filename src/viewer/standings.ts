import type { RunStatus, RunView } from './model.ts';
import type { ControlOrder } from './run-source.ts';

/** What Temporal knows; undefined where it cannot be reached. */
export interface LiveRuns {
  /** How a run stands that has not ended; undefined where Temporal knows no such run. */
  status(
    run: string,
    isStored: boolean,
  ): Promise<{ readonly status: RunStatus; readonly reason: string | null } | undefined>;
  /** Newest first. */
  list(
    limit: number,
  ): Promise<readonly { readonly run: string; readonly status: RunStatus; readonly started_at: number }[]>;
  control(run: string, order: ControlOrder): Promise<void>;
}

/** How a run stands that has not ended, asked of its worker, which may be slow or away. */
export interface Standings {
  /** Within a moment: what was known last, where the worker takes longer. */
  of(run: string): Promise<Standing>;
  /** What is known is old: the run has just been sent an order. */
  forget(run: string): void;
}

export type Standing = Pick<RunView, 'status' | 'reason'>;

/** Milliseconds that a page waits for how a run stands; a worker that does not answer is not waited for. */
const STATUS_WAIT_MS = 300;
const STATUS_FRESH_MS = 1000;

const UNREACHABLE: Standing = { status: 'suspended', reason: 'No Temporal server can be reached from here.' };

interface Asked {
  readonly answer: Promise<Standing>;
  /** The newest answer there is, perhaps to the question before. */
  last: Standing | undefined;
  /** Milliseconds since the epoch; undefined as long as nobody has answered. */
  answeredAt: number | undefined;
}

export function createStandings(live: LiveRuns | undefined): Standings {
  const asked = new Map<string, Asked>();

  /** The newest question how a run stands; another is asked when the answer is no longer fresh. */
  function ask(run: string, source: LiveRuns): Asked {
    const before = asked.get(run);
    if (before !== undefined && (before.answeredAt === undefined || Date.now() - before.answeredAt < STATUS_FRESH_MS))
      return before;
    const answer = source.status(run, true).then(
      (known) => known ?? { status: 'suspended' as const, reason: 'Temporal has no such workflow.' },
      () => UNREACHABLE,
    );
    const entry: Asked = { answer, last: before?.last, answeredAt: undefined };
    asked.set(run, entry);
    void answer.then((stands) => {
      entry.last = stands;
      entry.answeredAt = Date.now();
    });
    return entry;
  }

  return {
    async of(run) {
      if (live === undefined) return UNREACHABLE;
      const entry = ask(run, live);
      const late = new Promise<Standing>((resolve) => {
        setTimeout(() => resolve(entry.last ?? { status: 'unknown', reason: null }), STATUS_WAIT_MS).unref();
      });
      return Promise.race([entry.answer, late]);
    },
    forget: (run) => void asked.delete(run),
  };
}
