import type { AgentStatus, Answer, AnswerSource, RunOutcome } from './records.ts';
import type { SandboxName } from './sandbox.ts';
import type { Usage } from './usage.ts';
import type { WireAnswer, WireCall, WireLease, WireLimits, WireTotals } from './wire.ts';

/** What workflows and activities say to each other. Hashes and small metadata only: history stays small. */
export interface Activities {
  prepareInvestigation(input: PrepareInvestigationInput): Promise<PreparedRun>;
  prepareAnalysis(input: PrepareAnalysisInput): Promise<PreparedRun>;
  /** Returns the outcome with what the root agent recorded, where the root itself could not be asked. */
  recordOutcome(input: OfRun & { readonly outcome: RunOutcome }): Promise<RunOutcome>;
  createSandbox(input: CreateSandboxInput): Promise<SandboxName>;
  begin(input: BeginInput): Promise<BeginResult>;
  turn(input: TurnInput): Promise<TurnResult>;
  /** Makes another sandbox for one that was lost, and brings it to the state of the chain. */
  rebuildSandbox(input: RebuildSandboxInput): Promise<RebuildSandboxResult>;
  /** Whether anybody can still reach a sandbox's host. */
  locateSandbox(input: LocateSandboxInput): Promise<'there' | 'lost'>;
  think(input: ThinkInput): Promise<ThinkResult>;
  act(input: ActInput): Promise<ActResult>;
  answerPrompts(input: AnswerPromptsInput): Promise<AnswerPromptsResult>;
  callTool(input: CallToolInput): Promise<CallToolResult>;
  closeAgent(input: CloseAgentInput): Promise<CloseAgentResult>;
}

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

/** Input of the workflow `analyze`, as a person types it. */
export interface AnalyzeInput {
  /** `documents: list[str], question -> answer: str`, or one of the forms that `readSignature` takes. */
  readonly signature: unknown;
  /** Beside those of the signature, after them. */
  readonly instructions?: string;
  /** Values by name: for what is small. */
  readonly inputs?: Readonly<Record<string, unknown>>;
  /** Set by a client that has stored them already, instead of `inputs`: blob with a list of `StoredInput`. */
  readonly stored_inputs?: string;
  /** Set by a client that has loaded tools: blob with a list of `ToolDescription`. Default: those of the worker. */
  readonly tools?: string;
  /** As in `config.yaml`; what is left out has its default. */
  readonly config?: unknown;
}

export interface PrepareAnalysisInput {
  readonly run: string;
  /** First execution id of the run's workflow. */
  readonly execution: string;
  readonly input: AnalyzeInput;
}

/**
 * Every input names the first execution id of its run. Run and agent are in the workflow's id, the specification is
 * found by both: nothing travels that can be found.
 */
interface OfRun {
  readonly execution: string;
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
  /** Seconds to wait for a sandbox. */
  readonly create_timeout: number;
  /** An iteration is one activity; absent (runs of old, or queues of their own for models): the model and the code apart. */
  readonly whole_turns?: true;
  /** Model calls and sandboxes have task queues of their own; absent: they share that of the workflows. */
  readonly separate_queues?: true;
  /** A sandbox that is lost is made again; absent in runs of old. */
  readonly rebuild?: true;
  /** Of one `llm_query_batched`; absent: 10. */
  readonly prompts_per_activity?: number;
}

export interface PreparedRun {
  readonly spec: string;
  /** Head of the root agent's chain. */
  readonly task: string;
  readonly limits: WorkflowLimits;
  /** Seconds. */
  readonly global_timeout: number;
  /** One line for Temporal's UI. */
  readonly summary: string;
}

/** Where an agent finds its task: in the request of its parent's call, or at the head of a chain already begun. */
export interface TaskReference {
  readonly ref: string;
  /** Position in the request's list; absent when `ref` is the head of the agent's chain. */
  readonly index?: number;
}

/** Input of the workflow `agent`. Run and agent are in its workflow id. */
export interface AgentInput {
  readonly execution: string;
  readonly task: TaskReference;
  readonly lease: WireLease;
  readonly limits: WireLimits;
  readonly paused?: boolean;
  /** Its result has the fields of a signature. */
  readonly typed?: true;
  /** Set by the agent itself when it continues as new; `lease` is then its balance. */
  readonly resumed?: AgentResumption;
}

/** Where an agent goes on whose history had become long: all that is not in its chain. */
export interface AgentResumption {
  readonly head: string;
  readonly iteration: number;
  /** Number of the last block that has ended. */
  readonly block: number;
  /** Replies without code in a row. */
  readonly without_code: number;
  readonly usage: Usage;
  readonly sandbox?: SandboxName;
  /** Generation of the sandbox, and how many of those before were lost. */
  readonly generation: number;
  readonly losses?: number;
  /** Sub-agents started so far, and what they did. */
  readonly started: number;
  readonly totals: WireTotals;
  /** The ledger has asked for what is not needed. */
  readonly recalled?: true;
  /** In the middle of a block: where its code stands, and answers that have not been handed to it. */
  readonly block_under_way?: { readonly step: BlockStep; readonly answers: readonly WireAnswer[] };
}

export interface AgentResult {
  readonly status: AgentStatus;
  /** Blob with what the parent's code gets (a JSON string); absent where there is no answer. */
  readonly answer_ref?: string;
  /** Root only: the answer as given to FINAL. */
  readonly full_answer_ref?: string;
  /** Root only: the first 4,000 characters of the answer. */
  readonly answer?: string;
  readonly answer_source?: AnswerSource;
  readonly patch_ref?: string;
  readonly notes?: readonly string[];
  readonly error?: string;
  /** Unused; goes back to whoever leased it. */
  readonly lease: WireLease;
  /** Of this agent and all below it. */
  readonly totals: WireTotals;
}

export interface CreateSandboxInput extends OfRun {
  readonly task: TaskReference;
  readonly generation: number;
}

export interface RebuildSandboxInput extends OfRun {
  readonly task: TaskReference;
  /** Of the new sandbox. */
  readonly generation: number;
  readonly lost: SandboxName;
  /** For a person and the model. Absent: it was dropped on purpose. */
  readonly reason?: string;
  /** How often it was lost so far, this time included. */
  readonly losses: number;
}

export interface RebuildSandboxResult {
  readonly sandbox: SandboxName;
  readonly head: string;
  /** Calls of the block that was running whose answers are in the chain: they are given again from there. */
  readonly answered?: readonly string[];
}

export interface LocateSandboxInput extends OfRun {
  readonly sandbox: SandboxName;
  readonly taskQueue: string;
}

export interface ThinkInput extends OfRun {
  /** Head of the chain; for an agent's first turn its task, from which the chain is begun. */
  readonly head: string | TaskReference;
  readonly iteration: number;
  readonly purpose: 'turn' | 'extract';
  /** Attempts made before this activity. */
  readonly attempts?: number;
}

/** The whole first turn: the sandbox is made while the model thinks, then the reply's code runs. */
export interface BeginInput extends OfRun {
  readonly task: TaskReference;
  readonly head: string | TaskReference;
  /** The last iteration that may be begun. Default: 1. */
  readonly last?: number;
}

/** As far as it got; what is missing is done by an activity of its own. */
export interface BeginResult {
  readonly sandbox?: SandboxName;
  /** Why there is none, where trying again is of no use. */
  readonly no_sandbox?: { readonly type: string; readonly message: string };
  readonly turns?: number;
  readonly block?: number;
  readonly reply?: ThinkResult;
  /** Why there is no reply, or none to the next turn. */
  readonly refusal?: Refusal;
  readonly acted?: ActResult;
}

/** A model gave no reply; `delay` in milliseconds where another attempt may get one. */
export interface Refusal {
  readonly type: string;
  readonly message: string;
  readonly delay?: number;
}

/** Turns after the first: the model is asked, then the reply's code runs, and again while that takes no time. */
export interface TurnInput extends OfRun {
  readonly sandbox: SandboxName;
  readonly head: string;
  readonly iteration: number;
  /** The last iteration that may be begun. Default: `iteration`. */
  readonly last?: number;
  /** Number of the last block run. */
  readonly block: number;
}

export interface TurnResult {
  /** Turns taken. Default: 1. */
  readonly turns?: number;
  /** Number of the last block that was run before the last reply. Default: the input's. */
  readonly block?: number;
  /** The last reply, with the usage of all. */
  readonly reply: ThinkResult;
  /** Absent where there is no code, or where running it failed: `act` tries again. */
  readonly acted?: ActResult;
  /** The model refused the turn after these for good. */
  readonly refusal?: Refusal;
}

export interface ThinkResult {
  readonly head: string;
  /** Code blocks to run; 0 also when the reply was cut off. */
  readonly blocks: number;
  /** The reply was cut off by the length limit. */
  readonly cut?: true;
  /** There is no text in the reply that could be an answer. */
  readonly empty?: true;
  /** It calls a tool, and there are none: the model is told, and it does not count as a reply without code. */
  readonly tool_call?: true;
  /** The closing answer was cut off, withheld, holds code, or does not have the fields that the signature wants. */
  readonly unfit?: true;
  readonly usage: Usage;
}

export interface ActInput extends OfRun {
  readonly sandbox: SandboxName;
  readonly head: string;
  readonly step: BlockStep;
  /** Answers that have arrived, to be handed to the running block. */
  readonly answers?: readonly WireAnswer[];
  /** The sandbox was made again because answers are there: it is not to be dropped before they are handed over. */
  readonly keep?: true;
}

/** Which block is next or running. */
export interface BlockStep {
  /** Position among the code blocks of the reply, from 0. */
  readonly index: number;
  /** Number in the kernel, from 1 over the whole agent. */
  readonly block: number;
  /** Cursor of the last event taken. */
  readonly cursor: number;
}

export type ActResult =
  | {
      readonly kind: 'done';
      readonly head: string;
      /** Number of the last block run. */
      readonly block: number;
      /** FINAL was called: the agent has been closed on the spot. */
      readonly final?: CloseAgentResult;
      /** The interpreter ended, and the variables with it. */
      readonly lost?: true;
    }
  | {
      readonly kind: 'calls';
      readonly head: string;
      readonly step: BlockStep;
      readonly calls: readonly WireCall[];
      /** Nothing in the code can go on without an answer. */
      readonly waiting?: true;
      /** The sandbox was given up until the answers are there. */
      readonly dropped?: true;
    };

export interface PendingCall {
  readonly call: string;
  readonly function: string;
  /** Blob with the CallRequest. */
  readonly request: string;
  /** Prompts or tasks of a call with a list, whose answer is a list as well; absent for a single one. */
  readonly batch?: number;
}

export interface AnswerPromptsInput extends OfRun {
  /** Names the call for the journal. */
  readonly call: string;
  /** Blob with the CallRequest. */
  readonly request: string;
  /** Positions in its list, the second excluded. Default: all. */
  readonly range?: readonly [from: number, to: number];
}

export interface AnswerPromptsResult {
  /** In order. */
  readonly answers: readonly Answer[];
}

export interface CallToolInput extends OfRun {
  /** Names the call for the journal. */
  readonly call: string;
  /** Blob with the CallRequest. */
  readonly request: string;
}

export interface CallToolResult {
  readonly answer: Answer;
}

export interface CloseAgentInput extends OfRun {
  readonly head: string | TaskReference;
  readonly sandbox?: SandboxName;
  readonly status: AgentStatus;
  readonly source: AnswerSource;
  readonly error?: string;
}

export interface CloseAgentResult {
  readonly answer_source?: AnswerSource;
  readonly answer_ref?: string;
  readonly full_answer_ref?: string;
  readonly answer?: string;
  readonly patch_ref?: string;
  readonly notes?: readonly string[];
}
