import { allHandlersFinished, condition, continueAsNew, workflowInfo } from '@temporalio/workflow';
import type { AgentInput, AgentResumption } from '../domain/contract.ts';
import { packAnswer, packTotals } from '../domain/wire.ts';
import type { AgentRun } from './agent-run.ts';
import type { agent } from './agent.ts';
import type { BlockUnderWay } from './blocks.ts';

/** Whether the agent's history has become so long that Temporal suggests to begin a new one. */
export function isLong({ limits, progress }: AgentRun): boolean {
  return limits.rebuild === true && typeof progress.head === 'string' && workflowInfo().continueAsNewSuggested;
}

/**
 * Continues as new: the same agent with an empty history. Only where no child works and no call is under way.
 *
 * @param at where the code stands, in the middle of a block
 */
export async function moveOn(run: AgentRun, at?: BlockUnderWay): Promise<never> {
  const { input, budget, gate } = run;
  await budget.idle();
  await condition(allHandlersFinished);
  const { execution, task, limits } = input;
  const next: AgentInput = {
    execution,
    task,
    limits,
    ...(gate.closed ? { paused: true } : {}),
    ...(input.typed === undefined ? {} : { typed: input.typed }),
    resumed: resumption(run, at),
  };
  return continueAsNew<typeof agent>(next);
}

function resumption({ progress, sandbox, subAgents }: AgentRun, at: BlockUnderWay | undefined): AgentResumption {
  const { head, iteration, block, withoutCode, usage } = progress;
  if (typeof head !== 'string') throw new Error('an agent that has not begun has nothing to go on with');
  return {
    head: at?.head ?? head,
    iteration,
    block,
    without_code: withoutCode,
    usage,
    ...(sandbox.name === undefined ? {} : { sandbox: sandbox.name }),
    generation: sandbox.generation,
    ...(sandbox.losses === 0 ? {} : { losses: sandbox.losses }),
    started: subAgents.started,
    totals: packTotals(subAgents.totals),
    ...(at === undefined ? {} : { block_under_way: { step: at.step, answers: at.answered.map(packAnswer) } }),
  };
}
