import { activityInfo } from '@temporalio/activity';
import type { CloseAgentInput, CloseAgentResult } from '../domain/contract.ts';
import { TypedError } from '../domain/failures.ts';
import { agentDepth } from '../domain/ids.ts';
import { lastKnownAnswer, resultString } from '../domain/prompts/conversation.ts';
import type { AnswerSource, ChainRecord, EndRecord } from '../domain/records.ts';
import type { Signature } from '../domain/signature/field-type.ts';
import { closingAnswer, signatureOf } from '../domain/closing-answer.ts';
import { replyOutcome } from '../domain/reply.ts';
import { parseHandle } from '../domain/sandbox.ts';
import { beginning } from '../domain/truncate.ts';
import type { ActivityDependencies, Scoped } from './dependencies.ts';
import { NO_USAGE } from '../domain/usage.ts';
import { seconds } from './clock.ts';
import { whileBeating } from './heartbeat.ts';
import { chainHead, readAgentReference, updateAgentReference } from './trajectory.ts';

/** Characters of an answer that travel inline. */
export const INLINE_ANSWER = 4000;
/** Milliseconds for the patch of a run that was cancelled or is out of time: nobody waits for its end for long. */
const PATCH_IN_HASTE = 4000;
const PATCH_ATTEMPTS = 3;
/** For a person, by where an answer comes from that was not given to FINAL. */
const NOT_FINAL: Partial<Record<AnswerSource, string>> = {
  text: 'The agent did not call FINAL: the answer is the text of its last reply, which had no code.',
  extract: 'The agent did not call FINAL: the answer is what it gave when it was asked at the end.',
};
/** Characters of what was known that a note quotes. */
const NOTED = 1000;

/** Ends an agent that has not ended by FINAL. */
export async function closeAgent(
  deps: ActivityDependencies,
  input: Scoped<CloseAgentInput>,
): Promise<CloseAgentResult> {
  return whileBeating((signal) => endAgent(deps, input, signal));
}

/**
 * Takes the patch (root only), records the end, removes the sandbox. In this order: nothing is lost in between. Done
 * again it finds the recorded end.
 */
export async function endAgent(
  deps: ActivityDependencies,
  input: Scoped<CloseAgentInput>,
  signal: AbortSignal,
): Promise<CloseAgentResult> {
  const isRoot = agentDepth(input.scope.agent) === 0;
  const head = await chainHead(deps, input.scope, input.head);
  const end = (await recordedEnd(deps, input, head)) ?? (await recordEnd(deps, input, head, signal));
  if (input.sandbox !== undefined) {
    const handle = parseHandle(input.sandbox);
    await deps.sandboxes(handle.provider).destroy(handle);
    deps.checkpoint('sandbox.destroyed');
  }
  return closeResult(deps, end, isRoot);
}

async function recordedEnd(
  deps: ActivityDependencies,
  input: Scoped<CloseAgentInput>,
  head: string,
): Promise<EndRecord | undefined> {
  const reference = await readAgentReference(deps, input.scope);
  if (reference === undefined || reference.head === head) return undefined;
  const end = await deps.chains.record(reference.head);
  return end.kind === 'end' ? end : undefined;
}

async function recordEnd(
  deps: ActivityDependencies,
  input: Scoped<CloseAgentInput>,
  from: string,
  signal: AbortSignal,
): Promise<EndRecord> {
  const head = await newestHead(deps, input, from);
  const [records, run] = await Promise.all([readableRecords(deps, head), deps.chains.specification(input.scope.spec)]);
  const isRoot = agentDepth(input.scope.agent) === 0;
  const signature = signatureOf(run, agentDepth(input.scope.agent));
  const told = answerOf(records, input.source, signature);
  const { source, answer, note } = signature === undefined ? told : typedAnswer(told);
  const { result, truncated } = resultString(answer ?? '', run.config.rlm.result_truncation_limit);
  const taken =
    isRoot && run.type === 'investigate' ? await takePatch(deps, input, signal) : { patch: null, notes: [] };
  const { patch } = taken;
  const notes = note === undefined ? taken.notes : [...taken.notes, note];
  const reference = await readAgentReference(deps, input.scope);
  const end: EndRecord = {
    v: 1,
    kind: 'end',
    parent: head,
    status: input.status,
    source,
    answer: answer ?? null,
    result,
    result_truncated: truncated,
    error: input.error ?? null,
    patch,
    notes,
    usage: reference?.usage ?? NO_USAGE,
    execution_time: reference === undefined ? 0 : seconds(Date.now() - reference.started_at),
  };
  const hash = await deps.chains.append(end);
  await updateAgentReference(deps, input.scope, {
    head: hash,
    state: 'done',
    status: input.status,
    ended_at: Date.now(),
  });
  deps.checkpoint('end.recorded');
  return end;
}

/** The records up to the head; of a chain with a blob that is missing or damaged those after it. */
async function readableRecords(deps: ActivityDependencies, head: string): Promise<readonly ChainRecord[]> {
  const records: ChainRecord[] = [];
  try {
    for (let hash: string | null = head; hash !== null;) {
      const record: ChainRecord = await deps.chains.record(hash);
      records.unshift(record);
      hash = record.parent;
    }
  } catch (error) {
    if (!(error instanceof TypedError) || !['Storage.Missing', 'Storage.Damaged'].includes(error.type)) throw error;
  }
  return records;
}

/**
 * A cancelled activity may have recorded a reply or a block that its workflow has not heard of: what the reference
 * names counts when it goes on from the head the workflow knows.
 */
async function newestHead(deps: ActivityDependencies, input: Scoped<CloseAgentInput>, head: string): Promise<string> {
  const reference = await readAgentReference(deps, input.scope);
  if (reference === undefined) return head;
  const known = await readableRecords(deps, reference.head);
  return reference.head === head || known.some(({ parent }) => parent === head) ? reference.head : head;
}

interface ToldAnswer {
  readonly source: AnswerSource;
  readonly answer: unknown;
  /** For a person. */
  readonly note?: string | undefined;
}

/** An answer has all of the fields, or there is none: what is known beside is a note. */
function typedAnswer(told: ToldAnswer): ToldAnswer {
  if (told.source !== 'partial') return told;
  const note = `There is no result. What was known: ${beginning(String(told.answer), NOTED)}`;
  return { source: 'none', answer: undefined, note };
}

function answerOf(records: readonly ChainRecord[], wanted: AnswerSource, signature: Signature | undefined): ToldAnswer {
  const reversed = records.toReversed();
  const sealed = reversed.find((record) => record.kind === 'block' && record.result.final !== null);
  if (sealed?.kind === 'block' && sealed.result.final !== null)
    return { source: 'final', answer: sealed.result.final.value };
  const reply = reversed.find((record) => record.kind === 'reply');
  const note = NOT_FINAL[wanted];
  if (wanted === 'extract' && reply?.kind === 'reply' && reply.purpose === 'extract') {
    const closing = closingAnswer(signature, reply);
    if (closing.kind === 'answer') return { source: wanted, answer: closing.answer, note };
  }
  if (wanted === 'text' && reply?.kind === 'reply' && reply.purpose === 'turn') {
    const outcome = replyOutcome(reply);
    if (outcome.kind === 'text' && outcome.text !== '') return { source: wanted, answer: outcome.text, note };
  }
  // A closing answer that was refused says less than what the code found.
  const known = lastKnownAnswer(records.filter((record) => record.kind !== 'reply' || record.purpose === 'turn'));
  return known === undefined ? { source: 'none', answer: undefined } : { source: 'partial', answer: known };
}

async function takePatch(
  deps: ActivityDependencies,
  input: Scoped<CloseAgentInput>,
  signal: AbortSignal,
): Promise<Pick<EndRecord, 'patch' | 'notes'>> {
  if (input.sandbox === undefined) return { patch: null, notes: ['There was no sandbox to take a patch from.'] };
  const haste = input.status === 'cancelled' ? AbortSignal.timeout(PATCH_IN_HASTE) : undefined;
  try {
    const handle = parseHandle(input.sandbox);
    const sandbox = await deps.sandboxes(handle.provider).connect(handle);
    deps.checkpoint('patch.taking');
    const { bytes, notes } = await sandbox.patch(haste === undefined ? signal : AbortSignal.any([signal, haste]));
    const patch = bytes.length === 0 ? null : await deps.blobs.put(bytes);
    deps.checkpoint('patch.extracted');
    return { patch, notes };
  } catch (error) {
    if (!signal.aborted && (await canBeRebuilt(deps, input, error))) throw error;
    const note = signal.aborted ? undefined : noPatchBecause(error, haste?.aborted ?? false);
    if (note === undefined) throw error;
    return { patch: null, notes: [`The patch could not be taken: ${note}`] };
  }
}

/** The workflow makes the sandbox again, and then the patch is taken from that one. */
async function canBeRebuilt(
  deps: ActivityDependencies,
  { status, sandbox, scope }: Scoped<CloseAgentInput>,
  error: unknown,
): Promise<boolean> {
  if (status !== 'completed' || sandbox === undefined) return false;
  if (!(error instanceof TypedError) || error.type !== 'Sandbox.Lost') return false;
  const { max_rebuilds = 0 } = (await deps.chains.specification(scope.spec)).config.sandbox;
  return parseHandle(sandbox).generation < max_rebuilds;
}

/** Undefined where another attempt may take it. */
function noPatchBecause(error: unknown, inHaste: boolean): string | undefined {
  if (inHaste) return `it took longer than the ${PATCH_IN_HASTE / 1000} s that an ended run leaves for it`;
  if (error instanceof TypedError) return error.type === 'Sandbox.Lost' ? error.message : undefined;
  // The rest of the agent's work must not wait for ever for a kernel that does not do its part.
  return activityInfo().attempt < PATCH_ATTEMPTS ? undefined : String(error);
}

export async function closeResult(
  deps: ActivityDependencies,
  end: EndRecord,
  root: boolean,
): Promise<CloseAgentResult> {
  const answered = end.source !== 'none';
  const text = typeof end.answer === 'string' ? end.answer : JSON.stringify(end.answer);
  return {
    answer_source: end.source,
    ...(answered ? { answer_ref: await deps.chains.putJson(end.result) } : {}),
    ...(end.patch === null ? {} : { patch_ref: end.patch }),
    ...(end.notes.length === 0 ? {} : { notes: end.notes }),
    ...(root && answered
      ? { answer: beginning(text, INLINE_ANSWER), full_answer_ref: await deps.chains.putJson(end.answer) }
      : {}),
  };
}
