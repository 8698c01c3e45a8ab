import { ActivityCancellationType, isCancellation } from '@temporalio/workflow';
import { costUsedUp, promptsUsedUp } from '../domain/budget.ts';
import { answerUsage, isQuery, type Answer, type CallAnswer, type PendingCall } from '../domain/records.ts';
import { modelActivities, runActivities } from './activities.ts';
import type { Agent } from './agent-parts.ts';
import { errorAnswers } from './error-answers.ts';
import { failureMessage, isFailure, typedFailure } from './failure.ts';
import type { AskedPrompts } from './paid-calls.ts';

const CANCELLED_AT_ONCE = { cancellationType: ActivityCancellationType.TRY_CANCEL } as const;

type CallContext = Pick<Agent, 'input' | 'budget' | 'subAgents' | 'pauseOnError' | 'approvals' | 'askingModels'>;

/** Answers one call of the running code. What goes wrong is data for the code; a cancellation and `Run.BudgetLost` are thrown. */
export async function answerCall(context: CallContext, call: PendingCall): Promise<CallAnswer> {
  if (!isQuery(call.function)) return { call: call.call, answer: await callTool(context, call) };
  const answers = await answersFor(context, call);
  const [first] = answers;
  const answer: Answer = call.batch !== undefined || first === undefined ? { items: answers } : first;
  return { call: call.call, answer };
}

async function callTool({ input: { execution }, approvals }: CallContext, pending: PendingCall): Promise<Answer> {
  const { call, request, function: name } = pending;
  try {
    const refusal = await approvals.ask('tools', questionOf(pending));
    if (refusal !== undefined) return { error: refusal };
    const { answer } = await runActivities({ summary: name, ...CANCELLED_AT_ONCE }).callTool({
      execution,
      call,
      request,
    });
    return answer;
  } catch (error) {
    if (isCancellation(error)) throw error;
    return { error: failureMessage(error) };
  }
}

/** What a person is asked about a call. */
function questionOf({ call, function: name, request, preview = '' }: PendingCall): {
  call: string;
  text: string;
  ref: string;
} {
  return { call, text: `the code is to call ${name}(${preview})`, ref: request };
}

async function answersFor(context: CallContext, call: PendingCall): Promise<readonly Answer[]> {
  const count = call.batch ?? 1;
  if (count === 0) return [];
  try {
    if (call.function.startsWith('llm_query')) return await askModels(context, call, count);
    const refusal = await context.approvals.ask('sub_agents', questionOf(call));
    if (refusal !== undefined) return errorAnswers(count, refusal);
    return await storeMany(context, await context.subAgents.run(call, count));
  } catch (error) {
    if (isCancellation(error) || isFailure(error, 'Run.BudgetLost')) throw error;
    return errorAnswers(count, failureMessage(error));
  }
}

async function askModels(context: CallContext, call: PendingCall, count: number): Promise<readonly Answer[]> {
  const { input, budget, pauseOnError } = context;
  const answers: Answer[] = [];
  let asked = 0;
  const askRest = async (): Promise<AskedPrompts> => {
    const first = asked;
    const outcome = await budget.payForPrompts(count - first, async (from, to) => {
      const some = await askRange(context, call, first + from, first + to);
      answers.push(...some);
      asked = first + to;
      return some.map((answer) => answerUsage(answer).cost);
    });
    // With `on_error: fail` those that are not paid are errors for the code.
    if (outcome.unpaid > 0 && input.limits.on_error === 'pause')
      throw typedFailure('Budget.Exhausted', costUsedUp(outcome.limits));
    return outcome;
  };
  // Of what fails only this pauses here, and the rest is asked when there is more; a part pauses for itself.
  const { unpaid, limits } = await pauseOnError.run(askRest);
  const refused = count - asked - unpaid;
  context.subAgents.refusePrompts(refused);
  return [...answers, ...errorAnswers(unpaid, costUsedUp(limits)), ...errorAnswers(refused, promptsUsedUp(limits))];
}

/** Activities that answer prompts, open in one agent: Temporal takes 2,000 of a workflow. */
export const MAX_OPEN_ACTIVITIES = 500;

async function askRange(context: CallContext, call: PendingCall, from: number, to: number): Promise<readonly Answer[]> {
  // Each activity costs the server some milliseconds, and the agent's history some events, of which it may have 51,200.
  const size = Math.max(context.input.limits.prompts_per_activity, Math.ceil((to - from) / MAX_OPEN_ACTIVITIES));
  const ranges: { readonly from: number; readonly to: number }[] = [];
  for (let first = from; first < to; first += size) ranges.push({ from: first, to: Math.min(to, first + size) });
  const inline = Math.min(MAX_INLINE_OF_PART, Math.floor(MAX_INLINE_CHARACTERS / ranges.length));
  const parts = ranges.map((range) => context.askingModels(() => askPart(context, call, { range, inline })));
  return (await Promise.all(parts)).flat();
}

/** Answers that travel as they are: together at most some 60 KB, and each activity that stores others gets 400 KB. */
const MAX_INLINE_CHARACTERS = 64_000;
/** Of one activity that answers prompts. */
const MAX_INLINE_OF_PART = 2000;
const MAX_STORED_CHARACTERS = 400_000;

/** Answers of sub-agents, by reference where they are too many or too long for a payload. */
async function storeMany({ input, pauseOnError }: CallContext, answers: readonly Answer[]): Promise<readonly Answer[]> {
  const sizes = answers.map((answer) => JSON.stringify(answer).length);
  if (sizes.reduce((sum, size) => sum + size, 0) <= MAX_INLINE_CHARACTERS) return answers;
  const parts: Answer[][] = [];
  let room = 0;
  for (const [index, answer] of answers.entries()) {
    room -= sizes[index] ?? 0;
    const last = parts.at(-1);
    if (last === undefined || room < 0) {
      parts.push([answer]);
      room = MAX_STORED_CHARACTERS - (sizes[index] ?? 0);
    } else last.push(answer);
  }
  const { storeAnswers } = runActivities({ summary: `store ${answers.length} answers` });
  const { execution } = input;
  return Promise.all(parts.map((part) => pauseOnError.run(() => storeAnswers({ execution, answers: part }))));
}

async function askPart(
  { input, pauseOnError }: CallContext,
  call: PendingCall,
  { range, inline }: { readonly range: { readonly from: number; readonly to: number }; readonly inline: number },
): Promise<readonly Answer[]> {
  const { from, to } = range;
  const part = call.batch === undefined ? {} : { range };
  const what = call.batch === undefined ? call.function : `${call.function} ${from + 1}-${to} of ${call.batch}`;
  try {
    const { answers } = await pauseOnError.run(() =>
      modelActivities(what, input.queues).answerPrompts({
        execution: input.execution,
        call: call.call,
        request: call.request,
        ...part,
        inline,
      }),
    );
    return answers;
  } catch (error) {
    if (isCancellation(error)) throw error;
    return errorAnswers(to - from, failureMessage(error));
  }
}
