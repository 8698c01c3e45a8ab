import type { AnswerPromptsInput, AnswerPromptsResult } from '../domain/contract.ts';
import type { RunConfig } from '../domain/config.ts';
import { FAILURES, TypedError, type FailureType } from '../domain/failures.ts';
import { splitReasoning } from '../domain/reply.ts';
import type { Answer, CallRequest } from '../domain/records.ts';
import { addUsage, type Usage } from '../domain/usage.ts';
import type { ChatReply } from '../llm/chat-model.ts';
import { truncate } from '../domain/truncate.ts';
import { storedAnswers } from './answers.ts';
import type { ActivityDependencies, ForAgent } from './dependencies.ts';
import { noteFailedPrompts } from './failed-prompts.ts';
import { assertOwnCall } from './origin.ts';
import { exhausted, isExhausted, noteKeyMissing } from './model-attempts.ts';
import { persistWithRetry } from './persist-with-retry.ts';
import { openPromptJournal, promptKey, type PromptEntry, type PromptJournal } from './prompt-journal.ts';
import { withHeartbeat } from './with-heartbeat.ts';

/** How often a prompt is asked that gets an empty answer: they mostly pass. */
const MAX_EMPTY_ANSWERS = 3;

/**
 * Answers some prompts of one `llm_query` or `llm_query_batched` call, all at once. Each answer is journalled by
 * itself: a retry asks only what has no answer yet. A prompt that cannot be answered gets an error of its own.
 */
export async function answerPrompts(
  deps: ActivityDependencies,
  input: ForAgent<AnswerPromptsInput>,
): Promise<AnswerPromptsResult> {
  await assertOwnCall(deps, input.scope, input);
  const { list } = (await deps.chains.getJson(input.request)) as CallRequest;
  const { config } = await deps.chains.specification(input.scope.settings);
  const { from, to } = input.range ?? { from: 0, to: list.length };
  const prompts = list.slice(from, to);
  return withHeartbeat(async (signal) => {
    const journal = await openPromptJournal(deps.blobs, input, from);
    const settled = await Promise.allSettled(
      prompts.map((prompt, at) => answerOnce(deps, input, { config, prompt, index: from + at, journal, signal })),
    );
    await journal.close();
    const answers = settled.map((outcome) =>
      outcome.status === 'fulfilled' ? outcome.value : errorAnswer(outcome.reason, config, deps.host),
    );
    await noteFailedPrompts(deps, input, { from, answers, signal });
    const fit = JSON.stringify(answers).length <= input.inline;
    return { answers: fit ? answers : [await storedAnswers(deps.chains, answers)] };
  });
}

/** Of what went wrong with a prompt, as the code gets it. */
const MAX_ERROR_CHARACTERS = 4000;

interface Prompt {
  readonly config: RunConfig;
  readonly prompt: string;
  readonly index: number;
  readonly journal: PromptJournal;
  readonly signal: AbortSignal;
}

async function answerOnce(
  deps: ActivityDependencies,
  input: ForAgent<AnswerPromptsInput>,
  { config, prompt, index, journal, signal }: Prompt,
): Promise<Answer> {
  const key = promptKey(input, index);
  let entry = journal.read(index);
  while (entry === undefined || (entry.outcome === 'empty' && entry.asked < MAX_EMPTY_ANSWERS)) {
    const { asked = 0, usage: before } = entry ?? {};
    const reply = await deps.models(config.model).complete(
      {
        purpose: 'llm_query',
        model: config.model.sub_name ?? config.model.name,
        messages: [{ role: 'user', content: prompt }],
        idempotencyKey: asked === 0 ? key : `${key}/${asked}`,
      },
      signal,
    );
    deps.checkpoint('prompt.replied');
    const usage: Usage = before === undefined ? reply.usage : addUsage(before, reply.usage);
    const next: PromptEntry = { index, ...readReply(reply), usage, asked: asked + 1, at: Date.now() };
    await persistWithRetry(() => journal.write(next), signal);
    deps.checkpoint('prompt.recorded');
    entry = next;
  }
  return answerOf(deps, entry, signal);
}

function readReply({ text, finish_reason }: ChatReply): Pick<PromptEntry, 'text' | 'outcome'> {
  const said = splitReasoning(text).text;
  if (finish_reason === 'content_filter') return { text: said, outcome: 'withheld' };
  if (finish_reason === 'length') return { text: said, outcome: 'cut' };
  return { text: said, outcome: said.trim() === '' ? 'empty' : 'answered' };
}

const ERRORS = {
  cut: 'the answer was cut at the output limit (model.max_tokens, or the longest reply of the model)',
  withheld: 'the provider withheld the answer (content_filter)',
  empty: 'the model gave no answer',
} as const;

async function answerOf(
  deps: ActivityDependencies,
  { text, outcome, usage: { input_tokens, output_tokens, cost } }: PromptEntry,
  signal: AbortSignal,
): Promise<Answer> {
  const usage = { input_tokens, output_tokens, cost };
  if (outcome !== 'answered' && text.trim() === '') return { error: ERRORS[outcome], usage };
  const ref = await persistWithRetry(() => deps.chains.putJson(text), signal);
  return { ref, usage, ...(outcome === 'answered' ? {} : { error: ERRORS[outcome] }) };
}

/**
 * What only a person can fix: any other prompt would fail in the same way. Model.Unavailable, for which an agent pauses its
 * run, is not among them on purpose: a prompt whose provider is down gets an error string after `model.max_attempts`.
 */
const PAUSING: ReadonlySet<FailureType> = new Set<FailureType>([
  'Model.Refused',
  'Model.KeyMissing',
  'Model.RateLimited',
]);

/** Data for the code, or rethrown: then Temporal retries, or the run pauses. */
function errorAnswer(error: unknown, { model, rlm }: RunConfig, host: string): Answer {
  if (!(error instanceof TypedError)) throw error;
  noteKeyMissing(error, host);
  const spent = isExhausted(error, model);
  if (FAILURES[error.type].retryable && !spent) throw error;
  if (PAUSING.has(error.type) && rlm.on_error === 'pause') throw spent ? exhausted(error, model) : error;
  return { error: truncate(error.message, MAX_ERROR_CHARACTERS) };
}
