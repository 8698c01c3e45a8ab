import { activityInfo } from '@temporalio/activity';
import type { FinishAgentInput, FinishAgentResult } from '../domain/contract.ts';
import { finalAnswer, signatureOf } from '../domain/final-answer.ts';
import { isSandboxLost, TypedError } from '../domain/failures.ts';
import { ownRecords } from '../domain/fork.ts';
import { agentDepth } from '../domain/ids.ts';
import { rebuildRefusal } from '../domain/rebuild-policy.ts';
import { lastKnownAnswer } from '../domain/prompts/conversation.ts';
import type { AnswerSource, ChainRecord, EndRecord } from '../domain/records.ts';
import { replyOutcome } from '../domain/reply.ts';
import type { Signature } from '../domain/signature/field-type.ts';
import { truncate } from '../domain/truncate.ts';
import { openTrajectory } from './agent-trajectory.ts';
import { seconds } from './clock.ts';
import type { ActivityDependencies, ForAgent } from './dependencies.ts';
import { ownSandbox } from './own-sandbox.ts';
import { withHeartbeat } from './with-heartbeat.ts';
import { stringifyJson } from '../domain/ordered-json.ts';

/** Characters of an answer that travel inline. */
const INLINE_ANSWER = 4000;
/** Milliseconds for the patch of a run that was cancelled or is out of time, whose end should not be delayed. */
const CANCELLED_PATCH_TIMEOUT_MS = 4000;
const MAX_PATCH_ATTEMPTS = 3;
/** For a person, by where an answer comes from that was not given to FINAL. */
const NOT_FINAL: Partial<Record<AnswerSource, string>> = {
  text: 'The agent did not call FINAL: the answer is the text of its last reply, which had no code.',
  final_answer: 'The agent did not call FINAL: the answer is what it gave when it was asked at the end.',
};
/** Characters of what was known that a note quotes. */
const MAX_QUOTED = 1000;

/**
 * Takes the patch, records the end, removes the sandbox. In this order: nothing is lost in between. Repeated, it finds
 * the recorded end. It reads to the newest record, not to the head that the workflow knows: what a cancelled callModel or
 * runCode has recorded counts.
 */
export async function finishAgent(
  deps: ActivityDependencies,
  input: ForAgent<FinishAgentInput>,
): Promise<FinishAgentResult> {
  return withHeartbeat(async (signal) => {
    const end = await recordedEnd(deps, input, signal);
    if (input.sandbox !== undefined) {
      const { provider, handle } = ownSandbox(deps, input.scope, input.sandbox);
      await provider.destroy(handle);
      deps.checkpoint('sandbox.destroyed');
    }
    return finishResult(deps, end, agentDepth(input.scope.agent) === 0);
  });
}

async function recordedEnd(
  deps: ActivityDependencies,
  input: ForAgent<FinishAgentInput>,
  signal: AbortSignal,
): Promise<EndRecord> {
  const trajectory = await openTrajectory(deps, input.scope, input.task, {
    reopen: input.status === 'completed',
    tolerant: true,
  });
  const { end } = trajectory.state;
  if (end !== undefined) return end;
  const { records, state, reference } = trajectory;
  const run = await deps.chains.specification(input.scope.settings);
  const signature = signatureOf(run, agentDepth(input.scope.agent));
  const candidate = candidateAnswer(records, input.source, signature);
  const { source, answer, note } = signature === undefined ? candidate : typedAnswer(candidate);
  const { patch, notes } =
    run.type === 'investigate' && isPatchWanted(input)
      ? await takePatch(deps, input, records, signal)
      : { patch: null, notes: [] };
  const appended = await trajectory.append<'end'>(
    {
      kind: 'end',
      status: input.status,
      source,
      answer_ref: source === 'none' ? null : await deps.chains.putJson(answer),
      error: input.error ?? null,
      patch,
      notes: note === undefined ? notes : [...notes, note],
      usage: state.usage,
      execution_time: reference === undefined ? 0 : seconds(Date.now() - reference.started_at),
    },
    { state: 'done', status: input.status, ended_at: Date.now() },
  );
  deps.checkpoint('end.recorded');
  return appended;
}

/** A sub-agent that was cancelled reports nothing, its changes neither. */
function isPatchWanted({ status, sandbox, scope }: ForAgent<FinishAgentInput>): boolean {
  return agentDepth(scope.agent) === 0 || (status !== 'cancelled' && sandbox !== undefined);
}

interface CandidateAnswer {
  readonly source: AnswerSource;
  readonly answer: unknown;
  /** For a person. */
  readonly note?: string | undefined;
}

/** An answer has all of the fields, or there is none: what is known beside is a note. */
function typedAnswer(candidate: CandidateAnswer): CandidateAnswer {
  if (candidate.source !== 'partial') return candidate;
  const note = `There is no result. What was known: ${truncate(String(candidate.answer), MAX_QUOTED)}`;
  return { source: 'none', answer: undefined, note };
}

function candidateAnswer(
  records: readonly ChainRecord[],
  wanted: AnswerSource,
  signature: Signature | undefined,
): CandidateAnswer {
  const own = ownRecords(records);
  const reversed = own.toReversed();
  // One that a person has had continued after it counts no more.
  const sealed = own
    .slice(own.findLastIndex((record) => record.kind === 'reply' && record.purpose === 'turn') + 1)
    .find((record) => record.kind === 'block' && record.result.final !== null);
  if (sealed?.kind === 'block' && sealed.result.final !== null)
    return { source: 'final', answer: sealed.result.final.value };
  const reply = reversed.find((record) => record.kind === 'reply');
  const note = NOT_FINAL[wanted];
  if (wanted === 'final_answer' && reply?.kind === 'reply' && reply.purpose === 'final_answer') {
    const closing = finalAnswer(signature, reply);
    if (closing.kind === 'answer') return { source: wanted, answer: closing.answer, note };
  }
  if (wanted === 'text' && reply?.kind === 'reply' && reply.purpose === 'turn') {
    const outcome = replyOutcome(reply);
    if (outcome.kind === 'text' && outcome.text !== '') return { source: wanted, answer: outcome.text, note };
  }
  // A final answer that was refused says less than what the code found.
  const known = lastKnownAnswer(records.filter((record) => record.kind !== 'reply' || record.purpose === 'turn'));
  return known === undefined ? { source: 'none', answer: undefined } : { source: 'partial', answer: known };
}

async function takePatch(
  deps: ActivityDependencies,
  input: ForAgent<FinishAgentInput>,
  records: readonly ChainRecord[],
  signal: AbortSignal,
): Promise<Pick<EndRecord, 'patch' | 'notes'>> {
  if (input.sandbox === undefined) return { patch: null, notes: ['There was no sandbox to take a patch from.'] };
  const { provider, handle } = ownSandbox(deps, input.scope, input.sandbox);
  const timeout = input.status === 'cancelled' ? AbortSignal.timeout(CANCELLED_PATCH_TIMEOUT_MS) : undefined;
  try {
    const sandbox = await provider.connect(handle);
    deps.checkpoint('patch.taking');
    const limit = timeout === undefined ? signal : AbortSignal.any([signal, timeout]);
    const { bytes, notes } = await sandbox.patch(limit, { brief: agentDepth(input.scope.agent) > 0 });
    const patch = bytes.length === 0 ? null : await deps.blobs.put(bytes);
    deps.checkpoint('patch.extracted');
    return { patch, notes };
  } catch (error) {
    // The workflow then rebuilds the sandbox, and calls again to take the patch from that one.
    if (!signal.aborted && (await canBeRebuilt(deps, input, records, error))) throw error;
    const note = signal.aborted ? undefined : patchError(error, timeout?.aborted ?? false);
    if (note === undefined) throw error;
    return { patch: null, notes: [`The patch could not be taken: ${note}`] };
  }
}

/** Whether the error says that the sandbox was lost, and the agent gets another one. */
async function canBeRebuilt(
  deps: ActivityDependencies,
  { status, sandbox, scope }: ForAgent<FinishAgentInput>,
  records: readonly ChainRecord[],
  error: unknown,
): Promise<boolean> {
  if (status !== 'completed' || sandbox === undefined) return false;
  if (!isSandboxLost(error)) return false;
  const { max_rebuilds } = (await deps.chains.specification(scope.settings)).config.sandbox;
  const cause = { kind: 'lost', sandbox, reason: error.message } as const;
  return rebuildRefusal(records, cause, max_rebuilds) === undefined;
}

/** Undefined where another attempt may take it. */
function patchError(error: unknown, isCancelled: boolean): string | undefined {
  if (isCancelled)
    return `it took longer than the ${CANCELLED_PATCH_TIMEOUT_MS / 1000} s that an ended run leaves for it`;
  if (error instanceof TypedError) return error.type === 'Sandbox.Lost' ? error.message : undefined;
  // The rest of the agent's work must not wait for ever for an unresponsive kernel.
  return activityInfo().attempt < MAX_PATCH_ATTEMPTS ? undefined : String(error);
}

export async function finishResult(
  deps: Pick<ActivityDependencies, 'chains'>,
  end: EndRecord,
  isRoot: boolean,
): Promise<FinishAgentResult> {
  const { answer_ref, patch, notes } = end;
  const answer = answer_ref !== null && isRoot ? await deps.chains.getJson(answer_ref) : undefined;
  return {
    answer_source: end.source,
    ...(answer_ref === null ? {} : { answer_ref }),
    ...(patch === null ? {} : { patch_ref: patch }),
    ...(notes.length === 0 ? {} : { notes }),
    ...(answer === undefined ? {} : previewOf(answer)),
  };
}

/** Of an answer what travels in histories. */
export function previewOf(answer: unknown): Required<Pick<FinishAgentResult, 'answer' | 'answer_truncated'>> {
  const text = typeof answer === 'string' ? answer : stringifyJson(answer);
  return { answer: truncate(text, INLINE_ANSWER), answer_truncated: text.length > INLINE_ANSWER };
}
