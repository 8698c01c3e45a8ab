import type { ActInput, BlockStep } from '../domain/contract.ts';
import type { BlockResult } from '../domain/kernel-protocol.ts';
import type { ChainRecord, ReplyRecord } from '../domain/records.ts';
import type { ActivityDependencies, Scoped } from './dependencies.ts';
import { readAgentReference } from './trajectory.ts';

export interface Position {
  readonly head: string;
  readonly step: BlockStep;
  /** The input's answers are in the chain already. */
  readonly delivered: boolean;
  /** The result of `step`'s block, which is in the chain already. */
  readonly finished?: BlockResult;
}

/** What may lie between the input's head and where an earlier attempt got to. */
const PASSED: ReadonlySet<ChainRecord['kind']> = new Set(['answers', 'block', 'rebuild', 'summary']);

/** Where an earlier attempt of this very activity got to: what the agent's reference has beyond the input's head. */
export async function reachedPosition(deps: ActivityDependencies, input: Scoped<ActInput>): Promise<Position> {
  const start: Position = { head: input.head, step: input.step, delivered: false };
  const reference = await readAgentReference(deps, input.scope);
  if (reference === undefined || reference.head === input.head) return start;
  const beyond: { hash: string; record: ChainRecord }[] = [];
  for (let hash: string | null = reference.head; hash !== input.head;) {
    if (hash === null) return start;
    const record: ChainRecord = await deps.chains.record(hash);
    if (!PASSED.has(record.kind)) return start;
    beyond.unshift({ hash, record });
    hash = record.parent;
  }
  let position = start;
  for (const { hash, record } of beyond) {
    if (record.kind === 'rebuild' || record.kind === 'summary') position = { ...position, head: hash };
    if (record.kind === 'answers') position = { ...position, head: hash, delivered: true };
    if (record.kind === 'block') {
      // A block after the first began at the record before it.
      const step = { index: record.index, block: record.block, cursor: 0 };
      position = { head: hash, step, delivered: true, finished: record.result };
    }
  }
  return position;
}

/** The reply whose code runs, and what is recorded since. */
export async function recordsSinceReply(deps: ActivityDependencies, head: string): Promise<ChainRecord[]> {
  const records: ChainRecord[] = [];
  for (let hash: string | null = head; hash !== null;) {
    const record: ChainRecord = await deps.chains.record(hash);
    records.unshift(record);
    hash = record.kind === 'reply' ? null : record.parent;
  }
  return records;
}

export async function replyOf(deps: ActivityDependencies, head: string): Promise<ReplyRecord> {
  for (let hash: string | null = head; hash !== null;) {
    const record: ChainRecord = await deps.chains.record(hash);
    if (record.kind === 'reply') return record;
    hash = record.parent;
  }
  throw new Error('a trajectory without a reply has no code to run');
}
