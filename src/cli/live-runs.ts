import { LRUCache } from 'lru-cache';
import { endedReport, pauseOf, pauseReason, unansweredReason } from '../client/report-run.ts';
import type { TemporalRun, TemporalRuns } from '../client/temporal-runs.ts';
import { TypedError } from '../domain/failures.ts';
import type { RunStatus } from '../viewer/model.ts';
import type { LiveRun, LiveRuns } from '../viewer/standings.ts';
import type { ControlContext } from './control-run.ts';
import type { OpenTemporal } from './session.ts';

/** Milliseconds in which a worker answers for a run, and for which a server that is away is not looked for again. */
const ANSWER_TIMEOUT_MS = 2000;
const LOOK_AGAIN_MS = 5000;

/** What Temporal knows of runs; a server that starts later, or comes back, is found. None is started. */
export function createLiveRuns({ io, session, options }: Omit<ControlContext, 'opened'>): LiveRuns {
  let found: Promise<OpenTemporal | undefined> | undefined;
  let lookedAt = 0;
  const ends = new LRUCache<string, Pick<LiveRun, 'status' | 'reason'>>({ max: 1000 });

  async function temporal(): Promise<OpenTemporal> {
    if (found === undefined || ((await found) === undefined && Date.now() - lookedAt > LOOK_AGAIN_MS)) {
      lookedAt = Date.now();
      found = session.findTemporal().catch(() => undefined);
    }
    const opened = await found;
    if (opened === undefined)
      throw new TypedError('Input.Invalid', 'No Temporal server is running: start one with rlm up.');
    return opened;
  }

  /** An execution ends once. */
  async function endOf(runs: TemporalRuns, known: TemporalRun): Promise<Pick<LiveRun, 'status' | 'reason'>> {
    if (known.status === 'ended') return { status: 'completed', reason: null };
    const before = ends.get(known.runId);
    if (before !== undefined) return before;
    const signal = AbortSignal.timeout(ANSWER_TIMEOUT_MS);
    const { status, reason } = endedReport(undefined, await runs.end(known.run, { runId: known.runId, signal }));
    const end = { status, reason };
    ends.set(known.runId, end);
    return end;
  }

  return {
    async status(run, isStored) {
      const { runs } = await temporal();
      const known = await runs.describe(run);
      if (known === undefined) return undefined;
      const { startedAt, schedule } = known;
      const begun = { startedAt, questions: [], ...(schedule === undefined ? {} : { schedule }) };
      if (known.status !== 'running') return { ...begun, ...(await endOf(runs, known)) };
      const state = await runs.state(run, ANSWER_TIMEOUT_MS);
      if (state === undefined) return { ...begun, status: 'suspended', reason: unansweredReason(run, { isStored }) };
      const pause = pauseOf(state);
      const { status, questions } = state;
      return { ...begun, status, questions, reason: pause === undefined ? null : pauseReason(run, pause) };
    },
    async list(limit) {
      const { runs } = await temporal();
      return (await runs.list(limit)).map(({ run, status, startedAt, schedule }) => ({
        run,
        status: (status === 'ended' ? 'completed' : status) satisfies RunStatus,
        startedAt,
        ...(schedule === undefined ? {} : { schedule }),
      }));
    },
    // Loaded when it is needed: it brings most commands along.
    control: async (run, order) =>
      (await import('./control-run.ts')).controlRun({ io, session, options, opened: await temporal() }, run, order),
  };
}
