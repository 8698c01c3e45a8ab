import { runSettings } from '../client/change-settings.ts';
import { createGrants, grantBudget } from '../grants.ts';
import type { RunLimits } from '../domain/budget.ts';
import type { BudgetMessage, RunState } from '../domain/messages.ts';
import type { RunReference } from '../domain/records.ts';
import { createRunReader } from '../results/run-reader.ts';
import { runTotals } from '../results/run-snapshot.ts';
import { EXIT_DONE, EXIT_FAILED } from './exit-codes.ts';
import { findOpenRun, hasEnded, type FoundRun } from './find-run.ts';
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
    say(io, await setLimits(session, await findOpenRun(session, run, (line) => say(io, line)), limits));
    return EXIT_DONE;
  });
}

/**
 * Gives an open run new limits.
 *
 * @returns what to say of it
 * @throws CommandError
 */
export async function setLimits(
  session: Session,
  { runs, known: { run }, stored }: Pick<FoundRun, 'runs' | 'known' | 'stored'>,
  limits: Omit<BudgetMessage, 'id' | 'grant'>,
): Promise<string> {
  const settings = stored === undefined ? undefined : await runSettings(session.blobs, stored);
  if (limits.max_cost !== undefined && settings !== undefined && settings.config.rlm.max_cost === undefined) {
    throw new CommandError(
      `Run ${run} began without rlm.max_cost, so nothing limits its cost and nothing can be raised.`,
    );
  }
  const message = await grantBudget(createGrants(session.stateDirectory), run, limits);
  const told = await runs.tell(run, { name: 'setBudget', ...message });
  if (told.kind === 'ended') throw hasEnded(run);
  if (told.kind === 'refused') throw new CommandError(told.reason, EXIT_FAILED);
  if (told.kind === 'accepted') assertInForce(run, limits, told.state);
  const said = Object.entries(limits).map(([name, value]) => `rlm.${name} ${value}`);
  const spent = stored === undefined ? 0 : await spentBy(session, stored);
  const status = told.kind === 'accepted' ? told.state.status : undefined;
  const isSpent = limits.max_cost !== undefined && spent >= limits.max_cost;
  const advice = isSpent ? spentAdvice(spent, status) : resumeAdvice(run, status);
  return `Run ${run} has new limits: ${said.join(', ')}.${advice}`;
}

/** @param status undefined where no worker has answered */
function spentAdvice(spent: number, status: RunState['status'] | undefined): string {
  const then = status === 'paused' ? 'stays paused' : 'pauses at once';
  return ` It has spent ${formatCost(spent)} already, so it ${then}: give more to let it go on.`;
}

function resumeAdvice(run: string, status: RunState['status'] | undefined): string {
  if (status === undefined) return ` If it is paused or suspended, resume it with rlm resume ${run}.`;
  return status === 'paused' ? ` It is paused: resume it with rlm resume ${run}.` : '';
}

/**
 * A worker of another user, or with another state folder, gives no more than its own configuration allows.
 *
 * @throws CommandError with the limits that the run has now
 */
function assertInForce(run: string, asked: Partial<RunLimits>, { limits }: RunState): void {
  const lower = Object.entries(asked).flatMap(([name, value]) => {
    const now = limits?.[name as keyof RunLimits];
    return now === undefined || now >= value ? [] : [`rlm.${name} is ${now}, not ${value}`];
  });
  if (lower.length === 0) return;
  throw new CommandError(
    `The worker of run ${run} allows no more: ${lower.join(', ')}. Say it where that worker runs, with its state folder ` +
      '(DURABLE_RLM_STATE), or set more in its configuration.',
    EXIT_FAILED,
  );
}

/** USD over the whole tree so far. */
async function spentBy({ blobs }: Session, run: RunReference): Promise<number> {
  const snapshot = await createRunReader(blobs, run).snapshot();
  return snapshot === undefined ? 0 : runTotals(snapshot).usage.cost;
}
