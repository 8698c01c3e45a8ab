import { fold } from './agent-state.ts';
import { agentDepth } from './ids.ts';
import type { ChainRecord } from './records.ts';

/** Where a new run takes up the trajectory of another. */
export interface ForkPoint {
  /** The records that both share. */
  readonly records: readonly ChainRecord[];
  /** Of the last turn in them; 0 where there is only the task. */
  readonly iteration: number;
  /** Sub-agents that the shared part has started: new ones are numbered after them. */
  readonly started: number;
}

export type FoundForkPoint =
  | { readonly kind: 'found'; readonly point: ForkPoint }
  | { readonly kind: 'none'; readonly problem: string };

/**
 * The part of a trajectory up to the end of an iteration: its reply, and its code with all output.
 *
 * @param at - default: the last iteration whose code has ended
 */
export function forkPoint(records: readonly ChainRecord[], at?: number): FoundForkPoint {
  const last = records.reduce(
    (newest, record) => (record.kind === 'reply' && record.purpose === 'turn' ? record.iteration : newest),
    0,
  );
  const wanted = at ?? last;
  if (!Number.isInteger(wanted) || wanted < 0 || wanted > last) {
    const there = last === 0 ? 'it has none yet' : `it has iterations 1 to ${last}, and 0 is its task alone`;
    return { kind: 'none', problem: `The agent has no iteration ${wanted}: ${there}.` };
  }
  const shared = upToIteration(records, wanted);
  if (fold(shared).pending === undefined) return { kind: 'found', point: pointOf(shared, wanted) };
  if (at === undefined && wanted > 0) return forkPoint(records, wanted - 1);
  return { kind: 'none', problem: `The code of iteration ${wanted} has not ended: take an iteration before it.` };
}

function upToIteration(records: readonly ChainRecord[], iteration: number): readonly ChainRecord[] {
  const own = records.findLastIndex((record) => record.kind === 'reply' && record.iteration <= iteration);
  const end = records.findIndex(({ kind }, index) => index > own && index > 0 && !BELONGS_TO_TURN.has(kind));
  return end === -1 ? records : records.slice(0, end);
}

/** What follows a reply before anything of the next turn. */
const BELONGS_TO_TURN: ReadonlySet<ChainRecord['kind']> = new Set(['calls', 'answers', 'block', 'rebuild']);

function pointOf(records: readonly ChainRecord[], iteration: number): ForkPoint {
  const [first] = records;
  const depth = first?.kind === 'task' ? agentDepth(first.agent) : 0;
  const spawned = records.flatMap((record) => (record.kind === 'block' ? record.spawned : []));
  const numbers = spawned.map((agent) => Number(agent.split('.')[depth + 1] ?? 0));
  return { records, iteration, started: Math.max(0, ...numbers) };
}

/** The records of this run: those before them it shares with the run it was forked from. */
export function ownRecords(records: readonly ChainRecord[]): readonly ChainRecord[] {
  const fork = records.findLastIndex(({ kind }) => kind === 'fork');
  return fork === -1 ? records : records.slice(fork);
}
