import type { ThinkInput } from '../domain/contract.ts';
import { estimatedTokens, lastToSummarize } from '../domain/prompts/compaction.ts';
import { renderConversation, type Message } from '../domain/prompts/conversation.ts';
import type { ChainRecord, RunSpecification, SummaryRecord } from '../domain/records.ts';
import { addUsage, NO_USAGE, type Usage } from '../domain/usage.ts';
import type { ChatReply } from '../llm/chat-model.ts';
import { askModel, isTooLong } from './ask-model.ts';
import { seconds } from './clock.ts';
import type { ActivityDependencies, Scoped } from './dependencies.ts';
import { keepPaid } from './keep-paid.ts';
import { updateAgentReference } from './trajectory.ts';

/** What a turn is asked from: the head it was to be asked from, and summaries made since. */
export interface Base {
  readonly head: string;
  readonly records: readonly ChainRecord[];
  /** Of those summaries. */
  readonly usage: Usage;
}

interface Stage {
  readonly deps: ActivityDependencies;
  readonly input: Scoped<ThinkInput>;
  readonly run: RunSpecification;
  readonly signal: AbortSignal;
}

export interface Asked {
  readonly reply: ChatReply;
  readonly base: Base;
  readonly messages: readonly Message[];
}

/**
 * An earlier attempt may have made a summary already.
 *
 * @param newest - head that the agent's reference has.
 */
export async function reachedBase(deps: ActivityDependencies, head: string, newest = head): Promise<Base> {
  const usage = newest === head ? undefined : await summariesBetween(deps, head, newest);
  const reached = usage === undefined ? head : newest;
  return { head: reached, records: await deps.chains.walk(reached), usage: usage ?? NO_USAGE };
}

/** What the summaries cost between the two heads; undefined where something else is between them. */
export async function summariesBetween(
  deps: ActivityDependencies,
  head: string,
  newest: string | null,
): Promise<Usage | undefined> {
  let usage = NO_USAGE;
  for (let hash = newest; hash !== head;) {
    if (hash === null) return undefined;
    const record: ChainRecord = await deps.chains.record(hash);
    if (record.kind !== 'summary') return undefined;
    usage = addUsage(usage, record.usage);
    hash = record.parent;
  }
  return usage;
}

/**
 * Asks for a turn. A conversation that nears `rlm.compaction`, or that the model finds too long, is made shorter first:
 * a summary takes the place of its older turns. The variables of the code are untouched by that.
 */
export async function askWithRoom(stage: Stage, from: Base): Promise<Asked> {
  const { deps, input, run, signal } = stage;
  const { compaction } = run.config.rlm;
  let base = from;
  let messages = renderConversation(base.records, run, input.purpose);
  const size = messages.reduce((sum, { content }) => sum + content.length, 0);
  if (input.purpose === 'turn' && compaction !== undefined && estimatedTokens(base.records, size) > compaction) {
    base = (await summarize(stage, base, compaction)) ?? base;
    messages = renderConversation(base.records, run, input.purpose);
  }
  const ask = (): Promise<ChatReply> => askModel(deps, { ...input, run, messages, head: base.head, signal });
  try {
    return { reply: await ask(), base, messages };
  } catch (error) {
    if (!isTooLong(error) || input.purpose !== 'turn' || compaction === undefined) throw error;
    // The model's context is smaller than was thought: only the last turn is kept.
    const shorter = await summarize(stage, base, 0);
    if (shorter === undefined) throw error;
    base = shorter;
    messages = renderConversation(base.records, run, input.purpose);
    return { reply: await ask(), base, messages };
  }
}

/** @returns undefined where there is nothing that could be left out */
async function summarize(stage: Stage, base: Base, limit: number): Promise<Base | undefined> {
  const { deps, input, run, signal } = stage;
  const through = lastToSummarize(base.records, limit);
  if (through === undefined) return undefined;
  const started = performance.now();
  const messages = renderConversation(upTo(base.records, through), run, 'summary');
  const reply = await askModel(deps, { ...input, purpose: 'summary', run, messages, head: base.head, signal });
  deps.checkpoint('model.replied');
  const record: SummaryRecord = {
    v: 1,
    kind: 'summary',
    parent: base.head,
    iteration: input.iteration,
    through,
    text: reply.text,
    model: reply.model,
    usage: reply.usage,
    execution_time: seconds(performance.now() - started),
  };
  const head = await keepPaid(() => deps.chains.append(record), signal);
  await keepPaid(() => updateAgentReference(deps, input.scope, { head }, reply.usage), signal);
  deps.checkpoint('summary.recorded');
  return { head, records: [...base.records, record], usage: addUsage(base.usage, reply.usage) };
}

/** The chain up to the end of an iteration. */
function upTo(records: readonly ChainRecord[], iteration: number): readonly ChainRecord[] {
  const next = records.findIndex((record) => record.kind === 'reply' && record.iteration > iteration);
  return next === -1 ? records : records.slice(0, next);
}
