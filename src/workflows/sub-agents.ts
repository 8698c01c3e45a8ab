import {
  ChildWorkflowCancellationType,
  condition,
  isCancellation,
  ParentClosePolicy,
  startChild,
  type ChildWorkflowHandle,
} from '@temporalio/workflow';
import pLimit from 'p-limit';
import { sandboxesUsedUp } from '../domain/budget.ts';
import type { AgentInput, AgentResult, AgentWorkflow, TaskReference, Totals } from '../domain/contract.ts';
import { agentWorkflowId } from '../domain/ids.ts';
import type { Answer } from '../domain/records.ts';
import { addUsage, NO_USAGE } from '../domain/usage.ts';
import type { AgentBudget } from './agent-budget.ts';
import { failureMessage } from './failure-type.ts';
import { pauseSignal, resumeSignal } from './pause-gate.ts';
import { errorAnswers } from './error-answers.ts';
import { cancelledByName, startChildReplacing } from './start-child.ts';

/** An agent's sub-agents: starts them, at most `max_parallel` at a time, and sums up what they did. */
export interface SubAgents {
  /** One agent for each task of the request; answers in order, error strings beyond the budget. */
  run(request: string, count: number): Promise<Answer[]>;
  readonly working: number;
  /** How many were started, those of executions before included. */
  readonly started: number;
  /** Resolves when all of them have ended, or after `milliseconds`. */
  ended(milliseconds: number): Promise<void>;
  /** What they and all below them did. */
  readonly totals: Totals;
  /** Prompts of the agent's own code that the budget had no calls for. */
  refusePrompts(count: number): void;
  setPaused(paused: boolean): void;
}

/** Temporal takes 2,000 pending children of a workflow; this leaves room for what else is pending. */
const MAX_PENDING = 500;
/** Starts of children contend for their parent's lock in the server: with more at a time, all of them take longer. */
const MAX_STARTING = 16;

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
  const atWork = pLimit(Math.min(limits.max_parallel, MAX_PENDING));
  const starting = pLimit(MAX_STARTING);
  const working = new Set<ChildWorkflowHandle<AgentWorkflow>>();
  let started = before?.started ?? 0;
  let busy = 0;
  let totals: Totals = before?.totals ?? {
    usage: NO_USAGE,
    agents: 0,
    depth,
    iterations: 0,
    sandboxes: 0,
    refused: { prompts: 0, tasks: 0 },
  };

  /** @param onStarted is told once whether its sub-agent was started */
  async function runOne(task: TaskReference, id: string, onStarted: (isStarted: boolean) => void): Promise<Answer> {
    busy += 1;
    let isStarted = false;
    try {
      return await atWork(async () => {
        const handle = await starting(() => start(task, id));
        isStarted = true;
        onStarted(true);
        return await resultOf(handle, id);
      });
    } catch (error) {
      if (!isStarted) onStarted(false);
      if (isCancellation(error)) throw error;
      return { error: `sub-agent ${id} failed: ${failureMessage(error)}` };
    } finally {
      busy -= 1;
    }
  }

  async function start(task: TaskReference, id: string): Promise<ChildWorkflowHandle<AgentWorkflow>> {
    const paused = input.isPaused();
    const { execution, queues } = parent;
    const workflowId = agentWorkflowId(input.run, id);
    const handle = await startChildReplacing(workflowId, () =>
      startChild<AgentWorkflow>('agent', {
        workflowId,
        args: [{ execution, task, limits, queues, ...(paused ? { paused } : {}) }],
        parentClosePolicy: ParentClosePolicy.REQUEST_CANCEL,
        cancellationType: ChildWorkflowCancellationType.WAIT_CANCELLATION_COMPLETED,
      }),
    );
    // What was said while it was being started has not reached it.
    if (input.isPaused() !== paused) tell(handle, !paused);
    return handle;
  }

  async function resultOf(handle: ChildWorkflowHandle<AgentWorkflow>, id: string): Promise<Answer> {
    working.add(handle);
    try {
      return settle(id, await cancelledByName(handle.workflowId, handle.result()));
    } finally {
      working.delete(handle);
    }
  }

  function refuse({ prompts, tasks }: Totals['refused']): void {
    const { refused } = totals;
    totals = { ...totals, refused: { prompts: refused.prompts + prompts, tasks: refused.tasks + tasks } };
  }

  function tell(handle: ChildWorkflowHandle<AgentWorkflow>, paused: boolean): void {
    handle.signal(paused ? pauseSignal : resumeSignal).catch(() => undefined); // It may just have ended.
  }

  function settle(id: string, result: AgentResult): Answer {
    totals = addTotals(totals, result.totals);
    const { answer_ref: ref, status } = result;
    if (status === 'completed' && ref !== undefined) return { ref, child: id };
    const error = `sub-agent ${id} did not finish (${result.error ?? (ref === undefined ? 'it gave no answer' : status)})`;
    return ref === undefined ? { error } : { ref, child: id, error };
  }

  return {
    async run(request, count) {
      if (limits.max_depth !== undefined && depth + 1 > limits.max_depth) {
        return errorAnswers(
          count,
          `agents at depth ${depth} may not start sub-agents (rlm.max_depth: ${limits.max_depth})`,
        );
      }
      const { sandboxes: granted, limits: current } = await budget.reserve({ sandboxes: count });
      const first = started + 1;
      started += granted;
      let [open, unused] = [granted, 0];
      const onStarted = (isStarted: boolean): void => {
        open -= 1;
        if (!isStarted) unused += 1;
        if (open === 0 && unused > 0) budget.settle({ unused: { sandboxes: unused } });
      };
      const tasks = Array.from({ length: granted }, (_, index) =>
        runOne({ ref: request, index }, `${input.agent}.${first + index}`, onStarted),
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
      for (const handle of working) tell(handle, paused);
    },
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
