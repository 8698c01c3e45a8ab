import { uuid4 } from '@temporalio/workflow';
import type { Steer } from '../domain/contract.ts';
import { steerMessage, type SteerMessage } from '../domain/messages.ts';
import { onMessage, type IgnoredMessages } from './messages.ts';

/** Messages of a person that the agent's model has not seen. */
export interface Steering {
  readonly pending: readonly Steer[];
  /** They are in the trajectory now. */
  shown(messages: readonly Steer[]): void;
}

/** @param before - of the execution before, where the agent has continued as new */
export function createSteering(before: readonly Steer[], ignored: IgnoredMessages, reply: () => object): Steering {
  let pending = before;
  onMessage<SteerMessage>(steerMessage, ignored, {
    description: 'Tell this agent something, which its model sees at its next iteration. {message, id?}',
    apply({ id, message }) {
      pending = [...pending, { id: id ?? uuid4(), message }];
    },
    reply,
  });
  return {
    get pending() {
      return pending;
    },
    shown(messages) {
      const ids = new Set(messages.map(({ id }) => id));
      pending = pending.filter(({ id }) => !ids.has(id));
    },
  };
}
