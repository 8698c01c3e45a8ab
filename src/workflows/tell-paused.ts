import { pauseMessage, resumeMessage, type ControlMessage } from '../domain/messages.ts';

/** Tells a child workflow to pause, or, without a message, to resume. */
export type TellPaused = (pause: ControlMessage | undefined) => void;

/**
 * One message is delivered before the next is sent, which is the newest: the server may deliver two that are on their way
 * in any order, and a child that heard `resume` before `pause` would be paused for ever, in a run that is not.
 */
export function createTellPaused(child: {
  readonly signal: (name: string, ...messages: ControlMessage[]) => Promise<void>;
}): TellPaused {
  let next: (() => Promise<void>) | undefined;
  let isSending = false;

  async function send(): Promise<void> {
    isSending = true;
    while (next !== undefined) {
      const message = next;
      next = undefined;
      // oxlint-disable-next-line no-await-in-loop -- one after another is the point
      await message().catch(() => undefined); // It may just have ended.
    }
    isSending = false;
  }

  return (pause) => {
    next = () => (pause === undefined ? child.signal(resumeMessage) : child.signal(pauseMessage, pause));
    if (!isSending) void send();
  };
}
