import { codeBlocks, replyOutcome } from './reply.ts';
import {
  recordUsage,
  type Answer,
  type BlockRecord,
  type ChainRecord,
  type EndRecord,
  type PendingCall,
  type ReplyRecord,
} from './records.ts';
import { isReplayable } from './replay.ts';
import { addUsage, NO_USAGE, type Usage } from './usage.ts';

/** How far an agent's trajectory got. What extends, continues or forks one asks `fold`; nothing else works it out. */
export interface AgentState {
  /** The last iteration whose reply is recorded; 0 before the first. */
  readonly iteration: number;
  /** Number of the last block that ended; 0 before the first. */
  readonly block: number;
  /** Of the newest sandbox that the trajectory knows; 0 for the first. */
  readonly generation: number;
  /** Its own model calls and those of its code; sub-agents keep their own. */
  readonly usage: Usage;
  /** The block that runs, or is next; undefined when the last reply's code has ended, or there was none. */
  readonly pending: PendingBlock | undefined;
  /** Code of this sandbox has ended its own interpreter, and the variables with it. */
  readonly interpreterEnded: boolean;
  readonly end: EndRecord | undefined;
}

/** A block of the last reply that has not ended. */
export interface PendingBlock {
  readonly iteration: number;
  /** Counted from 1 over the whole agent: the kernel's number. */
  readonly block: number;
  /** Position among the code blocks of its reply, from 0. */
  readonly index: number;
  readonly code: string;
  /** Calls its code made, in any sandbox. */
  readonly calls: readonly PendingCall[];
  readonly answers: ReadonlyMap<string, Answer>;
  /** Cursor of the last event read from the kernel of the newest sandbox. */
  readonly cursor: number;
  /** Names in the newest sandbox's kernel; a call that the code has not made there yet has none. */
  readonly kernelNameByCall: ReadonlyMap<string, string>;
}

/** Says how far an agent got: a pure function of its records, from the task on. */
export function fold(records: readonly ChainRecord[]): AgentState {
  let iteration = 0;
  let block = 0;
  let generation = 0;
  let interpreterEnded = false;
  let end: EndRecord | undefined;
  let usage = NO_USAGE;
  for (const record of records) {
    usage = addUsage(usage, recordUsage(record));
    if (record.kind === 'reply') iteration = record.iteration;
    else if (record.kind === 'block') {
      block = record.block;
      interpreterEnded ||= !isReplayable(record);
    } else if (record.kind === 'rebuild') {
      generation = record.generation;
      interpreterEnded = false;
    } else if (record.kind === 'end') end = record;
    // What the shared part cost was paid by the run that it is from.
    else if (record.kind === 'fork') usage = NO_USAGE;
  }
  return { iteration, block, generation, usage, pending: pendingBlock(records, block), interpreterEnded, end };
}

function pendingBlock(records: readonly ChainRecord[], lastBlock: number): PendingBlock | undefined {
  const at = records.findLastIndex(({ kind }) => kind === 'reply');
  const reply = records[at];
  if (reply?.kind !== 'reply' || !isRunnable(reply)) return undefined;
  const since = records.slice(at + 1);
  const last = since.findLast((record): record is BlockRecord => record.kind === 'block');
  if (last !== undefined && endsReply(last)) return undefined;
  const index = last === undefined ? 0 : last.index + 1;
  const code = codeBlocks(reply.text)[index];
  if (code === undefined) return undefined;
  const block = lastBlock + 1;
  return { iteration: reply.iteration, block, index, code, ...callsOf(since, block) };
}

/** Whether the code of a reply is run at all. */
function isRunnable(reply: ReplyRecord): boolean {
  return reply.purpose === 'turn' && replyOutcome(reply).kind === 'code';
}

/** Whether the blocks of a reply that follow this one are not run. */
function endsReply({ result }: Pick<BlockRecord, 'result'>): boolean {
  return result.status !== 'ok' || result.final !== null;
}

function callsOf(
  records: readonly ChainRecord[],
  block: number,
): Pick<PendingBlock, 'calls' | 'answers' | 'cursor' | 'kernelNameByCall'> {
  const calls: PendingCall[] = [];
  const answers = new Map<string, Answer>();
  let cursor = 0;
  let kernelNameByCall = new Map<string, string>();
  for (const record of records) {
    if (record.kind === 'rebuild') {
      // The block begins again in another sandbox.
      cursor = 0;
      kernelNameByCall = new Map();
    } else if (record.kind === 'calls' && record.block === block) {
      calls.push(...record.calls);
      for (const { call } of record.calls) kernelNameByCall.set(call, call);
      for (const [call, name] of Object.entries(record.kernel_names ?? {})) kernelNameByCall.set(call, name);
      cursor = record.cursor;
    } else if (record.kind === 'answers' && record.block === block) {
      for (const { call, answer } of record.answers) answers.set(call, answer);
    }
  }
  return { calls, answers, cursor, kernelNameByCall };
}

/**
 * Replies without code in a row, from the newest back. One that was cut off, or that calls a tool, does not count and
 * does not end the row.
 */
export function repliesWithoutCode(records: readonly ChainRecord[]): number {
  let count = 0;
  for (const record of records.toReversed()) {
    // What a person said asks for another reply.
    if (record.kind === 'steer' || record.kind === 'fork') return count;
    if (record.kind !== 'reply' || record.purpose !== 'turn') continue;
    const { kind } = replyOutcome(record);
    if (kind === 'code') return count;
    if (kind === 'text' || kind === 'withheld') count += 1;
  }
  return count;
}

/**
 * Where the part of a trajectory that follows `head` begins. A head that is behind (after a reset, or where an earlier
 * attempt got further) has the continuation that is recorded.
 *
 * @returns an index; undefined when `head` is not in the trajectory
 */
export function recordsAfter(records: readonly ChainRecord[], newest: string, head: string): number | undefined {
  if (newest === head) return records.length;
  const next = records.findIndex(({ parent }) => parent === head);
  return next === -1 ? undefined : next;
}
