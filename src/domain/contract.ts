import type { RunLimits } from './budget.ts';
import type { RlmConfig, TemporalConfig } from './config.ts';
import type { BlockResult } from './kernel-protocol.ts';
import type { BudgetMessage, RunProgress } from './messages.ts';
import type { Notice } from './notice.ts';
import type { Span } from './presence.ts';
import type { AgentStatus, Answer, AnswerList, AnswerSource, CallAnswer, PendingCall, RunOutcome } from './records.ts';
import type { SandboxName } from './sandbox.ts';
import type { SettableAttributes } from './search-attributes.ts';
import type { Usage } from './usage.ts';

/** The messages between workflows and activities. Hashes and small metadata only: history stays small. */
export interface Activities {
  prepareInvestigation(input: PrepareInvestigationInput): Promise<PreparedRun | SkippedRun>;
  prepareAnalysis(input: PrepareAnalysisInput): Promise<PreparedRun>;
  /** Gives the run another configuration; its agents have it from their next activity on. */
  configureRun(input: ConfigureInput): Promise<void>;
  /** Tells a person about the run, as the worker's own configuration says. */
  sendNotice(input: { readonly notice: Notice }): Promise<void>;
  /** Milliseconds of the given time in which no worker of the run's task queue was up. */
  workerAbsence(input: { readonly during: readonly Span[] }): Promise<number>;
  /** Returns the outcome, completed with what the agents have recorded where the root could not say it. */
  recordOutcome(input: RecordOutcomeInput): Promise<RunOutcome>;
  /**
   * Whether the user of this worker has sent a message that gives the run more than its ceilings.
   *
   * @throws ApplicationFailure `Input.NotAllowed` where no worker knows that
   */
  admitBudget(message: BudgetMessage): Promise<void>;
  /** Creates an agent's first sandbox. Repeated, it returns the existing one. */
  createSandbox(input: AgentActivity): Promise<SandboxName>;
  /** Replaces a sandbox that was lost or evicted, and replays the blocks of the trajectory in the new one. */
  rebuildSandbox(input: RebuildSandboxInput): Promise<RebuildSandboxResult>;
  /** Whether a sandbox's host can still be reached. */
  locateSandbox(input: LocateSandboxInput): Promise<'there' | 'lost'>;
  /** Asks the model for an agent's next reply. */
  callModel(input: CallModelInput): Promise<CallModelResult>;
  /** Runs the code of the last reply, until it ends or waits for answers. */
  runCode(input: RunCodeInput): Promise<RunCodeResult>;
  answerPrompts(input: AnswerPromptsInput): Promise<AnswerPromptsResult>;
  callTool(input: CallToolInput): Promise<CallToolResult>;
  /** Answers of sub-agents that are too many for a history. */
  storeAnswers(input: StoreAnswersInput): Promise<AnswerList>;
  /** What is recorded of a sub-agent that could not say it itself, because it was cancelled or terminated, and of all below it. */
  readAgent(input: ReadAgentInput): Promise<RecordedAgent>;
  /** What the agents of a run have done so far, and what they wait for. */
  readProgress(input: RunActivity): Promise<RunProgress>;
  /** Takes the patch, records the end, removes the sandbox. */
  finishAgent(input: FinishAgentInput): Promise<FinishAgentResult>;
}

/** The run whose work a new one takes up: its conversation, variables and files, without a model call. */
export interface ForkSource {
  readonly run: string;
  /** First execution id; default: the newest execution. */
  readonly execution?: string;
  /** Default: the root. */
  readonly agent?: string;
  /** The iteration after which the two part; default: the last one. 0: only the task is shared. */
  readonly at?: number;
  /** What the model is told then. */
  readonly message?: string;
}

/** Input of the workflow `investigate`, as a person types it. With `fork` only that is needed. */
export interface InvestigateInput {
  /** URL, or a folder: bundled where the worker is, unless the client did so already. */
  readonly repo?: string;
  readonly prompt?: string;
  readonly fork?: ForkSource;
  readonly branch?: string;
  readonly commit?: string;
  /** As in `config.yaml`; what is left out has its default. */
  readonly config?: unknown;
  /** Folder of the repository that the prompt is about. Default: the one that `repo` names, where it is inside of one. */
  readonly folder?: string;
  /** Set by the client for a local repository: the blob of its bundle. */
  readonly bundle?: string;
  /** Set by the client for a run that is retried: the execution whose data it continues. */
  readonly from?: string;
  /** Host whose worker reads the repository: a folder of it, at each occurrence of a schedule. */
  readonly host?: string;
  /** Name of the schedule: where the occurrence before worked on the same commit, there is nothing to do. */
  readonly only_if_changed?: string;
  /** Set by the client: the hash by which a worker with its state folder knows that its user started this very run. */
  readonly grant?: string;
  /** The batch or schedule that `grant` is for: whatever runs it starts with this input. Default: the run itself. */
  readonly grant_for?: string;
}

export interface PrepareInvestigationInput {
  readonly run: string;
  /** First execution id of the run's workflow. */
  readonly execution: string;
  readonly input: InvestigateInput;
  /** As in `RunReference`. */
  readonly schedule?: string;
}

/** Input of the workflow `analyze`, as a person types it. With `fork` only that is needed. */
export interface AnalyzeInput {
  readonly fork?: ForkSource;
  /** `documents: list[str], question -> answer: str`, or one of the forms that `readSignature` takes. */
  readonly signature?: unknown;
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
  /** Both as those of `InvestigateInput`. */
  readonly from?: string;
  /** As those of `InvestigateInput`. */
  readonly grant?: string;
  readonly grant_for?: string;
}

/** A run of either kind, as its workflow gets it. */
export type RunRequest =
  | { readonly type: 'investigate'; readonly input: InvestigateInput }
  | { readonly type: 'analyze'; readonly input: AnalyzeInput };

/** Another configuration for a run: the input that would retry it with that configuration. */
export type ConfigureInput = RunActivity & RunRequest & { readonly run: string };

export interface PrepareAnalysisInput {
  readonly run: string;
  /** First execution id of the run's workflow. */
  readonly execution: string;
  readonly input: AnalyzeInput;
  /** As in `RunReference`. */
  readonly schedule?: string;
}

/** Of every activity of a run. The run, and the agent, are in the id of the workflow that calls it. */
export interface RunActivity {
  /** First execution id of the run's workflow: its data is kept under it. */
  readonly execution: string;
}

/** Of every activity of an agent. */
export interface AgentActivity extends RunActivity {
  readonly task: TaskReference;
}

/** Where an agent finds its task: in the request of its parent's call, or at the head of a trajectory already begun. */
export interface TaskReference {
  readonly ref: string;
  /** Position in the request's list; absent when `ref` is the head of the agent's trajectory. */
  readonly index?: number;
}

/** Whether model calls and work on sandboxes have task queues of their own. */
export type Queues = TemporalConfig['queues'];

/** A run that has nothing to do. */
export interface SkippedRun {
  /** Why, in a sentence. */
  readonly skipped: string;
}

export interface PreparedRun {
  readonly spec: string;
  /** Head of the root agent's trajectory. */
  readonly task: string;
  readonly limits: RlmConfig;
  /** What only the user of its worker can raise its budget above. */
  readonly ceilings: RunLimits;
  /** Seconds (`sandbox.idle_timeout`). */
  readonly idle_timeout: number;
  readonly queues: Queues;
  /** The worker that prepared it has somebody to tell when it pauses. */
  readonly notifies?: true;
  /** Where the root takes up another run: iterations and sub-agents that are shared. */
  readonly fork?: { readonly iteration: number; readonly started: number };
  /** One line for Temporal's UI. */
  readonly summary: string;
  /** For the memo of the run's workflow. */
  readonly memo: { readonly repository?: string; readonly commit?: string; readonly prompt: string };
  /** Those that the run's workflow may set. */
  readonly search_attributes: SettableAttributes;
}

/** Input of the workflow `agent`. Run and agent are in its workflow id. */
export interface AgentInput {
  readonly execution: string;
  readonly task: TaskReference;
  readonly limits: RlmConfig;
  /** Seconds (`sandbox.idle_timeout`). */
  readonly idle_timeout: number;
  readonly queues: Queues;
  readonly paused?: boolean;
  /** Its result has the fields of a signature. */
  readonly typed?: boolean;
  /** Iterations that it shares with an agent of another run, whose sandbox is rebuilt for it. */
  readonly forkedAt?: number;
  /** Set by the agent itself when it continues as new. */
  readonly state?: AgentProgress;
}

/** What an agent knows of itself beside its trajectory; what travels when it continues as new. */
export interface AgentProgress {
  /** Newest record of the trajectory that the workflow knows; undefined before the first. */
  readonly head?: string;
  /** Iterations begun. */
  readonly iteration: number;
  readonly usage: Usage;
  readonly sandbox?: SandboxName;
  /** Sandboxes created for it: the first, and one for each that was lost. */
  readonly sandboxes: number;
  /** Sub-agents started so far, and what they did. */
  readonly started: number;
  readonly totals: Totals;
  /** Messages of a person that its model has not seen. */
  readonly steer?: readonly Steer[];
  /** Answers that the running block has not been given. Present when the agent continues in the middle of a block. */
  readonly undelivered?: readonly CallAnswer[];
}

/** What an agent and all below it did. */
export interface Totals {
  readonly usage: Usage;
  readonly agents: number;
  readonly depth: number;
  readonly iterations: number;
  readonly sandboxes: number;
  /** What got an error because a budget was used up: prompts, and tasks for sub-agents. */
  readonly refused: { readonly prompts: number; readonly tasks: number };
}

/** What the workflow `agent` returns; where it fails, the details of its failure. */
export interface AgentResult extends FinishAgentResult {
  readonly status: AgentStatus;
  /** Of this agent and all below it. */
  readonly totals: Totals;
}

/** The workflow `agent`, for those who start it. */
export type AgentWorkflow = (input: AgentInput) => Promise<AgentResult>;

export interface RebuildSandboxInput extends AgentActivity {
  readonly cause: RebuildCause;
}

/** Why an agent needs another sandbox. Only one that was lost counts: against the budget, and `sandbox.max_rebuilds`. */
export type RebuildCause =
  /** `reason` is for a person and the model. */
  | { readonly kind: 'lost'; readonly sandbox: SandboxName; readonly reason: string }
  /** It was ended while its agent waited: there were more than `sandbox.max_live`, or nobody renewed it for `sandbox.idle_timeout`. */
  | { readonly kind: 'evicted'; readonly sandbox: SandboxName }
  /** The agent was forked, and has none yet. */
  | { readonly kind: 'forked' };

export type RebuildSandboxResult =
  | { readonly kind: 'rebuilt'; readonly sandbox: SandboxName }
  /** None was made. */
  | { readonly kind: 'refused'; readonly reason: string };

export interface LocateSandboxInput extends AgentActivity {
  readonly sandbox: SandboxName;
  readonly taskQueue: string;
}

export interface CallModelInput extends AgentActivity {
  /** Head of the trajectory; absent for the first call of an agent, which begins it. */
  readonly head?: string;
  /** `final_answer`: the closing question, when the iterations are used up. */
  readonly purpose: 'turn' | 'final_answer';
  /** Messages of a person that the model has not seen. */
  readonly steer?: readonly Steer[];
}

/** A message of a person to an agent. */
export interface Steer {
  readonly id: string;
  readonly message: string;
}

export type CallModelResult =
  /** A reply with code to run: the lines of all its blocks. */
  | { readonly kind: 'code'; readonly head: string; readonly lines: number; readonly usage: Usage }
  /** A reply without code, `in_a_row` with those before it; `empty` when there was nothing in it. */
  | {
      readonly kind: 'text';
      readonly head: string;
      readonly in_a_row: number;
      readonly empty: boolean;
      readonly usage: Usage;
    }
  /** A reply that was cut off at the length limit: nothing of it is run. */
  | { readonly kind: 'truncated'; readonly head: string; readonly usage: Usage }
  /** A reply that calls a tool: there are none, and the model is told so. */
  | { readonly kind: 'tool_call'; readonly head: string; readonly usage: Usage }
  /** The final answer that was asked for. */
  | { readonly kind: 'answer'; readonly head: string; readonly usage: Usage }
  /**
   * A final answer that cannot be used: cut off, withheld, empty, code, or without the fields of the signature. `problem`:
   * the beginning of what the model reads about it.
   */
  | { readonly kind: 'invalid'; readonly head: string; readonly usage: Usage; readonly problem?: string }
  /** The conversation is longer than the model's context, and could not be compacted further. */
  | { readonly kind: 'context_length' };

export interface RunCodeInput extends AgentActivity {
  readonly sandbox: SandboxName;
  readonly head: string;
  /** Answers that have arrived, for the running block. */
  readonly answers?: readonly CallAnswer[];
  /** Whether the sandbox must not be evicted before these answers are delivered. */
  readonly pinned?: boolean;
}

export type RunCodeResult =
  /**
   * The code of the reply has ended. `status`: how its last block ended, as recorded, for a person who reads the history;
   * nothing decides by it. Absent where the agent ended before its code did.
   */
  | { readonly kind: 'done'; readonly head: string; readonly status?: BlockResult['status'] }
  /** FINAL was called. `status` as above. */
  | { readonly kind: 'final'; readonly head: string; readonly status?: BlockResult['status'] }
  /** The code ended its own interpreter, and the variables with it. */
  | { readonly kind: 'crashed'; readonly head: string }
  /** The code has made calls. `waiting`: nothing in it can continue without an answer. */
  | { readonly kind: 'calls'; readonly head: string; readonly calls: readonly PendingCall[]; readonly waiting: boolean }
  /** As `calls`, and its sandbox was evicted until the answers are there. */
  | { readonly kind: 'evicted'; readonly head: string; readonly calls: readonly PendingCall[] };

export interface AnswerPromptsInput extends RunActivity {
  /** Names the call for the journal. */
  readonly call: string;
  /** Blob with the CallRequest. */
  readonly request: string;
  /** Positions in its list, `to` excluded. Default: all. */
  readonly range?: { readonly from: number; readonly to: number };
  /** Characters of answers, as JSON, that are returned as they are; more is stored. */
  readonly inline: number;
}

export interface StoreAnswersInput extends RunActivity {
  readonly answers: readonly Answer[];
}

export interface AnswerPromptsResult {
  /** In order; one that stands for several is as many answers. */
  readonly answers: readonly Answer[];
}

export interface CallToolInput extends RunActivity {
  /** Names the call for the journal. */
  readonly call: string;
  /** Blob with the CallRequest. */
  readonly request: string;
}

export interface CallToolResult {
  readonly answer: Answer;
}

export interface RecordOutcomeInput extends RunActivity {
  readonly outcome: RunOutcome;
  /** The root agent could not say what it has: it was cancelled or terminated, or did not end in time. */
  readonly incomplete?: true;
  /** In force at the end: a person may have changed them. */
  readonly limits?: RunLimits;
}

export interface ReadAgentInput extends RunActivity {
  /** Id of the sub-agent. */
  readonly agent: string;
}

export interface RecordedAgent extends FinishAgentResult {
  readonly totals: Totals;
}

export interface FinishAgentInput extends AgentActivity {
  readonly sandbox?: SandboxName;
  readonly status: AgentStatus;
  readonly source: AnswerSource;
  readonly error?: string;
}

export interface FinishAgentResult {
  readonly answer_source?: AnswerSource;
  /** Blob with the whole answer, as JSON; absent where there is none. */
  readonly answer_ref?: string;
  /** Root only: the beginning of the answer, for a person. */
  readonly answer?: string;
  /** Whether `answer` is only the beginning. */
  readonly answer_truncated?: boolean;
  readonly patch_ref?: string;
  readonly notes?: readonly string[];
}
