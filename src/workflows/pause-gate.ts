import { condition } from '@temporalio/workflow';
import { pauseMessage, resumeMessage, type BlockedMessage, type ControlMessage } from '../domain/messages.ts';
import { onMessage, type IgnoredMessages } from './messages.ts';

/** The reason of a person who gives none. */
export const PAUSED_BY_A_PERSON = 'paused by a person';

/** Why a run, or an agent, is paused. */
export type PauseCause = Pick<BlockedMessage, 'reason'> & Partial<BlockedMessage>;

/** Closed while the workflow is paused. Work waits at it before it begins. */
export interface PauseGate {
  readonly closed: boolean;
  close(cause: PauseCause): void;
  /** Resolves at once, or when the gate is opened. */
  wait(): Promise<void>;
}

/** A gate that the messages `pause` and `resume` close and open. */
export function createPauseGate(input: {
  readonly closed: boolean;
  readonly ignored: IgnoredMessages;
  /** What the updates are answered with. */
  readonly reply: () => object;
  /** Called with the cause when it is closed, without one when it is opened, also where it was open. */
  readonly onChange: (cause: PauseCause | undefined, change: { readonly wasClosed: boolean }) => void;
  /** Passes a message on that is for one agent only. Absent: it is for this workflow whatever it names. */
  readonly forward?: (name: string, agent: string, message: object) => Promise<void>;
  /** As that of `MessageHandler`. */
  readonly problemOf?: (message: ControlMessage) => string | undefined;
}): PauseGate {
  const { ignored, reply, onChange, forward, problemOf } = input;
  const check = problemOf === undefined ? {} : { problemOf };
  let isClosed = input.closed;
  const close = (cause: PauseCause): void => {
    if (isClosed) return;
    isClosed = true;
    onChange(cause, { wasClosed: false });
  };
  const open = (): void => {
    const wasClosed = isClosed;
    isClosed = false;
    // Also when it was open: agents may have closed their own gates.
    onChange(undefined, { wasClosed });
  };
  onMessage<ControlMessage>(pauseMessage, ignored, {
    description: 'Begin no model call and no code until resume. {reason?, agent?, id?}',
    apply: ({ agent, ...message }) =>
      forward === undefined || agent === undefined
        ? close({ reason: message.reason ?? PAUSED_BY_A_PERSON })
        : forward(pauseMessage, agent, message),
    reply,
    ...check,
  });
  onMessage<ControlMessage>(resumeMessage, ignored, {
    description: 'Continue after a pause, by a person or by a failure that has been put right. {agent?, id?}',
    apply({ agent, ...message }) {
      if (forward !== undefined && agent !== undefined) return forward(resumeMessage, agent, message);
      open();
      return undefined;
    },
    reply,
    ...check,
  });
  return {
    get closed() {
      return isClosed;
    },
    close,
    wait: () => (isClosed ? condition(() => !isClosed) : Promise.resolve()),
  };
}
