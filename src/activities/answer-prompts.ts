import { activityInfo } from '@temporalio/activity';
import type { AnswerPromptsInput, AnswerPromptsResult } from '../domain/contract.ts';
import { MODEL_ATTEMPTS } from '../domain/contract.ts';
import { FAILURES, TypedError } from '../domain/failures.ts';
import type { Answer } from '../domain/records.ts';
import { addUsage, NO_USAGE, type Usage } from '../domain/usage.ts';
import type { ActivityDependencies } from './dependencies.ts';
import { whileBeating } from './heartbeat.ts';

interface JournalEntry {
  readonly ref: string;
  readonly usage: Usage;
}

/**
 * Answers some prompts of one `llm_query` or `llm_query_batched` call, all at once. Each answer is journalled by
 * itself: a retry asks only what has no answer yet. A prompt that cannot be answered gets an error of its own.
 */
export async function answerPrompts(
  deps: ActivityDependencies,
  input: AnswerPromptsInput,
): Promise<AnswerPromptsResult> {
  const prompts = ((await deps.chains.getJson(input.list)) as readonly string[]).slice(input.from, input.to);
  const settled = await whileBeating((signal) =>
    Promise.allSettled(
      prompts.map((prompt, at) => answerOnce(deps, input, { prompt, index: input.from + at, signal })),
    ),
  );
  const lastAttempt = activityInfo().attempt >= MODEL_ATTEMPTS;
  const results = settled.map((outcome) =>
    outcome.status === 'fulfilled' ? outcome.value : errorAnswer(outcome.reason, lastAttempt),
  );
  return {
    answers: results.map(({ answer }) => answer),
    usage: addUsage(...results.map(({ usage }) => usage)),
  };
}

interface Prompt {
  readonly prompt: string;
  readonly index: number;
  readonly signal: AbortSignal;
}

interface Answered {
  readonly answer: Answer;
  readonly usage: Usage;
}

async function answerOnce(
  deps: ActivityDependencies,
  input: AnswerPromptsInput,
  { prompt, index, signal }: Prompt,
): Promise<Answered> {
  const { run, execution, agent, spec } = input.scope;
  const name = `journal/${run}@${execution}/${agent}/${input.call}.${index}`;
  const journalled = (await deps.blobs.getReference(name)) as JournalEntry | undefined;
  if (journalled !== undefined) return { answer: { ref: journalled.ref }, usage: journalled.usage };
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
  const entry: JournalEntry = { ref: await deps.chains.putJson(reply.text), usage: reply.usage };
  await deps.blobs.setReference(name, entry);
  deps.checkpoint('prompt.recorded');
  return { answer: { ref: entry.ref }, usage: entry.usage };
}

/** Data for the code, or rethrown: then Temporal retries, or the run pauses. */
function errorAnswer(error: unknown, lastAttempt: boolean): Answered {
  if (!(error instanceof TypedError)) throw error;
  if (error.type === 'Model.Refused' || error.type === 'Model.KeyMissing') throw error;
  const isFinal = !FAILURES[error.type].retryable || (lastAttempt && error.type.startsWith('Model.'));
  if (!isFinal) throw error;
  return { answer: { error: error.message }, usage: NO_USAGE };
}
