import { isCancellation } from '@temporalio/workflow';
import type { AgentScope, PendingCall } from '../domain/contract.ts';
import type { Answer, RecordedAnswer } from '../domain/records.ts';
import { addUsage, NO_USAGE, type Usage } from '../domain/usage.ts';
import { modelActivities } from './activities.ts';
import { failureMessage } from './failure-type.ts';
import type { LeaseHolder } from './lease-holder.ts';
import type { SubAgents } from './sub-agents.ts';
import type { Persistence } from './persistence.ts';
import type { Spending } from './spending.ts';

/** Prompts that share one activity: each activity costs the server some milliseconds. */
const PROMPTS_AN_ACTIVITY = 10;

export interface AnsweredCall {
  readonly answer: RecordedAnswer;
  /** Of `llm_query` calls; sub-agents keep their own books. */
  readonly usage: Usage;
}

export interface CallContext {
  readonly scope: AgentScope;
  readonly limits: { readonly max_llm_calls: number };
  readonly leases: LeaseHolder;
  readonly subAgents: SubAgents;
  readonly persistence: Persistence;
  readonly spending: Spending;
}

/** Answers one call of the running code. What goes wrong is data for the code; only a cancellation is thrown. */
export async function answerCall(context: CallContext, call: PendingCall): Promise<AnsweredCall> {
  const { answers, usage } = await answersFor(context, call);
  const [first] = answers;
  const answer: Answer = call.batched || first === undefined ? { items: answers } : first;
  return { answer: { call: call.call, function: call.function, hash: call.hash, answer }, usage };
}

interface Answers {
  readonly answers: readonly Answer[];
  readonly usage: Usage;
}

async function answersFor(context: CallContext, call: PendingCall): Promise<Answers> {
  if (call.count === 0) return { answers: [], usage: NO_USAGE };
  try {
    if (call.function.startsWith('llm_query')) return await askModels(context, call);
    if (call.function.startsWith('rlm_query'))
      return { answers: await context.subAgents.run(call.list, call.count), usage: NO_USAGE };
    return { answers: errors(call.count, `there is no function ${call.function}`), usage: NO_USAGE };
  } catch (error) {
    if (isCancellation(error)) throw error;
    return { answers: errors(call.count, failureMessage(error)), usage: NO_USAGE };
  }
}

async function askModels(context: CallContext, call: PendingCall): Promise<Answers> {
  const { llm_calls: granted } = await context.leases.take({ llm_calls: call.count });
  const parts: Promise<Answers>[] = [];
  for (let from = 0; from < granted; from += PROMPTS_AN_ACTIVITY) {
    parts.push(askPart(context, call, { from, to: Math.min(granted, from + PROMPTS_AN_ACTIVITY) }));
  }
  const answered = await Promise.all(parts);
  const refused = errors(
    call.count - granted,
    `the budget of llm_query calls is used up (rlm.max_llm_calls: ${context.limits.max_llm_calls} for the whole run)`,
  );
  return {
    answers: [...answered.flatMap(({ answers }) => answers), ...refused],
    usage: addUsage(...answered.map(({ usage }) => usage)),
  };
}

async function askPart(context: CallContext, call: PendingCall, range: { from: number; to: number }): Promise<Answers> {
  const { scope, persistence } = context;
  const what = call.count === 1 ? call.function : `${call.function} ${range.from + 1}-${range.to} of ${call.count}`;
  try {
    const ask = (): Promise<Answers> =>
      modelActivities(what).answerPrompts({ scope, call: call.call, list: call.list, ...range });
    return await persistence.run(() => context.spending.pay(ask));
  } catch (error) {
    if (isCancellation(error)) throw error;
    return { answers: errors(range.to - range.from, failureMessage(error)), usage: NO_USAGE };
  }
}

export function errors(count: number, error: string): Answer[] {
  return Array.from({ length: Math.max(0, count) }, () => ({ error }));
}
