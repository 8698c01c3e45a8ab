import { repliesWithoutCode } from '../domain/agent-state.ts';
import type { CallModelInput, CallModelResult, Steer } from '../domain/contract.ts';
import { agentDepth } from '../domain/ids.ts';
import { recordUsage, type ReplyRecord, type RunSpecification } from '../domain/records.ts';
import { finalAnswer, signatureOf } from '../domain/final-answer.ts';
import { replyOutcome, splitReasoning } from '../domain/reply.ts';
import { truncate } from '../domain/truncate.ts';
import { addUsage } from '../domain/usage.ts';
import { openTrajectory, type Trajectory } from './agent-trajectory.ts';
import { isContextLength } from './ask-model.ts';
import { seconds } from './clock.ts';
import { askWithinContext } from './compact-conversation.ts';
import type { ActivityDependencies, ForAgent } from './dependencies.ts';
import { persistWithRetry } from './persist-with-retry.ts';
import { withHeartbeat } from './with-heartbeat.ts';

/** Characters of what is wrong with a final answer that a person is told. */
const MAX_PROBLEM_LENGTH = 300;

/**
 * Asks the model for an agent's next reply and records it. A reply that is recorded is never asked for again: repeated,
 * or called with a head that is behind, it returns the reply that follows that head.
 */
export async function callModel(deps: ActivityDependencies, input: ForAgent<CallModelInput>): Promise<CallModelResult> {
  return withHeartbeat(async (signal) => {
    const { scope, purpose } = input;
    const run = await deps.chains.specification(scope.settings);
    const trajectory = await openTrajectory(deps, scope, input.task);
    const recorded = replyAfter(trajectory, input);
    if (recorded !== undefined) return result(trajectory, input, run, recorded);
    const iteration = trajectory.state.iteration + (purpose === 'turn' ? 1 : 0);
    await recordSteer(trajectory, iteration, input.steer ?? []);
    await showThinking(trajectory, iteration);
    const started = performance.now();
    const asked = await askWithinContext({ deps, trajectory, scope, run, iteration, purpose, signal }).catch(
      (error: unknown) => {
        // Of a final answer the provider's own words are what the agent fails with.
        if (isContextLength(error) && purpose === 'turn') return undefined;
        throw error;
      },
    );
    if (asked === undefined) return { kind: 'context_length' };
    deps.checkpoint('model.replied');
    const { reply, messages } = asked;
    const { reasoning: thought, text } = splitReasoning(reply.text);
    const reasoning = [reply.reasoning ?? '', thought].filter((part) => part !== '').join('\n\n');
    const record = {
      kind: 'reply',
      iteration,
      purpose,
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
    } as const;
    const hasCode = replyOutcome(record).kind === 'code';
    const appended = await persistWithRetry(
      () => trajectory.append<'reply'>(record, { state: hasCode ? 'running' : 'thinking', iteration }),
      signal,
    );
    deps.checkpoint('reply.recorded');
    return result(trajectory, input, run, appended);
  });
}

/** What a person said, once: before the request that shows it. */
async function recordSteer(trajectory: Trajectory, iteration: number, messages: readonly Steer[]): Promise<void> {
  const recorded = new Set(trajectory.records.flatMap((record) => (record.kind === 'steer' ? [record.id] : [])));
  for (const { id, message } of messages.filter((each) => !recorded.has(each.id))) {
    // oxlint-disable-next-line no-await-in-loop -- each record names the one before it
    await trajectory.append<'steer'>({ kind: 'steer', id, iteration, message });
  }
}

/** Also finds out that a store is away, before anything is spent. */
async function showThinking(trajectory: Trajectory, iteration: number): Promise<void> {
  const { reference } = trajectory;
  const isShown = reference?.state === 'thinking' && reference.iteration === iteration;
  if (!isShown) await trajectory.show({ state: 'thinking', iteration });
}

function replyAfter(trajectory: Trajectory, { head, purpose }: ForAgent<CallModelInput>): ReplyRecord | undefined {
  const next = trajectory.after(head).find((record) => record.kind === 'reply');
  return next?.kind === 'reply' && next.purpose === purpose ? next : undefined;
}

/** With the usage of all that was recorded from the workflow's head to the reply: summaries too. */
function result(
  trajectory: Trajectory,
  { head: from, purpose, scope }: ForAgent<CallModelInput>,
  run: RunSpecification,
  reply: ReplyRecord,
): CallModelResult {
  const since = trajectory.after(from);
  const usage = addUsage(...since.slice(0, since.indexOf(reply) + 1).map(recordUsage));
  const head = trajectory.hashOf(reply);
  if (purpose === 'final_answer') {
    const closing = finalAnswer(signatureOf(run, agentDepth(scope.agent)), reply);
    return closing.kind === 'answer'
      ? { kind: 'answer', head, usage }
      : { kind: 'invalid', head, usage, problem: truncate(closing.problem, MAX_PROBLEM_LENGTH) };
  }
  const outcome = replyOutcome(reply);
  if (outcome.kind === 'truncated' || outcome.kind === 'tool_call') return { kind: outcome.kind, head, usage };
  if (outcome.kind === 'code') {
    const lines = outcome.blocks.reduce((sum, code) => sum + code.trim().split('\n').length, 0);
    return { kind: 'code', head, lines, usage };
  }
  const in_a_row = repliesWithoutCode(trajectory.records.slice(0, trajectory.records.indexOf(reply) + 1));
  return { kind: 'text', head, in_a_row, empty: outcome.kind !== 'text' || outcome.text === '', usage };
}
