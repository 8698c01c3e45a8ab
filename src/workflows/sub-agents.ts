import {
  ChildWorkflowCancellationType,
  condition,
  isCancellation,
  ParentClosePolicy,
  startChild,
  type ChildWorkflowHandle,
} from '@temporalio/workflow';
import type { AgentInput, AgentResult, Totals } from '../domain/contract.ts';
import { agentWorkflowId } from '../domain/ids.ts';
import { firstLease, spend, type Lease } from '../domain/ledger.ts';
import type { Answer } from '../domain/records.ts';
import { addUsage, NO_USAGE } from '../domain/usage.ts';
import type { agent } from './agent.ts';
import { failureMessage } from './failure-type.ts';
import type { LeaseRecall } from '../domain/messages.ts';
import { recallLease } from './ledger.ts';
import type { LeaseHolder, Recalled } from './lease-holder.ts';
import { pauseSignal, resumeSignal } from './pause-gate.ts';
import { errors } from './queries.ts';
import { createSlots } from './slots.ts';
import { cancelledByName, startOnceFree } from './start-child.ts';

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
  /** The ledger's recall, to be handed on to those at work. */
  recall(message: LeaseRecall): Recalled;
}

export function createSubAgents(input: {
  readonly run: string;
  readonly agent: string;
  readonly depth: number;
  readonly parent: AgentInput;
  readonly leases: LeaseHolder;
  readonly isPaused: () => boolean;
}): SubAgents {
  const { depth, parent, leases } = input;
  const { limits } = parent;
  const before = parent.state;
  const slots = createSlots(limits.max_parallel);
  const working = new Set<ChildWorkflowHandle<typeof agent>>();
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

  async function runOne(request: string, index: number, id: string, siblings: number): Promise<Answer> {
    await slots.acquire();
    busy += 1;
    try {
      const lease = firstLease(leases.balance, siblings);
      leases.settle({ ...lease, sandboxes: lease.sandboxes - 1 }); // Its own was taken before.
      const workflowId = agentWorkflowId(input.run, id);
      const paused = input.isPaused();
      const handle = await startOnceFree(workflowId, () =>
        startChild<typeof agent>('agent', {
          workflowId,
          args: [childInput(request, index, { lease, paused })],
          parentClosePolicy: ParentClosePolicy.REQUEST_CANCEL,
          cancellationType: ChildWorkflowCancellationType.WAIT_CANCELLATION_COMPLETED,
        }),
      );
      working.add(handle);
      // What was said while it was being started has not reached it.
      if (input.isPaused() !== paused) tell(handle, !paused);
      try {
        return settle(id, await cancelledByName(workflowId, handle.result()));
      } finally {
        working.delete(handle);
      }
    } catch (error) {
      if (isCancellation(error)) throw error;
      return { error: `sub-agent ${id} failed: ${failureMessage(error)}` };
    } finally {
      busy -= 1;
      slots.release();
    }
  }

  function childInput(request: string, index: number, start: { lease: Lease; paused: boolean }): AgentInput {
    const { execution, queues } = parent;
    return {
      execution,
      task: { ref: request, index },
      lease: start.lease,
      limits,
      queues,
      ...(start.paused ? { paused: true } : {}),
    };
  }

  function refuse({ prompts, tasks }: Totals['refused']): void {
    const { refused } = totals;
    totals = { ...totals, refused: { prompts: refused.prompts + prompts, tasks: refused.tasks + tasks } };
  }

  function tell(handle: ChildWorkflowHandle<typeof agent>, paused: boolean): void {
    handle.signal(paused ? pauseSignal : resumeSignal).catch(() => undefined); // It may just have ended.
  }

  function settle(id: string, result: AgentResult): Answer {
    leases.receive(result.lease);
    totals = addTotals(totals, result.totals);
    const { answer_ref: ref, status } = result;
    if (status === 'completed' && ref !== undefined) return { ref, child: id };
    const error = `sub-agent ${id} did not finish (${result.error ?? (ref === undefined ? 'it gave no answer' : status)})`;
    return ref === undefined ? { error } : { ref, child: id, error };
  }

  return {
    async run(request, count) {
      if (limits.max_depth !== undefined && depth + 1 > limits.max_depth) {
        return errors(count, `agents at depth ${depth} may not start sub-agents (rlm.max_depth: ${limits.max_depth})`);
      }
      const { sandboxes: granted } = await leases.take({ sandboxes: count });
      const first = started + 1;
      started += granted;
      const tasks = Array.from({ length: granted }, (_, index) =>
        runOne(request, index, `${input.agent}.${first + index}`, granted - index),
      );
      refuse({ prompts: 0, tasks: count - granted });
      const refused = errors(
        count - granted,
        `the sandbox budget is used up (rlm.max_sandboxes: ${limits.max_sandboxes} for the whole run)`,
      );
      return [...(await Promise.all(tasks)), ...refused];
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
    recall(message) {
      const recalled = [...working];
      return {
        children: recalled.length,
        forward: () => {
          for (const handle of recalled) {
            handle.signal(recallLease, message).catch(() => leases.answerRecall(message)); // It has just ended.
          }
        },
      };
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

/** What is left of a lease when its own sandbox is made. */
export function withoutOwnSandbox(lease: Lease): Lease {
  return spend(lease, { sandboxes: 1 });
}
