import { condition, defineSignal, setHandler } from '@temporalio/workflow';
import { pauseMessage, resumeMessage, type ControlMessage } from '../domain/messages.ts';

export const pauseSignal = defineSignal<[ControlMessage?]>(pauseMessage);
export const resumeSignal = defineSignal<[ControlMessage?]>(resumeMessage);

/** Closed while the workflow is paused: who is about to begin something passes through it. */
export interface PauseGate {
  readonly closed: boolean;
  close(message?: ControlMessage): void;
  /** Resolves at once, or when the gate is opened. */
  wait(): Promise<void>;
}

/**
 * A gate that the signals `pause` and `resume` close and open.
 *
 * @param onChange is told of each change, to hand it on.
 */
export function createPauseGate(
  closed: boolean,
  onChange: (closed: boolean, message: ControlMessage | undefined) => void,
): PauseGate {
  let isClosed = closed;
  const change = (to: boolean, message: ControlMessage | undefined): void => {
    // Opening is always handed on: others may have closed their gates by themselves.
    if (isClosed && to) return;
    isClosed = to;
    onChange(to, message);
  };
  setHandler(pauseSignal, (message) => change(true, message));
  setHandler(resumeSignal, (message) => change(false, message));
  return {
    get closed() {
      return isClosed;
    },
    close: (message) => change(true, message),
    wait: () => (isClosed ? condition(() => !isClosed) : Promise.resolve()),
  };
}
