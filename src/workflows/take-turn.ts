import { ApplicationFailure, sleep } from '@temporalio/workflow';
import type { TurnResult, WorkflowLimits } from '../domain/contract.ts';
import type { SandboxName } from '../domain/sandbox.ts';
import { addUsage } from '../domain/usage.ts';
import { firstTurn, inSandbox, modelActivities } from './activities.ts';
import type { AgentRun } from './agent-run.ts';
import { failureType } from './failure-type.ts';

/** A turn in as few activities as can be: the model's reply and, where it was run with it, what its code did. */
export async function takeTurn(run: AgentRun): Promise<TurnResult | 'too long'> {
  const { progress, input, limits, sandbox } = run;
  const { execution } = input;
  const { head, iteration } = progress;
  let attempts = 0;
  return paid(run, async () => {
    const { refusal: met } = progress;
    progress.refusal = undefined;
    if (met !== undefined) throw ApplicationFailure.nonRetryable(met.message, met.type);
    const summary = `iteration ${iteration}: ask the model`;
    if (limits.whole_turns === true && sandbox.name !== undefined && typeof head === 'string') {
      return wholeTurn(run, { summary: `${summary}, run its code`, sandbox: sandbox.name, head });
    }
    if (limits.whole_turns === true && iteration === 1 && attempts === 0) {
      attempts = 1;
      const first = firstTurn(`${summary}, run its code`);
      const begun = await first.begin({ execution, task: input.task, head, ...lastTurn(limits) });
      const { sandbox: name, no_sandbox, ...turn } = begun;
      if (no_sandbox !== undefined) sandbox.fail(no_sandbox);
      const { refusal } = turn;
      if (name !== undefined) sandbox.set(name);
      if (turn.reply !== undefined) return { ...turn, reply: turn.reply };
      if (refusal !== undefined && refusal.delay === undefined)
        throw ApplicationFailure.nonRetryable(refusal.message, refusal.type);
      if (refusal?.delay !== undefined) await sleep(refusal.delay);
    }
    const asked = { execution, head, iteration, purpose: 'turn' as const, ...(attempts === 0 ? {} : { attempts }) };
    return { reply: await modelActivities(summary, limits).think(asked) };
  });
}

/** In the sandbox that the agent has; what it gives is thrown away when that is lost while the model is asked. */
async function wholeTurn(
  run: AgentRun,
  { summary, sandbox, head }: { readonly summary: string; readonly sandbox: SandboxName; readonly head: string },
): Promise<TurnResult> {
  const { input, limits, progress, taskQueue } = run;
  const { iteration, block } = progress;
  const where = { execution: input.execution, taskQueue, sandbox, limits };
  return inSandbox(where, { summary }, (activities) =>
    activities.turn({ execution: input.execution, sandbox, head, iteration, block, ...lastTurn(limits) }),
  );
}

/** What is paid for call by call is asked for turn by turn. */
function lastTurn({ max_cost, max_iterations }: WorkflowLimits): { readonly last?: number } {
  return max_cost === undefined ? { last: max_iterations } : {};
}

/** The closing question, when there are no turns left. */
export async function askForBestAnswer(run: AgentRun): Promise<TurnResult | 'too long'> {
  const { input, progress } = run;
  const { head, iteration } = progress;
  return paid(run, async () => {
    const asked = { execution: input.execution, head, iteration, purpose: 'extract' as const };
    return { reply: await modelActivities('ask for the best answer', run.limits).think(asked) };
  });
}

/** Takes a reply where there is money for it, and counts it. */
async function paid(run: AgentRun, take: () => Promise<TurnResult>): Promise<TurnResult | 'too long'> {
  const { progress, persistence, budget } = run;
  try {
    const turn = await persistence.run(() => {
      progress.state = 'thinking';
      return budget.callModel(async () => {
        const result = await take();
        return { ...result, cost: result.reply.usage.cost };
      });
    });
    progress.head = turn.reply.head;
    progress.usage = addUsage(progress.usage, turn.reply.usage);
    return turn;
  } catch (error) {
    if (failureType(error) === 'Model.ContextLength') return 'too long';
    throw error;
  }
}
