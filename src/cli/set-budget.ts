import { runSettings } from '../client/change-settings.ts';
import { createGrants, grantBudget } from '../grants.ts';
import type { RunReference } from '../domain/records.ts';
import { createRunReader } from '../results/run-reader.ts';
import { runTotals } from '../results/run-snapshot.ts';
import { EXIT_DONE } from './exit-codes.ts';
import { findOpenRun, hasEnded } from './find-run.ts';
import { say, type Io } from './io.ts';
import { formatCost } from './live/format.ts';
import type { TemporalOptions } from './options.ts';
import { CommandError } from './report-error.ts';
import { withSession, type Session } from './session.ts';

export interface BudgetOptions extends TemporalOptions {
  readonly maxCost?: number;
  readonly maxSandboxes?: number;
  readonly maxLlmCalls?: number;
  readonly timeout?: number;
}

/** `rlm budget`: also of a run that is suspended, which has the new limits when it is resumed. */
export function setBudget(io: Io, run: string, options: BudgetOptions): Promise<number> {
  return withSession(io, options, async (session) => {
    const limits = {
      ...(options.maxCost === undefined ? {} : { max_cost: options.maxCost }),
      ...(options.maxSandboxes === undefined ? {} : { max_sandboxes: options.maxSandboxes }),
      ...(options.maxLlmCalls === undefined ? {} : { max_llm_calls: options.maxLlmCalls }),
      ...(options.timeout === undefined ? {} : { global_timeout: options.timeout }),
    };
    if (Object.keys(limits).length === 0)
      throw new CommandError('Say what to change: --max-cost, --max-sandboxes, --max-llm-calls or --timeout.');
    const { runs, stored } = await findOpenRun(session, run, (line) => say(io, line));
    const settings = stored === undefined ? undefined : await runSettings(session.blobs, stored);
    if (limits.max_cost !== undefined && settings !== undefined && settings.config.rlm.max_cost === undefined) {
      throw new CommandError(
        `Run ${run} began without rlm.max_cost, so nothing limits its cost and nothing can be raised.`,
      );
    }
    const message = await grantBudget(createGrants(session.stateDirectory), run, limits);
    if (!(await runs.setBudget(run, message))) throw hasEnded(run);
    const said = Object.entries(limits).map(([name, value]) => `rlm.${name} ${value}`);
    const spent = stored === undefined ? 0 : await spentBy(session, stored);
    const advice =
      limits.max_cost !== undefined && spent >= limits.max_cost
        ? `It has spent ${formatCost(spent)} already, so it pauses at once: give more to let it go on.`
        : `If it is paused or suspended, resume it with rlm resume ${run}.`;
    say(io, `Run ${run} has new limits: ${said.join(', ')}. ${advice}`);
    return EXIT_DONE;
  });
}

/** USD over the whole tree so far. */
async function spentBy({ blobs }: Session, run: RunReference): Promise<number> {
  const snapshot = await createRunReader(blobs, run).snapshot();
  return snapshot === undefined ? 0 : runTotals(snapshot).usage.cost;
}
