import {
  ChildWorkflowCancellationType,
  isCancellation,
  ParentClosePolicy,
  startChild,
  type ChildWorkflowHandle,
} from '@temporalio/workflow';
import type { AgentInput, AgentResult, AgentScope } from '../domain/contract.ts';
import { agentWorkflowId } from '../domain/ids.ts';
import { firstLease, spend } from '../domain/ledger.ts';
import type { Answer } from '../domain/records.ts';
import { addUsage, NO_USAGE, type Usage } from '../domain/usage.ts';
import type { agent } from './agent.ts';
import { failureMessage } from './failure-type.ts';
import { recallLease } from './ledger.ts';
import type { LeaseHolder } from './lease-holder.ts';
import { pauseSignal, resumeSignal } from './pause-gate.ts';
import { errors } from './queries.ts';
import { createSlots } from './slots.ts';

/** An agent's sub-agents: starts them, at most `max_parallel` at a time, and sums up what they did. */
export interface SubAgents {
  /** One agent for each task of the list; answers in order, error strings beyond the budget. */
  run(list: string, count: number): Promise<Answer[]>;
  readonly working: number;
  /** What they and all below them did. */
  readonly totals: SubAgentTotals;
  signal(message: 'pause' | 'resume' | 'recall'): void;
}

export interface SubAgentTotals {
  readonly usage: Usage;
  readonly agents: number;
  readonly depth: number;
  readonly iterations: number;
  readonly sandboxes: number;
}

export function createSubAgents(input: {
  readonly scope: AgentScope;
  readonly depth: number;
  readonly parent: AgentInput;
  readonly leases: LeaseHolder;
  readonly isPaused: () => boolean;
}): SubAgents {
  const { scope, depth, parent, leases } = input;
  const { limits } = parent;
  const slots = createSlots(limits.max_parallel);
  const working = new Set<ChildWorkflowHandle<typeof agent>>();
  let started = 0;
  let totals: SubAgentTotals = { usage: NO_USAGE, agents: 0, depth, iterations: 0, sandboxes: 0 };

  async function runOne(list: string, index: number, id: string, siblings: number): Promise<Answer> {
    await slots.acquire();
    try {
      const lease = firstLease(leases.balance, siblings);
      leases.settle({ ...lease, sandboxes: 0 });
      const handle = await startChild<typeof agent>('agent', {
        workflowId: agentWorkflowId(scope.run, id),
        args: [childInput(list, index, lease)],
        parentClosePolicy: ParentClosePolicy.REQUEST_CANCEL,
        cancellationType: ChildWorkflowCancellationType.WAIT_CANCELLATION_COMPLETED,
      });
      working.add(handle);
      try {
        return settle(id, await handle.result());
      } finally {
        working.delete(handle);
      }
    } catch (error) {
      if (isCancellation(error)) throw error;
      return { error: `sub-agent ${id} failed: ${failureMessage(error)}` };
    } finally {
      slots.release();
    }
  }

  function childInput(list: string, index: number, lease: AgentInput['lease']): AgentInput {
    const { execution, spec, create_timeout } = parent;
    const paused = input.isPaused() ? { paused: true } : {};
    return { execution, spec, task: { ref: list, index }, lease, limits, create_timeout, ...paused };
  }

  function settle(id: string, result: AgentResult): Answer {
    leases.receive(result.lease);
    totals = {
      usage: addUsage(totals.usage, result.usage),
      agents: totals.agents + result.agents,
      depth: Math.max(totals.depth, result.depth),
      iterations: totals.iterations + result.iterations,
      sandboxes: totals.sandboxes + result.sandboxes,
    };
    if (result.status === 'completed' && result.answer_ref !== null) return { ref: result.answer_ref, child: id };
    const why = result.error ?? (result.answer_ref === null ? 'it gave no answer' : result.status);
    return { error: `sub-agent ${id} did not finish: ${why}` };
  }

  return {
    async run(list, count) {
      if (limits.max_depth !== undefined && depth + 1 > limits.max_depth) {
        return errors(count, `agents at depth ${depth} may not start sub-agents (rlm.max_depth: ${limits.max_depth})`);
      }
      const { sandboxes: granted } = await leases.take({ sandboxes: count });
      const first = started + 1;
      started += granted;
      const tasks = Array.from({ length: granted }, (_, index) =>
        runOne(list, index, `${scope.agent}.${first + index}`, granted - index),
      );
      const refused = errors(
        count - granted,
        `the sandbox budget is used up (rlm.max_sandboxes: ${limits.max_sandboxes} for the whole run)`,
      );
      return [...(await Promise.all(tasks)), ...refused];
    },
    get working() {
      return working.size;
    },
    get totals() {
      return totals;
    },
    signal(message) {
      const signal = { pause: pauseSignal, resume: resumeSignal, recall: recallLease }[message];
      for (const handle of working) handle.signal(signal).catch(() => undefined); // It may just have ended.
    },
  };
}

/** What is left of a lease when its own sandbox is made. */
export function withoutOwnSandbox(lease: AgentInput['lease']): AgentInput['lease'] {
  return spend(lease, { sandboxes: 1 });
}
