import type { Question } from '../domain/messages.ts';
import type { ControlOutcome, RunStatus } from './model.ts';
import type { ControlOrder } from './orders.ts';

/** A run as Temporal and its worker know it. */
export interface LiveRun {
  readonly status: RunStatus;
  readonly reason: string | null;
  /** What its agents ask a person. */
  readonly questions: readonly Question[];
  /** Milliseconds since the epoch at which its workflow began last: after a reset, or a retry, later than its data. */
  readonly startedAt: number;
  readonly schedule?: string;
}

/** What Temporal knows; undefined where it cannot be reached. */
export interface LiveRuns {
  /** How a run stands, whether it has ended or not; undefined where Temporal knows no such run. */
  status(run: string, isStored: boolean): Promise<LiveRun | undefined>;
  /** Newest first. */
  list(
    limit: number,
  ): Promise<readonly (Pick<LiveRun, 'status' | 'startedAt' | 'schedule'> & { readonly run: string })[]>;
  control(run: string, order: ControlOrder): Promise<ControlOutcome>;
}

/** How runs stand, asked of their workers, which may be slow or away. */
export interface Standings {
  /** Within a moment: what was known last, where the worker takes longer. */
  of(run: string): Promise<Standing>;
  /** What is known is old: the run has just been sent an order. */
  forget(run: string): void;
}

/** `unreachable`: why nobody can be asked, or told anything. */
export type Standing =
  | ({ readonly kind: 'known' } & LiveRun)
  /** Temporal has no such workflow. */
  | { readonly kind: 'gone' }
  | { readonly kind: 'unreachable' }
  /** Nobody has answered yet. */
  | { readonly kind: 'asked' };

/** Milliseconds that a page waits for how a run stands; a worker that does not answer is not waited for. */
const STATUS_WAIT_MS = 300;
const STATUS_FRESH_MS = 1000;

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
      (known): Standing => (known === undefined ? { kind: 'gone' } : { kind: 'known', ...known }),
      (): Standing => ({ kind: 'unreachable' }),
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
      if (live === undefined) return { kind: 'unreachable' };
      const entry = ask(run, live);
      const late = new Promise<Standing>((resolve) => {
        setTimeout(() => resolve(entry.last ?? { kind: 'asked' }), STATUS_WAIT_MS).unref();
      });
      return Promise.race([entry.answer, late]);
    },
    forget(run) {
      const last = asked.get(run)?.last;
      asked.delete(run);
      // When it began counts on: without it the outcome of before would be taken for its own.
      if (last?.kind === 'known')
        asked.set(run, {
          answer: Promise.resolve(last),
          last: { ...last, status: 'unknown', reason: null, questions: [] },
          answeredAt: 0,
        });
    },
  };
}

/** How a run stands that has recorded no outcome. */
export function unendedStatus(stands: Standing): { readonly status: RunStatus; readonly reason: string | null } {
  switch (stands.kind) {
    case 'known':
      return { status: stands.status, reason: stands.reason };
    case 'gone':
      return { status: 'suspended', reason: 'Temporal has no such workflow: it is on another server, or was deleted.' };
    case 'unreachable':
      return { status: 'suspended', reason: 'No Temporal server can be reached from here: rlm up starts one.' };
    default:
      return { status: 'unknown', reason: null };
  }
}
