import { condition, defineSignal } from '@temporalio/workflow';
import pLimit from 'p-limit';
import { agentWorkflowId } from '../domain/ids.ts';
import { deliver } from './deliver.ts';
import { typedFailure } from './failure.ts';

/** Messages that a person sent to a run, passed on to one of its agents. */
export interface AgentMessages {
  /** @throws ApplicationFailure where the agent has ended, or never was */
  readonly send: (name: string, agent: string, message: object) => Promise<void>;
  /** Resolves when those that have come so far are delivered. */
  readonly sent: () => Promise<void>;
}

/** @param isBegun whether the root agent is there; messages that come before wait for it */
export function createAgentMessages(run: string, isBegun: () => boolean): AgentMessages {
  // The server may deliver two that are on their way in any order: a pause that came before its resume would last.
  const oneByOne = pLimit(1);
  return {
    send: (name, agent, message) =>
      oneByOne(async () => {
        await condition(isBegun);
        if (await deliver(agentWorkflowId(run, agent), defineSignal<[object]>(name), [message])) return;
        throw typedFailure(
          'Input.Invalid',
          `The message ${name} was not delivered: agent ${agent} has ended, or was never started.`,
        );
      }),
    sent: () => oneByOne(() => Promise.resolve()),
  };
}
