import { CancellationScope, condition } from '@temporalio/workflow';
import pLimit from 'p-limit';
import { sandboxesUsedUp } from '../domain/budget.ts';
import type { AgentInput, RecordedAgent, TaskReference, Totals } from '../domain/contract.ts';
import { agentWorkflowId } from '../domain/ids.ts';
import type { Answer, PendingCall, SubAgentAnswer } from '../domain/records.ts';
import { addUsage, NO_USAGE } from '../domain/usage.ts';
import { truncate } from '../domain/truncate.ts';
import { runActivities } from './activities.ts';
import type { AgentBudget } from './agent-budget.ts';
import { agentFailure } from './agent-end.ts';
import { failureMessage } from './failure.ts';
import { errorAnswers } from './error-answers.ts';
import { startAgent, type StartedAgent } from './start-agent.ts';
import { cancelledByName } from './start-child.ts';

/** An agent's sub-agents: starts them, at most `max_parallel` at a time, and sums up what they did. */
export interface SubAgents {
  /** One agent for each task of the call's request; answers in order, error strings beyond the budget. */
  run(call: Pick<PendingCall, 'request' | 'heads'>, count: number): Promise<Answer[]>;
  readonly working: number;
  /** How many were started, those of executions before included. */
  readonly started: number;
  /** Resolves when all of them have ended, or after `milliseconds`. */
  ended(milliseconds: number): Promise<void>;
  /** What they and all below them did, and what the agent's own code was refused. */
  readonly totals: Totals;
  /** Prompts of the agent's own code that the budget had no calls for. */
  refusePrompts(count: number): void;
  setPaused(paused: boolean): void;
}

/** Temporal takes 2,000 pending children of a workflow; this leaves room for what else is pending. */
const MAX_PENDING = 500;
/** Starts of children contend for their parent's lock in the server: with more at a time, all of them take longer. */
const MAX_STARTING = 16;
/** Of what went wrong in a sub-agent, as its parent's code gets it. */
const MAX_ERROR_CHARACTERS = 4000;

interface NewAgent {
  readonly id: string;
  readonly task: TaskReference;
  /** The beginning of its task, for a person. */
  readonly head: string | undefined;
}

export function createSubAgents(input: {
  readonly run: string;
  readonly agent: string;
  readonly depth: number;
  readonly parent: AgentInput;
  readonly budget: AgentBudget;
  readonly isPaused: () => boolean;
}): SubAgents {
  const { depth, parent, budget } = input;
  const { limits, state: before } = parent;
  const workflowScope = CancellationScope.current();
  const atWork = pLimit(Math.min(limits.max_parallel, MAX_PENDING));
  const starting = pLimit(MAX_STARTING);
  const working = new Set<StartedAgent>();
  let started = before?.started ?? 0;
  let busy = 0;
  let totals = before?.totals ?? noTotals(depth);

  /** @param onStarted is told once whether its sub-agent was started */
  async function runOne(child: NewAgent, onStarted: (isStarted: boolean) => void): Promise<Answer> {
    const { id } = child;
    busy += 1;
    let isStarted = false;
    try {
      return await atWork(async () => {
        const agent = await starting(() => start(child));
        isStarted = true;
        onStarted(true);
        return await resultOf(agent, id);
      });
    } catch (error) {
      if (!isStarted) onStarted(false);
      if (CancellationScope.current().consideredCancelled) throw error;
      return { error: truncate(`sub-agent ${id} failed: ${failureMessage(error)}`, MAX_ERROR_CHARACTERS) };
    } finally {
      busy -= 1;
    }
  }

  function start({ task, id, head }: NewAgent): Promise<StartedAgent> {
    const { execution, idle_timeout, queues } = parent;
    const child: AgentInput = { execution, task, limits, idle_timeout, queues };
    return startAgent(agentWorkflowId(input.run, id), child, {
      summary: head,
      isPaused: input.isPaused,
      onStarted: (agent) => working.add(agent),
    });
  }

  async function resultOf(agent: StartedAgent, id: string): Promise<Answer> {
    try {
      const result = await cancelledByName(agent.handle.workflowId, agent.handle.result());
      totals = addTotals(totals, result.totals);
      const { answer_ref: ref } = result;
      return ref === undefined ? { error: notFinished(id, 'it gave no answer') } : { ref, ...givenBy(id, result) };
    } catch (error) {
      return settleFailure(id, error);
    } finally {
      working.delete(agent);
    }
  }

  /** @throws what cancelled the call; what the sub-agent used counts all the same */
  async function settleFailure(id: string, error: unknown): Promise<Answer> {
    const failure = agentFailure(error);
    if (failure.kind === 'unknown') throw error;
    // An agent that is cancelled itself says nothing any more: who reads its records reads those below it as well.
    if (failure.kind !== 'failed' && workflowScope.consideredCancelled) throw error;
    const result = failure.kind === 'failed' ? failure.result : await readRecords(id);
    totals = addTotals(totals, result.totals);
    if (CancellationScope.current().consideredCancelled) throw error;
    const why = failure.kind === 'failed' ? `${failure.type}: ${failure.message}` : failure.kind;
    const { answer_ref: ref } = result;
    const text = truncate(notFinished(id, why), MAX_ERROR_CHARACTERS);
    return ref === undefined ? { error: text } : { ref, ...givenBy(id, result), error: text };
  }

  function readRecords(agent: string): Promise<RecordedAgent> {
    const { readAgent } = runActivities({ summary: `read what sub-agent ${agent} has recorded` });
    return CancellationScope.nonCancellable(() => readAgent({ execution: parent.execution, agent }));
  }

  function refuse({ prompts, tasks }: Totals['refused']): void {
    const { refused } = totals;
    totals = { ...totals, refused: { prompts: refused.prompts + prompts, tasks: refused.tasks + tasks } };
  }

  return {
    async run({ request, heads = [] }, count) {
      if (limits.max_depth !== undefined && depth + 1 > limits.max_depth) {
        return errorAnswers(
          count,
          `agents at depth ${depth} may not start sub-agents (rlm.max_depth: ${limits.max_depth})`,
        );
      }
      const { sandboxes: granted, limits: current } = await budget.reserve({ sandboxes: count });
      const first = started + 1;
      started += granted;
      let open = granted;
      let unused = 0;
      const onStarted = (isStarted: boolean): void => {
        open -= 1;
        if (!isStarted) unused += 1;
        if (open === 0 && unused > 0) budget.settle({ unused: { sandboxes: unused } });
      };
      const tasks = Array.from({ length: granted }, (_, index) =>
        runOne({ task: { ref: request, index }, id: `${input.agent}.${first + index}`, head: heads[index] }, onStarted),
      );
      refuse({ prompts: 0, tasks: count - granted });
      return [...(await Promise.all(tasks)), ...errorAnswers(count - granted, sandboxesUsedUp(current))];
    },
    refusePrompts: (prompts) => refuse({ prompts, tasks: 0 }),
    get working() {
      return working.size;
    },
    get started() {
      return started;
    },
    get totals() {
      return totals;
    },
    async ended(milliseconds) {
      if (busy > 0) await condition(() => busy === 0, milliseconds);
    },
    setPaused(paused) {
      for (const agent of working) agent.tellPaused(paused ? {} : undefined);
    },
  };
}

function givenBy(child: string, { patch_ref: patch, totals }: RecordedAgent): Omit<SubAgentAnswer, 'ref'> {
  return { child, ...(patch === undefined ? {} : { patch }), spent: totals.usage };
}

function notFinished(id: string, why: string): string {
  return `sub-agent ${id} did not finish (${why})`;
}

export function noTotals(depth: number): Totals {
  return {
    usage: NO_USAGE,
    agents: 0,
    depth,
    iterations: 0,
    sandboxes: 0,
    refused: { prompts: 0, tasks: 0 },
  };
}

export function addTotals(a: Totals, b: Totals): Totals {
  return {
    usage: addUsage(a.usage, b.usage),
    agents: a.agents + b.agents,
    depth: Math.max(a.depth, b.depth),
    iterations: a.iterations + b.iterations,
    sandboxes: a.sandboxes + b.sandboxes,
    refused: { prompts: a.refused.prompts + b.refused.prompts, tasks: a.refused.tasks + b.refused.tasks },
  };
}
