import { condition, defineSignal, setHandler } from '@temporalio/workflow';
import { pauseMessage, resumeMessage, type BlockedMessage, type ControlMessage } from '../domain/messages.ts';
import { createMessageFilter } from './message-filter.ts';

export const pauseSignal = defineSignal<[ControlMessage?]>(pauseMessage);
export const resumeSignal = defineSignal<[ControlMessage?]>(resumeMessage);

/** Why a run, or an agent, is paused. */
export type PauseCause = Pick<BlockedMessage, 'reason'> & Partial<BlockedMessage>;

/** Closed while the workflow is paused. Work waits at it before it begins. */
export interface PauseGate {
  readonly closed: boolean;
  close(cause: PauseCause): void;
  /** Resolves at once, or when the gate is opened. */
  wait(): Promise<void>;
}

/**
 * A gate that the signals `pause` and `resume` close and open.
 *
 * @param onChange - called with the cause when it is closed, without one when it is opened
 */
export function createPauseGate(closed: boolean, onChange: (cause: PauseCause | undefined) => void): PauseGate {
  let isClosed = closed;
  const isNew = createMessageFilter();
  const close = (cause: PauseCause): void => {
    if (isClosed) return;
    isClosed = true;
    onChange(cause);
  };
  setHandler(pauseSignal, (message) => {
    if (isNew(message)) close({ reason: message?.reason ?? 'paused by a person' });
  });
  setHandler(resumeSignal, (message) => {
    if (!isNew(message)) return;
    isClosed = false;
    // Also when it was open: agents may have closed their own gates.
    onChange(undefined);
  });
  return {
    get closed() {
      return isClosed;
    },
    close,
    wait: () => (isClosed ? condition(() => !isClosed) : Promise.resolve()),
  };
}
