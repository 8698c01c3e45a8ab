import type { TaskReference, ThinkResult } from '../domain/contract.ts';
import { addUsage, NO_USAGE, type Usage } from '../domain/usage.ts';
import type { ActivityDependencies } from './dependencies.ts';
import { thinkResult } from './think.ts';
import { openAgentReference, type AgentScope } from './trajectory.ts';

/** Where an agent stands: a reply is there, and the blocks up to `block` have been run before it. */
export interface Turn {
  readonly turns: number;
  readonly iteration: number;
  readonly block: number;
  readonly reply: ThinkResult;
}

/** What earlier attempts of this very activity got to: the turns beyond its head. */
export async function reachedTurn(
  deps: ActivityDependencies,
  scope: AgentScope,
  { head, iteration, block }: { head: string | TaskReference; iteration: number; block: number },
): Promise<Omit<Turn, 'reply'> & { readonly reply?: ThinkResult }> {
  const nothing = { turns: 1, iteration, block };
  const reference = await openAgentReference(deps, scope);
  if (reference === undefined || reference.head === head) return nothing;
  const records = await deps.chains.walk(reference.head);
  const from = typeof head === 'string' ? await positionOf(deps, records.length, reference.head, head) : 1;
  if (from === undefined) return nothing;
  let newest: (Omit<Turn, 'reply'> & { reply?: ThinkResult }) | undefined;
  let blocks = block;
  let summaries: Usage = NO_USAGE;
  for (const [at, record] of records.entries()) {
    if (at < from) continue;
    if (record.kind === 'block') blocks = record.block;
    if (record.kind === 'summary') summaries = addUsage(summaries, record.usage);
    if (record.kind !== 'reply') continue;
    if (record.purpose !== 'turn') return nothing;
    const hash = records[at + 1]?.parent ?? reference.head;
    const own = thinkResult(hash, record);
    const reply = { ...own, usage: addUsage(own.usage, summaries) };
    summaries = NO_USAGE;
    newest = {
      turns: newest === undefined ? 1 : newest.turns + 1,
      iteration: record.iteration,
      block: blocks,
      reply: newest?.reply === undefined ? reply : { ...reply, usage: addUsage(newest.reply.usage, reply.usage) },
    };
  }
  return newest ?? nothing;
}

/** How many records a chain of `length` has up to and with `head`; undefined when it is not in it. */
async function positionOf(
  deps: ActivityDependencies,
  length: number,
  newest: string,
  head: string,
): Promise<number | undefined> {
  let at = length;
  for (let hash: string | null = newest; hash !== null; at -= 1) {
    if (hash === head) return at;
    hash = (await deps.chains.record(hash)).parent;
  }
  return undefined;
}
