import type { KernelEvent } from './kernel-protocol.ts';
import type { Lease } from './ledger.ts';
import type { AgentStatus, Answer, AnswerSource, RecordedAnswer, RunOutcome } from './records.ts';
import type { SandboxHandle } from './sandbox.ts';
import type { Usage } from './usage.ts';

/** What workflows and activities say to each other. Hashes and small metadata only: history stays small. */
export interface Activities {
  prepareInvestigation(input: PrepareInvestigationInput): Promise<PreparedRun>;
  recordOutcome(input: { scope: RunScope; outcome: RunOutcome }): Promise<void>;
  createSandbox(input: CreateSandboxInput): Promise<SandboxHandle>;
  think(input: ThinkInput): Promise<ThinkResult>;
  act(input: ActInput): Promise<ActResult>;
  answerPrompts(input: AnswerPromptsInput): Promise<AnswerPromptsResult>;
  closeAgent(input: CloseAgentInput): Promise<CloseAgentResult>;
}

/** Attempts of a model call before it counts as failed: with the retry policy's pauses about three minutes. */
export const MODEL_ATTEMPTS = 10;

/** Input of the workflow `investigate`, as a person types it. */
export interface InvestigateInput {
  /** URL, or a folder: bundled where the worker is, unless the client did so already. */
  readonly repo: string;
  readonly prompt: string;
  readonly branch?: string;
  readonly commit?: string;
  /** As in `config.yaml`; what is left out has its default. */
  readonly config?: unknown;
  /** Set by the client for a local repository: the blob of its bundle. */
  readonly bundle?: string;
}

export interface PrepareInvestigationInput {
  readonly run: string;
  /** First execution id of the run's workflow. */
  readonly execution: string;
  readonly input: InvestigateInput;
}

/** Names a run's data: which run, which execution of it, its specification. */
export interface RunScope {
  readonly run: string;
  readonly execution: string;
  readonly spec: string;
}

export interface AgentScope extends RunScope {
  readonly agent: string;
}

/** The part of the configuration that workflows decide by. */
export interface WorkflowLimits {
  readonly max_sandboxes: number;
  readonly max_iterations: number;
  readonly max_llm_calls: number;
  readonly max_parallel: number;
  readonly max_depth?: number;
  readonly max_cost?: number;
  readonly on_error: 'pause' | 'fail';
}

export interface PreparedRun {
  readonly spec: string;
  /** Head of the root agent's chain. */
  readonly task: string;
  readonly limits: WorkflowLimits;
  /** Seconds. */
  readonly global_timeout: number;
  readonly create_timeout: number;
  /** One line for Temporal's UI. */
  readonly summary: string;
}

/** Where an agent finds its task: the whole blob, or an entry of a list. */
export interface TaskReference {
  readonly ref: string;
  /** Position in the list; absent when `ref` is already the head of the agent's chain. */
  readonly index?: number;
}

/** Input of the workflow `agent`. Run and agent are in its workflow id. */
export interface AgentInput {
  readonly execution: string;
  readonly spec: string;
  readonly task: TaskReference;
  readonly lease: Lease;
  readonly limits: WorkflowLimits;
  /** Seconds. */
  readonly create_timeout: number;
  readonly paused?: boolean;
}

export interface AgentResult {
  readonly status: AgentStatus;
  readonly source: AnswerSource;
  /** Blob with what the parent's code gets (a JSON string); null where there is no answer. */
  readonly answer_ref: string | null;
  /** Root only: the answer as given to FINAL. */
  readonly full_answer_ref?: string;
  /** Root only: the first 4,000 characters of the answer. */
  readonly answer?: string;
  readonly patch_ref?: string;
  readonly notes?: readonly string[];
  readonly error?: string;
  readonly head: string | null;
  /** Unused; goes back to whoever leased it. */
  readonly lease: Lease;
  /** Of this agent and all below it. */
  readonly usage: Usage;
  readonly agents: number;
  readonly depth: number;
  readonly iterations: number;
  readonly sandboxes: number;
}

export interface CreateSandboxInput {
  readonly scope: AgentScope;
  readonly task: TaskReference;
  readonly generation: number;
}

export interface ThinkInput {
  readonly scope: AgentScope;
  /** Head of the chain; for an agent's first turn its task, from which the chain is begun. */
  readonly head: string | TaskReference;
  readonly iteration: number;
  readonly purpose: 'turn' | 'extract';
}

export interface ThinkResult {
  readonly head: string;
  /** Code blocks to run; 0 also when the reply was cut off. */
  readonly blocks: number;
  /** The reply was cut off by the length limit. */
  readonly cut?: true;
  readonly usage: Usage;
}

export interface ActInput {
  readonly scope: AgentScope;
  readonly sandbox: SandboxHandle;
  readonly head: string;
  readonly iteration: number;
  readonly step: BlockStep;
  /** Answers that have arrived, to be handed to the running block. */
  readonly answers?: readonly RecordedAnswer[];
  /** What those answers used. */
  readonly usage?: Usage;
}

/** Which block is next or running. */
export interface BlockStep {
  /** Position among the code blocks of the reply, from 0. */
  readonly index: number;
  /** Number in the kernel, from 1 over the whole agent. */
  readonly block: number;
  /** Hash of the record the block follows: what the kernel calls it. */
  readonly name: string;
  /** Cursor of the last event taken. */
  readonly cursor: number;
}

export type ActResult =
  | {
      readonly kind: 'done';
      readonly head: string;
      /** Number of the last block run. */
      readonly block: number;
      /** FINAL was called. */
      readonly final?: true;
    }
  | {
      readonly kind: 'calls';
      readonly head: string;
      readonly step: BlockStep;
      readonly calls: readonly PendingCall[];
      /** Nothing in the code can go on without an answer. */
      readonly waiting: boolean;
    };

export interface PendingCall {
  readonly call: string;
  readonly function: string;
  readonly hash: string;
  /** Blob with the list of its prompts or tasks. */
  readonly list: string;
  readonly count: number;
  /** Called with a list: the answer is a list as well. */
  readonly batched: boolean;
}

export interface AnswerPromptsInput {
  readonly scope: AgentScope;
  /** Names the call for the journal. */
  readonly call: string;
  readonly list: string;
  readonly from: number;
  readonly to: number;
}

export interface AnswerPromptsResult {
  /** In order. */
  readonly answers: readonly Answer[];
  readonly usage: Usage;
}

export interface CloseAgentInput {
  readonly scope: AgentScope;
  readonly head: string | TaskReference;
  readonly sandbox?: SandboxHandle;
  readonly status: AgentStatus;
  readonly source: AnswerSource;
  readonly error?: string;
  readonly extractPatch: boolean;
  /** Of this agent's own calls. */
  readonly usage: Usage;
  /** Seconds from the agent's start. */
  readonly execution_time: number;
}

export interface CloseAgentResult {
  readonly head: string;
  readonly source: AnswerSource;
  readonly answer_ref: string | null;
  readonly full_answer_ref?: string;
  readonly answer?: string;
  readonly patch_ref?: string;
  readonly notes?: readonly string[];
}

export type CallEvent = Extract<KernelEvent, { type: 'call' }>;
