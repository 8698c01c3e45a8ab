import type { RunLimits } from './budget.ts';
import type { BlockResult } from './kernel-protocol.ts';
import type { RunConfig } from './config.ts';
import type { StoredInput } from './inputs.ts';
import type { SandboxName } from './sandbox.ts';
import type { Signature } from './signature/field-type.ts';
import type { ToolDescription } from './tools.ts';
import { addUsage, NO_USAGE, type Usage } from './usage.ts';

/**
 * The trajectory of an agent is a chain of these records, each naming its parent by hash: one hash is all that is
 * recorded of an agent. Records are stored as JSON, whose keys keep their order, and never change; a new shape of a kind gets a new `v`.
 */
export type ChainRecord =
  | TaskRecord
  | ReplyRecord
  | SummaryRecord
  | SteerRecord
  | ForkRecord
  | CallsRecord
  | AnswersRecord
  | BlockRecord
  | RebuildRecord
  | EndRecord;

interface RecordBase {
  readonly v: 1;
  /** Hash of the record before this one; null for the first of a chain. */
  readonly parent: string | null;
}

/** What every agent of a run shares; not part of a chain, named by the task records. */
export type RunSpecification = InvestigationSpecification | AnalysisSpecification;

interface SpecificationBase {
  readonly v: 1;
  readonly kind: 'run';
  readonly run: string;
  /** First execution id of the run's workflow. */
  readonly execution: string;
  /** What is to be done, for a person: of an analysis its signature, with the instructions after it. */
  readonly prompt: string;
  readonly config: RunConfig;
}

/** A run on a git repository. */
export interface InvestigationSpecification extends SpecificationBase {
  readonly type: 'investigate';
  readonly repository: RepositoryReference;
}

/** A run on a typed signature. */
export interface AnalysisSpecification extends SpecificationBase {
  readonly type: 'analyze';
  readonly signature: Signature;
  /** The variables of its root agent, in the signature's order. */
  readonly inputs: readonly StoredInput[];
  /** Functions of the workers that the code of every agent may call. */
  readonly tools?: readonly ToolDescription[];
  readonly repository?: undefined;
}

export interface RepositoryReference {
  /** URL, or the name of the local folder it was bundled from. */
  readonly name: string;
  readonly url?: string;
  /** Blob that holds a `git bundle`. */
  readonly bundle?: string;
  readonly branch?: string;
  readonly commit: string;
  /** The task is about this folder of it, `a/b`; default: all of it. */
  readonly folder?: string;
}

export interface TaskRecord extends RecordBase {
  readonly kind: 'task';
  readonly agent: string;
  readonly depth: number;
  /** Hash of the run's specification. */
  readonly run: string;
  readonly task: string;
  /** What a sub-agent of an analysis was handed. */
  readonly variables?: readonly StoredInput[];
  /** Version of the system prompt this agent is led by. */
  readonly prompt_version: number;
}

export interface ReplyRecord extends RecordBase {
  readonly kind: 'reply';
  /** Counted from 1. */
  readonly iteration: number;
  /** turn: one of the loop. final_answer: the closing question. */
  readonly purpose: 'turn' | 'final_answer';
  /** Without its reasoning. */
  readonly text: string;
  /** What the model reasoned before: kept for a person, never run, and never sent to a model again. */
  readonly reasoning?: string;
  readonly finish_reason: string;
  readonly model: string;
  readonly usage: Usage;
  /** Seconds the call took. */
  readonly execution_time: number;
  /** Messages and characters the model was sent. */
  readonly request: { readonly messages: number; readonly characters: number; readonly last: string };
}

/** Stands in prompts for the turns before it, which stay in the chain. */
export interface SummaryRecord extends RecordBase {
  readonly kind: 'summary';
  /** Of the turn that was to come. */
  readonly iteration: number;
  /** The last iteration that it replaces. */
  readonly through: number;
  readonly text: string;
  readonly model: string;
  readonly usage: Usage;
  /** Seconds the call took. */
  readonly execution_time: number;
}

/** A message of a person, shown to the model from its next request on. */
export interface SteerRecord extends RecordBase {
  readonly kind: 'steer';
  /** Of the message: it is recorded once. */
  readonly id: string;
  /** Of the turn that was to come. */
  readonly iteration: number;
  readonly message: string;
}

/** A run takes up the trajectory of another: the records before this one are shared. */
export interface ForkRecord extends RecordBase {
  readonly kind: 'fork';
  /** Hash of the new run's specification. */
  readonly run: string;
  readonly agent: string;
  readonly from: ForkOrigin;
  /** Of the turn that was to come. */
  readonly iteration: number;
  /** What a person said; null where the work continues as if nothing had been. */
  readonly message: string | null;
}

export interface ForkOrigin {
  readonly run: string;
  readonly execution: string;
  readonly agent: string;
}

/** A running block yielded: the calls its code has made since it last did, and how far its events were read. */
export interface CallsRecord extends RecordBase {
  readonly kind: 'calls';
  readonly block: number;
  readonly calls: readonly PendingCall[];
  /** Cursor of the last event read from the kernel. */
  readonly cursor: number;
  /**
   * Names that calls have in the kernel, by the name they have here, where the two differ: the block runs again in
   * another sandbox, where threads may have made their calls in another order.
   */
  readonly kernel_names?: Readonly<Record<string, string>>;
}

/** A call of the code that waits for its answer. */
export interface PendingCall {
  /** Unique over the agent: `<block>.<n>`. */
  readonly call: string;
  readonly function: string;
  /** Blob with the call: a CallRequest. */
  readonly request: string;
  /** Prompts or tasks of a call with a list, whose answer is a list as well; absent for a single one. */
  readonly batch?: number;
  /** For a person: the beginnings of the first tasks for sub-agents. */
  readonly heads?: readonly string[];
  /** Beginning of its arguments, where a person may be asked before it is answered. */
  readonly preview?: string;
}

/** Answers to calls of a running block. */
export interface AnswersRecord extends RecordBase {
  readonly kind: 'answers';
  readonly block: number;
  readonly answers: readonly CallAnswer[];
}

export interface CallAnswer {
  readonly call: string;
  readonly answer: Answer;
}

/** A call of the code, as a blob: what was asked. */
export interface CallRequest {
  readonly function: string;
  /** Of function and arguments, as the kernel computed it: matches calls when the block runs again. */
  readonly hash: string;
  /** Prompts or tasks; one for a call that is not batched. Empty for a tool. */
  readonly list: readonly string[];
  /** Of sub-agents, what each is handed: as many as there are tasks. */
  readonly variables?: readonly (readonly StoredInput[])[];
  /** Of a tool. */
  readonly arguments?: Readonly<Record<string, unknown>>;
}

/** Whether a function of the code asks models or sub-agents; any other is a tool. */
export function isQuery(name: string): boolean {
  return /^(?:llm|rlm)_query(?:_batched)?$/.test(name);
}

/** An answer as it travels: by reference, never by content; an error is its own text. */
export type Answer =
  /** With `error`: what is known of an answer that did not come to its end. */
  | { readonly ref: string; readonly usage?: CallUsage; readonly error?: string }
  | SubAgentAnswer
  /** `count`: the same for so many of a batch. */
  | { readonly error: string; readonly usage?: CallUsage; readonly count?: number }
  | AnswerList
  /** Of a batch, in order; one that stands for several is as many answers. */
  | { readonly items: readonly Answer[] };

export interface SubAgentAnswer {
  readonly ref: string;
  /** The agent that gave it. */
  readonly child: string;
  readonly error?: string;
  /** Blob with its patch; absent where it changed nothing. */
  readonly patch?: string;
  /** Of it and all below it. */
  readonly spent: Usage;
}

/** Answers of a batch that are too many for a history: a blob with the list of them. */
export interface AnswerList {
  readonly list: string;
  readonly count: number;
  readonly usage: Usage;
  /** Sub-agents that gave them. */
  readonly children?: readonly string[];
}

/** What one model call used. */
export type CallUsage = Omit<Usage, 'llm_calls'>;

/** Of the `llm_query` calls in an answer; sub-agents keep their own books. */
export function answerUsage(answer: Answer): Usage {
  if ('items' in answer) return addUsage(...answer.items.map(answerUsage));
  if ('list' in answer) return answer.usage;
  if (!('usage' in answer) || answer.usage === undefined) return NO_USAGE;
  return { ...answer.usage, llm_calls: 1 };
}

/** Of the model calls that a record tells of. An end repeats what the records before it tell of, so it adds nothing. */
export function recordUsage(record: ChainRecord): Usage {
  if (record.kind === 'reply' || record.kind === 'summary') return record.usage;
  return record.kind === 'answers' ? addUsage(...record.answers.map(({ answer }) => answerUsage(answer))) : NO_USAGE;
}

export interface BlockRecord extends RecordBase {
  readonly kind: 'block';
  readonly iteration: number;
  /** Counted from 1 over the whole agent. */
  readonly block: number;
  /** Position among the code blocks of its reply, from 0. */
  readonly index: number;
  readonly code: string;
  readonly result: BlockResult;
  /** Agents its calls started. */
  readonly spawned: readonly string[];
  /** Its answered calls, in the order of their answers. */
  readonly calls: readonly Pick<PendingCall, 'call' | 'request'>[];
  /** Blobs with the whole captured text, where the result holds only its head and tail. */
  readonly full?: { readonly stdout?: string; readonly stderr?: string };
}

/** The agent's sandbox was lost, or the variables in it, and a new one made: the blocks before this record ran again. */
export interface RebuildRecord extends RecordBase {
  readonly kind: 'rebuild';
  /** Of the new sandbox. */
  readonly generation: number;
  readonly sandbox: SandboxName;
  /** Why it was lost. Null when it had been evicted while its agent waited, or the agent was forked. */
  readonly reason: string | null;
  /** Numbers of the blocks that ran again. */
  readonly repeated: readonly number[];
  /** Blocks that had been ended from outside and did not run again. */
  readonly skipped: readonly number[];
  /** What was not as before, one phrase each. */
  readonly differences: readonly string[];
  /** The one line that the model is told; '' when there is nothing to tell. */
  readonly note: string;
  /** Seconds. */
  readonly execution_time: number;
}

export type AgentStatus = 'completed' | 'cancelled' | 'failed';

export interface EndRecord extends RecordBase {
  readonly kind: 'end';
  readonly status: AgentStatus;
  /** How the answer came about. */
  readonly source: AnswerSource;
  /** Blob with the whole answer, as JSON; null without one. It is cut where it is delivered. */
  readonly answer_ref: string | null;
  readonly error: string | null;
  /** Blob with the patch; null without one. */
  readonly patch: string | null;
  readonly notes: readonly string[];
  readonly usage: Usage;
  /** Seconds from the agent's start. */
  readonly execution_time: number;
}

/**
 * final: given to FINAL or SUBMIT. text: the text of replies without code. final_answer: asked for when the turns were
 * used up. partial: the last that is known. none: there is no answer.
 */
export type AnswerSource = 'final' | 'text' | 'final_answer' | 'partial' | 'none';

/** What the reference `runs/<run>@<execution>/<agent>` holds: the head, and what the live tree shows. */
export interface AgentReference {
  readonly head: string;
  readonly agent: string;
  readonly depth: number;
  /** Beginning of its task. */
  readonly task: string;
  readonly state: 'starting' | 'thinking' | 'running' | 'waiting' | 'closing' | 'done';
  readonly status?: AgentStatus;
  readonly iteration: number;
  readonly sandbox: string | null;
  /** Its own calls; sub-agents have references of their own. */
  readonly usage: Usage;
  /** Milliseconds since the epoch. */
  readonly started_at: number;
  readonly updated_at: number;
  readonly ended_at?: number;
  /** The attempt that wrote it or has claimed it: those before it are refused. */
  readonly writer?: Writer;
}

/** An attempt of an activity. */
export interface Writer {
  /** Run id of the workflow's execution. */
  readonly execution: string;
  /** Number of the activity; each execution counts from 1 in the order in which they are scheduled. */
  readonly activity: number;
  readonly attempt: number;
  /** Milliseconds since the epoch at which the server scheduled this attempt. */
  readonly scheduled_at: number;
}

/** What the reference `runs/<run>@<execution>/run` holds. */
export interface RunReference {
  readonly run: string;
  readonly execution: string;
  /** Hash of its specification. */
  readonly spec: string;
  /** Hash of the same with another configuration, which a person gave it since; default: `spec`. */
  readonly settings?: string;
  /** In force when it ended: a person may have changed them. */
  readonly limits?: RunLimits;
  /** Where its root took up the work of another run. */
  readonly from?: ForkOrigin & { readonly iteration: number };
  /** What the run before in its series had found (`rlm.findings`). */
  readonly findings_before?: { readonly run: string; readonly ref: string };
  /** Its worker's own user started it; else somebody who can reach Temporal. */
  readonly granted?: true;
  /** The Temporal server that knows it: others may share the store. */
  readonly cluster: string;
  readonly namespace: string;
  /** The schedule that started it, or the batch that it is of. */
  readonly schedule?: string;
  readonly started_at: number;
  readonly outcome?: RunOutcome;
  readonly ended_at?: number;
}

export type RunStatus = 'completed' | 'timed_out' | 'cancelled' | 'failed';

/** A run's result: what its workflow returns. */
export interface RunOutcome {
  readonly run_id: string;
  readonly status: RunStatus;
  /** The answer as text when it is short, else its beginning. */
  readonly answer: string | null;
  /** Whether `answer` is only the beginning; `answer_ref` has all of it. */
  readonly answer_truncated: boolean;
  /** Blob with the whole answer, as JSON. */
  readonly answer_ref: string | null;
  readonly answer_source: AnswerSource;
  readonly patch_ref: string | null;
  readonly error: string | null;
  readonly notes: readonly string[];
  readonly agents: number;
  readonly max_depth: number;
  readonly iterations: number;
  readonly sandboxes: number;
  readonly usage: Usage;
  /** Where it declares findings: how many there are of each kind, and the blob with them (`ComparedFindings`). */
  readonly findings?: {
    readonly new: number;
    readonly open: number;
    readonly changed: number;
    readonly gone: number;
    readonly ref: string;
  };
  /** Seconds, time spent paused included. */
  readonly execution_time: number;
}

export function agentReferenceName(run: string, execution: string, agent: string): string {
  return `runs/${run}@${execution}/${agent}`;
}

export function runReferenceName(run: string, execution: string): string {
  return agentReferenceName(run, execution, 'run');
}

/**
 * JSON with sorted keys and without blanks, for hashes: equal values have equal bytes. `undefined` fields are left out.
 * What is delivered keeps the order of its keys, and is not written with it.
 */
export function canonicalJson(value: unknown): string {
  if (value === null || typeof value !== 'object') return JSON.stringify(value) ?? 'null';
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  const entries = Object.entries(value)
    .filter(([, field]) => field !== undefined)
    .toSorted(([a], [b]) => (a < b ? -1 : 1));
  return `{${entries.map(([key, field]) => `${JSON.stringify(key)}:${canonicalJson(field)}`).join(',')}}`;
}

const KINDS = new Set(['task', 'reply', 'summary', 'steer', 'fork', 'calls', 'answers', 'block', 'rebuild', 'end']);

/** @throws Error naming what is wrong when the value is not a record that this version knows. */
export function checkedRecord(value: unknown): ChainRecord {
  const record = value as Partial<ChainRecord> | null;
  if (record === null || typeof record !== 'object' || !KINDS.has(record.kind ?? ''))
    throw new Error('not a trajectory record');
  if (record.v !== 1) {
    throw new Error(`a ${record.kind} record of version ${record.v}; this version of durable-rlm reads version 1`);
  }
  return record as ChainRecord;
}
