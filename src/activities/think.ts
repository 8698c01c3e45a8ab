import { activityInfo } from '@temporalio/activity';
import type { ThinkInput, ThinkResult } from '../domain/contract.ts';
import { agentDepth } from '../domain/ids.ts';
import type { AgentReference, ChainRecord, ReplyRecord } from '../domain/records.ts';
import { replyOutcome, splitReasoning } from '../domain/reply.ts';
import { closingAnswer, signatureOf } from '../domain/closing-answer.ts';
import { addUsage } from '../domain/usage.ts';
import { seconds } from './clock.ts';
import { askWithRoom, reachedBase, summariesBetween } from './compact.ts';
import type { ActivityDependencies, Scoped } from './dependencies.ts';
import { whileBeating } from './heartbeat.ts';
import { keepPaid } from './keep-paid.ts';
import { chainHead, readAgentReference, updateAgentReference, type AgentScope } from './trajectory.ts';

/** Asks the model for an agent's next turn and records the reply. A reply that was recorded is never asked for again. */
export async function think(deps: ActivityDependencies, input: Scoped<ThinkInput>): Promise<ThinkResult> {
  return whileBeating((signal) => takeReply(deps, input, signal));
}

export async function takeReply(
  deps: ActivityDependencies,
  input: Scoped<ThinkInput>,
  signal: AbortSignal,
): Promise<ThinkResult> {
  const head = await chainHead(deps, input.scope, input.head);
  const reference = await readAgentReference(deps, input.scope);
  const recorded = await recordedReply(deps, input, head, reference);
  if (recorded !== undefined) return recorded;
  const run = await deps.chains.specification(input.scope.spec);
  // Before anything is paid: a store that is away shows itself here.
  await showThinking(deps, input, head, reference);
  // Said by an earlier attempt that was stopped in the middle of recording it, and goes on only now.
  const late = isAnotherAttempt() ? await lateReply(deps, input, head) : undefined;
  if (late !== undefined) return late;
  const started = performance.now();
  const stage = { deps, input, run, signal };
  const { reply, base, messages } = await askWithRoom(stage, await reachedBase(deps, input.scope, head));
  deps.checkpoint('model.replied');
  const { reasoning: thought, text } = splitReasoning(reply.text);
  const reasoning = [reply.reasoning ?? '', thought].filter((part) => part !== '').join('\n\n');
  const record: ReplyRecord = {
    v: 1,
    kind: 'reply',
    parent: base.head,
    iteration: input.iteration,
    purpose: input.purpose,
    text,
    ...(reasoning === '' ? {} : { reasoning }),
    finish_reason: reply.finish_reason,
    model: reply.model,
    usage: reply.usage,
    execution_time: seconds(performance.now() - started),
    request: {
      messages: messages.length,
      characters: messages.reduce((sum, message) => sum + message.content.length, 0),
      last: messages.at(-1)?.content ?? '',
    },
  };
  const next = await keepPaid(() => deps.chains.append(record), signal);
  const own = thinkResult(next, record, await isUnfit(deps, input.scope, record));
  const result = { ...own, usage: addUsage(own.usage, base.usage) };
  const state = result.blocks > 0 ? 'running' : 'thinking';
  await keepPaid(() => updateAgentReference(deps, input.scope, { head: next, state }, reply.usage), signal);
  deps.checkpoint('reply.recorded');
  return result;
}

/** For whoever watches; mostly the block before has said so already. */
async function showThinking(
  deps: ActivityDependencies,
  input: Scoped<ThinkInput>,
  head: string,
  reference: AgentReference | undefined,
): Promise<void> {
  const { iteration } = input;
  const isShown = reference?.head === head && reference.state === 'thinking' && reference.iteration === iteration;
  if (!isShown) await updateAgentReference(deps, input.scope, { head, state: 'thinking', iteration });
}

function isAnotherAttempt(): boolean {
  return activityInfo().attempt > 1;
}

async function lateReply(
  deps: ActivityDependencies,
  input: Scoped<ThinkInput>,
  head: string,
): Promise<ThinkResult | undefined> {
  return recordedReply(deps, input, head, await readAgentReference(deps, input.scope));
}

/** The journal: the agent's reference already names a reply to this very head, or what its code did since. */
async function recordedReply(
  deps: ActivityDependencies,
  input: Scoped<ThinkInput>,
  head: string,
  reference: AgentReference | undefined,
): Promise<ThinkResult | undefined> {
  if (reference === undefined || reference.head === head) return undefined;
  for (let hash: string | null = reference.head; hash !== null && hash !== head;) {
    const record: ChainRecord = await deps.chains.record(hash);
    if (record.kind === 'reply') {
      const before = await summariesBetween(deps, head, record.parent);
      if (before === undefined || record.purpose !== input.purpose) return undefined;
      const result = thinkResult(hash, record, await isUnfit(deps, input.scope, record));
      return { ...result, usage: addUsage(result.usage, before) };
    }
    hash = record.parent;
  }
  return undefined;
}

/** Whether a closing answer is none. */
async function isUnfit(deps: ActivityDependencies, scope: AgentScope, reply: ReplyRecord): Promise<boolean> {
  if (reply.purpose !== 'extract') return false;
  const run = await deps.chains.specification(scope.spec);
  return closingAnswer(signatureOf(run, agentDepth(scope.agent)), reply).kind === 'unusable';
}

/** What a workflow hears of a reply. */
export function thinkResult(head: string, record: ReplyRecord, unfit = false): ThinkResult {
  const outcome = replyOutcome(record);
  const isEmpty = outcome.kind === 'withheld' || (outcome.kind === 'text' && outcome.text === '');
  return {
    head,
    blocks: outcome.kind === 'code' ? outcome.blocks.length : 0,
    ...(outcome.kind === 'truncated' ? { cut: true as const } : {}),
    ...(isEmpty ? { empty: true as const } : {}),
    ...(outcome.kind === 'tool_call' ? { tool_call: true as const } : {}),
    ...(unfit ? { unfit: true as const } : {}),
    usage: record.usage,
  };
}
