import { isGrpcServiceError, ServiceError } from '@temporalio/client';
import type { TemporalRuns } from '../client/temporal-runs.ts';
import { forgetRun } from './clean/runs.ts';
import { findRun, readableRuns } from '../results/find-run.ts';
import { EXIT_DONE, EXIT_FAILED } from './exit-codes.ts';
import { say, type Io } from './io.ts';
import { plural } from './live/format.ts';
import { noSuchRun, startServerIfNeeded } from './look.ts';
import type { TemporalOptions } from './options.ts';
import { CommandError } from './report-error.ts';
import { withSession, type OpenTemporal } from './session.ts';

/** `rlm delete`: forgets runs that have ended, in the blob store and in Temporal. */
export function deleteRuns(io: Io, names: readonly string[], options: TemporalOptions): Promise<number> {
  return withSession(io, options, async (session) => {
    const found = (await session.findTemporal()) ?? (await startServerIfNeeded(session));
    const { runs: all, unreadable } = await readableRuns(session.blobs);
    for (const run of new Set(names)) {
      // Says which key is missing.
      if (unreadable.includes(run)) await findRun(session.blobs, run);
      const stored = all.filter((each) => each.run === run);
      const known = await ask(found, run, (runs) => runs.describe(run));
      if (stored.length === 0 && known === undefined) throw await noSuchRun(run, session.blobs);
      const isOpen =
        known?.status === 'running' || ((await ask(found, run, (runs) => runs.countOpenAgents(run))) ?? 0) > 0;
      if (isOpen) throw new CommandError(`Run ${run} has not ended: rlm cancel ${run} ends it.`, EXIT_FAILED);
      for (const reference of stored) await forgetRun(session.blobs, reference);
      const executions = (await ask(found, run, (runs) => runs.forget(run), DELETION_MS)) ?? 0;
      const inTemporal =
        executions === 0
          ? ''
          : ` Temporal deletes ${plural(executions, 'workflow')} of it in its own time: until then the id is taken, and rlm list shows it.`;
      say(
        io,
        `Run ${run} is deleted.${inTemporal} Files in a results folder stay; rlm clean --blobs --yes frees the space.`,
      );
    }
    return EXIT_DONE;
  });
}

/** Milliseconds in which Temporal answers a question, and in which it takes the deletion of all workflows of a run. */
const ANSWER_MS = 15_000;
const DELETION_MS = 120_000;

/** Undefined without a server. @throws CommandError where it does not answer any more */
async function ask<T>(
  found: OpenTemporal | undefined,
  run: string,
  question: (runs: TemporalRuns) => Promise<T>,
  timeoutMs: number = ANSWER_MS,
): Promise<T | undefined> {
  if (found === undefined) return undefined;
  try {
    return await found.temporal.client.withDeadline(Date.now() + timeoutMs, () => question(found.runs));
  } catch (error) {
    if (!(error instanceof ServiceError || isGrpcServiceError(error))) throw error;
    throw new CommandError(
      `Temporal does not answer any more, so that run ${run} is not deleted there. When it does, type rlm delete ${run} again.`,
      EXIT_FAILED,
      { cause: error },
    );
  }
}
