import { pauseOf, pauseReason, unansweredReason } from '../client/report-run.ts';
import type { TemporalRuns } from '../client/temporal-runs.ts';
import { TypedError } from '../domain/failures.ts';
import type { RunStatus } from '../viewer/model.ts';
import type { LiveRuns } from '../viewer/standings.ts';
import type { Session } from './session.ts';

/** Milliseconds in which a worker answers for a run, and for which a server that is away is not looked for again. */
const ANSWER_TIMEOUT_MS = 2000;
const LOOK_AGAIN_MS = 5000;

/** What Temporal knows of runs; a server that starts later, or comes back, is found. None is started. */
export function createLiveRuns(session: Pick<Session, 'findTemporal'>): LiveRuns {
  let found: Promise<TemporalRuns | undefined> | undefined;
  let lookedAt = 0;

  async function temporal(): Promise<TemporalRuns> {
    if (found === undefined || ((await found) === undefined && Date.now() - lookedAt > LOOK_AGAIN_MS)) {
      lookedAt = Date.now();
      found = session.findTemporal().then(
        (opened) => opened?.runs,
        () => undefined,
      );
    }
    const runs = await found;
    if (runs === undefined)
      throw new TypedError('Input.Invalid', 'No Temporal server is running: start one with rlm up.');
    return runs;
  }

  return {
    async status(run, isStored) {
      const runs = await temporal();
      const known = await runs.describe(run);
      if (known === undefined) return undefined;
      if (known.status !== 'running')
        return { status: known.status === 'ended' ? 'completed' : known.status, reason: null };
      const state = await runs.state(run, ANSWER_TIMEOUT_MS);
      if (state === undefined) return { status: 'suspended', reason: unansweredReason(run, { isStored }) };
      const pause = pauseOf(state);
      return { status: state.status, reason: pause === undefined ? null : pauseReason(run, pause) };
    },
    async list(limit) {
      const runs = await temporal();
      return (await runs.list(limit)).map(({ run, status, startedAt }) => ({
        run,
        status: (status === 'ended' ? 'completed' : status) satisfies RunStatus,
        started_at: startedAt,
      }));
    },
    async control(run, order) {
      const runs = await temporal();
      const { kind, ...limits } = order;
      const isDone =
        order.kind === 'pause'
          ? await runs.pause(run)
          : order.kind === 'resume'
            ? await runs.resume(run)
            : order.kind === 'cancel'
              ? await runs.cancel(run)
              : await runs.setBudget(run, limits);
      if (!isDone) throw new TypedError('Input.Invalid', `Run ${run} is not running, so it cannot be told to ${kind}.`);
    },
  };
}
