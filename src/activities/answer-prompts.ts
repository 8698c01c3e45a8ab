import pLimit from 'p-limit';
import type { AnswerPromptsInput, AnswerPromptsResult } from '../domain/contract.ts';
import type { RunConfig } from '../domain/config.ts';
import { FAILURES, TypedError } from '../domain/failures.ts';
import { splitReasoning } from '../domain/reply.ts';
import type { Answer, CallRequest, CallUsage } from '../domain/records.ts';
import type { ActivityDependencies, Scoped } from './dependencies.ts';
import { withHeartbeat } from './with-heartbeat.ts';
import { persistWithRetry } from './persist-with-retry.ts';
import { exhausted, isExhausted } from './model-attempts.ts';

/**
 * Prompts of this process at one time, until their answers are recorded: were more on their way, more would be lost,
 * and paid again, when the process is killed.
 */
const AT_ONCE = 500;
const room = pLimit(AT_ONCE);

interface JournalEntry {
  readonly ref: string;
  readonly usage: CallUsage;
}

/**
 * Answers some prompts of one `llm_query` or `llm_query_batched` call, all at once. Each answer is journalled by
 * itself: a retry asks only what has no answer yet. A prompt that cannot be answered gets an error of its own.
 */
export async function answerPrompts(
  deps: ActivityDependencies,
  input: Scoped<AnswerPromptsInput>,
): Promise<AnswerPromptsResult> {
  const { list } = (await deps.chains.getJson(input.request)) as CallRequest;
  const { from, to } = input.range ?? { from: 0, to: list.length };
  const prompts = list.slice(from, to);
  const settled = await withHeartbeat((signal) =>
    Promise.allSettled(
      prompts.map((prompt, at) => room(() => answerOnce(deps, input, { prompt, index: from + at, signal }))),
    ),
  );
  const { config } = await deps.chains.specification(input.scope.spec);
  return {
    answers: settled.map((outcome) =>
      outcome.status === 'fulfilled' ? outcome.value : errorAnswer(outcome.reason, config),
    ),
  };
}

interface Prompt {
  readonly prompt: string;
  readonly index: number;
  readonly signal: AbortSignal;
}

async function answerOnce(
  deps: ActivityDependencies,
  input: Scoped<AnswerPromptsInput>,
  { prompt, index, signal }: Prompt,
): Promise<Answer> {
  const { run, execution, agent, spec } = input.scope;
  // By what was asked as well: in a sandbox that was made again another call may have the same number.
  const name = `journal/${run}@${execution}/${agent}/${input.call}-${input.request.slice(0, 16)}.${index}`;
  const journalled = (await deps.blobs.getReference(name)) as JournalEntry | undefined;
  if (journalled !== undefined) return journalled;
  const { config } = await deps.chains.specification(spec);
  const reply = await deps.models(config.model).complete(
    {
      model: config.model.sub_name ?? config.model.name,
      messages: [{ role: 'user', content: prompt }],
      idempotencyKey: `${execution}/${agent}/${input.call}.${index}`,
    },
    signal,
  );
  deps.checkpoint('prompt.replied');
  const { input_tokens, output_tokens, cost } = reply.usage;
  const entry: JournalEntry = {
    ref: await persistWithRetry(() => deps.chains.putJson(splitReasoning(reply.text).text), signal),
    usage: { input_tokens, output_tokens, cost },
  };
  const outcome = await persistWithRetry(() => deps.blobs.swapReference(name, entry, null), signal);
  deps.checkpoint('prompt.recorded');
  // Another attempt was faster: one prompt has one answer.
  return outcome.kind === 'swapped' ? entry : ((outcome.current?.value as JournalEntry | undefined) ?? entry);
}

/** Data for the code, or rethrown: then Temporal retries, or the run pauses. */
function errorAnswer(error: unknown, { model, rlm }: RunConfig): Answer {
  if (!(error instanceof TypedError)) throw error;
  const spent = isExhausted(error, model);
  if (FAILURES[error.type].retryable && !spent) throw error;
  // Without its key or its credit no other prompt would fare better: a person is asked.
  const refused = error.type === 'Model.Refused' || error.type === 'Model.KeyMissing';
  if (refused && rlm.on_error === 'pause') throw spent ? exhausted(error, model) : error;
  return { error: error.message };
}
