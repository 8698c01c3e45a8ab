import type { ReplyRecord } from '../domain/records.ts';
import { proseOf, replyOutcome } from '../domain/reply.ts';

export interface ReadReply {
  /** What it says around the code that ran; all of it where none did. */
  readonly prose: string;
  /** The blocks that were run, or are to be, one after the other. */
  readonly code: readonly string[];
  /** Why there are none, in one sentence; null where there are some, or the reply was the closing answer. */
  readonly notRun: string | null;
}

/** A reply for a person to read. */
export function readReply(reply: Pick<ReplyRecord, 'purpose' | 'text' | 'finish_reason'>): ReadReply {
  const unread = { prose: reply.text.trim(), code: [] };
  if (reply.purpose === 'final_answer') return { ...unread, notRun: null };
  const outcome = replyOutcome(reply);
  if (outcome.kind === 'code') return { prose: proseOf(reply.text), code: outcome.blocks, notRun: null };
  return { ...unread, notRun: NOT_RUN[outcome.kind] };
}

const NOT_RUN = {
  truncated: 'The reply was cut off at the length limit, so nothing of it was run.',
  withheld: "The reply was stopped by the provider's content filter, so nothing of it was run.",
  tool_call: 'The reply calls a tool in place of writing code, so nothing was run.',
  text: 'The reply has no code.',
} as const;
