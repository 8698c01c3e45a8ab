import { estimatedTokens, lastToSummarize } from '../domain/prompts/compaction.ts';
import { renderConversation, type Message } from '../domain/prompts/conversation.ts';
import type { ChainRecord, ReplyRecord, RunSpecification } from '../domain/records.ts';
import { splitReasoning } from '../domain/reply.ts';
import { addUsage, NO_USAGE } from '../domain/usage.ts';
import type { ChatReply } from '../llm/chat-model.ts';
import type { Trajectory } from './agent-trajectory.ts';
import { askModel, isContextLength } from './ask-model.ts';
import { seconds } from './clock.ts';
import type { ActivityDependencies } from './dependencies.ts';
import { persistWithRetry } from './persist-with-retry.ts';
import type { AgentContext } from './agent-context.ts';

export interface Question {
  readonly deps: ActivityDependencies;
  readonly trajectory: Trajectory;
  readonly scope: AgentContext;
  readonly run: RunSpecification;
  readonly iteration: number;
  readonly purpose: ReplyRecord['purpose'];
  readonly signal: AbortSignal;
}

/**
 * Asks the model. A conversation that nears `rlm.compaction`, or that the model finds too long, is made shorter first:
 * a summary takes the place of its older turns. The variables of the code are untouched by that.
 *
 * @throws TypedError `Model.ContextLength` when it is too long all the same
 */
export async function askWithinContext(
  question: Question,
): Promise<{ readonly reply: ChatReply; readonly messages: readonly Message[] }> {
  const { trajectory, run, purpose } = question;
  const { compaction } = run.config.rlm;
  const render = (): Message[] => renderConversation(trajectory.records, run, purpose);
  const ask = async (): Promise<{ reply: ChatReply; messages: Message[] }> => {
    const messages = render();
    return { reply: await askModel({ ...question, messages, purpose }), messages };
  };
  if (purpose === 'turn') {
    const size = render().reduce((sum, { content }) => sum + content.length, 0);
    if (estimatedTokens(trajectory.records, size) > compaction) await summarize(question, compaction);
  }
  if (purpose !== 'turn') return ask();
  const asked = await ask().catch((error: unknown) => {
    if (isContextLength(error)) return error;
    throw error;
  });
  if (!(asked instanceof Error) && asked.reply.window_full !== true) return asked;
  // The model's context is smaller than was thought: only the last turn is kept. What was cut off there is paid all the same.
  const isShorter = await summarize(question, 0, asked instanceof Error ? NO_USAGE : asked.reply.usage);
  if (isShorter) return ask();
  if (asked instanceof Error) throw asked;
  return asked;
}

/**
 * @param spent on a reply that is thrown away, counted with the summary
 * @returns false where there is nothing that could be left out
 */
async function summarize(question: Question, limit: number, spent = NO_USAGE): Promise<boolean> {
  const { deps, trajectory, run, iteration, signal } = question;
  const through = lastToSummarize(trajectory.records, limit);
  if (through === undefined) return false;
  const started = performance.now();
  const messages = renderConversation(upTo(trajectory.records, through), run, 'summary');
  const { text, model, usage } = await askSummary(question, messages);
  deps.checkpoint('model.replied');
  const record = {
    kind: 'summary',
    iteration,
    through,
    text,
    model,
    usage: addUsage(spent, usage),
    execution_time: seconds(performance.now() - started),
  } as const;
  await persistWithRetry(() => trajectory.append<'summary'>(record), signal);
  deps.checkpoint('summary.recorded');
  return true;
}

/** How often a summary is asked for that is empty, cut off or withheld. Then what there is of the last has to do. */
const MAX_SUMMARIES = 3;

async function askSummary(
  question: Question,
  messages: readonly Message[],
): Promise<Pick<ChatReply, 'text' | 'model' | 'usage'>> {
  let usage = NO_USAGE;
  for (let attempt = 1; ; attempt += 1) {
    // oxlint-disable-next-line no-await-in-loop -- the next is asked only where this one is of no use
    const reply = await askModel({ ...question, messages, purpose: 'summary', attempt });
    const { text } = splitReasoning(reply.text);
    usage = addUsage(usage, reply.usage);
    const isWhole = reply.finish_reason !== 'length' && reply.finish_reason !== 'content_filter';
    if ((isWhole && text.trim() !== '') || attempt === MAX_SUMMARIES) return { text, model: reply.model, usage };
  }
}

/** The trajectory up to the end of an iteration. */
function upTo(records: readonly ChainRecord[], iteration: number): readonly ChainRecord[] {
  const next = records.findIndex((record) => record.kind === 'reply' && record.iteration > iteration);
  return next === -1 ? records : records.slice(0, next);
}
