import type { ApprovalStep } from '../domain/config.ts';
import type { AgentReference, AgentStatus, AnswerSource } from '../domain/records.ts';
import type { Usage } from '../domain/usage.ts';

/** What the page is given: JSON, made of trajectories or of results files. The page imports these types and nothing else. */

/** A text that may be long. Where it is cut, the page asks for more of it by `at`. */
export interface Text {
  /** Its beginning, or all of it. */
  readonly text: string;
  /** Characters of all of it. */
  readonly length: number;
  /** Where it stands in its agent (`iterations.3.reply`); absent where nothing is cut. */
  readonly at?: string;
  /** Blob with what was captured, where `text` is only its head and tail. */
  readonly blob?: string;
}

export type RunStatus =
  | 'starting'
  | 'running'
  | 'paused'
  | 'finishing'
  | 'suspended'
  | 'completed'
  | 'timed_out'
  | 'cancelled'
  | 'failed'
  | 'terminated'
  | 'unknown';

/** A line of the list of runs. */
export interface RunSummary {
  readonly run: string;
  readonly type: 'investigate' | 'analyze' | null;
  readonly status: RunStatus;
  /** Beginning of it. */
  readonly prompt: string;
  readonly repository: string | null;
  readonly model: string | null;
  /** The schedule that started it, or its batch. */
  readonly schedule: string | null;
  readonly agents: number;
  readonly max_depth: number;
  readonly iterations: number;
  readonly usage: Usage;
  /** Milliseconds since the epoch; null where the file does not tell. */
  readonly started_at: number | null;
  /** Seconds; so far for one that has not ended. */
  readonly execution_time: number;
}

export interface RunList {
  readonly runs: readonly RunSummary[];
  /** How many there are; more than are listed where `limit` cut them. */
  readonly total: number;
  /** Files that are no results, and why. */
  readonly problems: readonly string[];
}

/** An agent in the tree. */
export interface AgentRow {
  readonly id: string;
  readonly depth: number;
  /** Beginning of its task. */
  readonly task: string;
  readonly state: AgentReference['state'];
  readonly status: AgentStatus | 'running';
  readonly iteration: number;
  readonly usage: Usage;
  readonly started_at: number | null;
  readonly ended_at: number | null;
  /** Seconds; so far for one that works. */
  readonly execution_time: number;
  /** Beginning of what went wrong. */
  readonly error: string | null;
  readonly source: AnswerSource | null;
  /** Equal as long as nothing has happened. */
  readonly version: string;
}

/** Something that went wrong, or that a person should look at first. */
export interface Finding {
  readonly kind: 'failed' | 'cancelled' | 'unfinished' | 'loop' | 'errors' | 'costly' | 'note';
  readonly text: string;
  /** What it cost and what came of it. */
  readonly detail?: string;
  /** The agents it is about, those first that are worth a look. */
  readonly agents: readonly string[];
  readonly iteration?: number;
}

export interface RunView {
  readonly run: string;
  readonly type: 'investigate' | 'analyze' | null;
  readonly status: RunStatus;
  /** Why it is paused, suspended or failed. */
  readonly reason: string | null;
  readonly prompt: Text;
  readonly repository: { readonly name: string; readonly commit: string; readonly branch: string | null } | null;
  readonly signature: string | null;
  /** Names of the inputs, and of their files where they are from files. */
  readonly inputs: readonly { readonly name: string; readonly files: readonly string[] }[];
  /** The schedule that started it, or its batch. */
  readonly schedule: string | null;
  /** The run that it was forked from. */
  readonly from: { readonly run: string; readonly agent: string; readonly iteration: number } | null;
  readonly config: unknown;
  readonly answer: AnswerView | null;
  readonly answer_source: AnswerSource | null;
  readonly notes: readonly string[];
  /** Bytes of the patch; null without one. */
  readonly patch: number | null;
  /** Of a run on a repository that has ended without a patch: why, null where nothing was changed. */
  readonly no_patch: { readonly reason: string | null } | null;
  readonly agents: readonly AgentRow[];
  readonly totals: {
    readonly agents: number;
    readonly done: number;
    readonly max_depth: number;
    readonly iterations: number;
    readonly sandboxes: number;
    readonly usage: Usage;
  };
  readonly started_at: number | null;
  readonly ended_at: number | null;
  readonly execution_time: number;
  readonly findings: readonly Finding[];
  /** What of it cannot be shown because it is missing in the blob store, a sentence each. */
  readonly missing: readonly string[];
  /** What its agents ask a person. */
  readonly questions: readonly QuestionView[];
  /** What the page may tell the run to do; empty where nobody can. */
  readonly controls: readonly Control[];
  /** Why none of it can be done at present; null where it can. */
  readonly uncontrollable: string | null;
}

export type Control = 'pause' | 'resume' | 'steer' | 'budget' | 'cancel' | 'retry' | 'fork';

/** A step that waits for a person. */
export interface QuestionView {
  readonly id: string;
  readonly agent: string;
  readonly step: ApprovalStep;
  readonly text: string;
}

/** The whole call or patch that a person is asked about. */
export interface QuestionDetails {
  readonly step: ApprovalStep;
  readonly content: Text;
}

/** What came of an order, for who gave it. */
export interface ControlOutcome {
  readonly said: readonly string[];
  /** The run that was started. */
  readonly run?: string;
}

/** How a run stands, for a page that shows one that has ended: it may be retried. */
export type RunStanding = Pick<RunView, 'status'>;

export interface AnswerView {
  /** As text; JSON where it is no string. */
  readonly text: string;
  readonly length: number;
  /** The value itself, where it is no text and short enough to travel. */
  readonly value?: unknown;
}

/** An agent with what it did. */
export interface AgentView {
  readonly row: AgentRow;
  readonly task: Text;
  readonly variables: readonly string[];
  readonly sandbox: string | null;
  readonly answer: Text | null;
  readonly error: string | null;
  readonly notes: readonly string[];
  /** What of it cannot be shown because it is missing in the blob store, a sentence each. */
  readonly missing: readonly string[];
  /** Of these, those from `first` on; counted from 0. */
  readonly iterations: readonly IterationView[];
  readonly first: number;
  /** How many there are. */
  readonly count: number;
  readonly children: readonly string[];
  /** What its parent asked and did with its answer; null for the root, and where the parent's trajectory is not there. */
  readonly parent: ParentView | null;
}

export interface ParentView {
  readonly agent: string;
  /** In which its code started this agent. */
  readonly iteration: number;
  /** What the code was given; null where the file does not tell, or it still waits. */
  readonly answer: Text | null;
  readonly isError: boolean;
  /** What came of the block that had asked; null while it runs. */
  readonly block: { readonly output: Text; readonly error: string | null } | null;
  /** The parent's next reply. */
  readonly next: { readonly iteration: number; readonly prose: Text } | null;
}

export interface IterationView {
  /** Of this agent, counted from 0: what permalinks name is `iteration`. */
  readonly index: number;
  /** Counted from 1; a final answer that is asked for again has the number of the one before. */
  readonly iteration: number;
  readonly purpose: 'turn' | 'final_answer';
  readonly model: string;
  readonly finish_reason: string;
  /** The last message that the model was sent. */
  readonly prompt: Text;
  readonly reasoning: Text | null;
  /** What it said around its code. */
  readonly prose: Text;
  /** As it came. */
  readonly reply: Text;
  readonly request: { readonly messages: number; readonly characters: number } | null;
  readonly usage: Usage;
  /** Seconds the model took. */
  readonly model_time: number;
  /** Why nothing of it was run, where nothing was. */
  readonly not_run: string | null;
  readonly blocks: readonly BlockView[];
  /** What happened beside the code: a sandbox that was rebuilt, a conversation that was summarized. */
  readonly events: readonly string[];
}

export interface BlockView {
  readonly block: number;
  readonly code: Text;
  readonly status: 'running' | 'ok' | 'error' | 'timeout' | 'crashed' | 'memory' | 'interrupted';
  readonly stdout: Text;
  readonly stderr: Text;
  readonly error: Text | null;
  /** Seconds of computing, waiting for calls left out. */
  readonly execution_time: number;
  /** It gave the agent's answer. */
  readonly final: boolean;
  readonly calls: readonly CallView[];
  /** Agents that it started. */
  readonly spawned: readonly string[];
}

export interface CallView {
  /** `<block>.<n>`. */
  readonly call: string;
  readonly function: string;
  readonly count: number;
  readonly answered: boolean;
  readonly errors: number;
  /** Agents that it started and that did not finish, and the beginning of the error that the code was given instead. */
  readonly failures: readonly { readonly agent: string; readonly error: string }[];
  readonly usage: Usage;
  /** Agents that it started, in the order of their tasks; null where there is no agent to one. */
  readonly children: readonly (string | null)[];
  /** Whether what was asked and answered can be read. */
  readonly details: boolean;
}

/** What a call asked and was answered. */
export interface CallDetails {
  readonly call: string;
  readonly function: string;
  readonly count: number;
  readonly first: number;
  readonly items: readonly {
    readonly asked: Text;
    readonly answer: Text | null;
    readonly error: string | null;
    readonly child: string | null;
    readonly usage: Usage | null;
  }[];
}

/** The request of an iteration, rendered again from the trajectory. */
export interface RequestView {
  readonly messages: readonly {
    readonly role: string;
    readonly content: Text;
    /** Against the request of the iteration before. */
    readonly change: 'same' | 'new' | 'changed';
    /** What stood there before; only of one that changed. */
    readonly before?: Text;
  }[];
  /** Messages of the request before that are in this one no more. */
  readonly left_out: number;
}

/** Where an answer comes from, as far as the trajectory knows. */
export interface Provenance {
  /** The agent's iteration whose code gave the answer; null where none did. */
  readonly agent: string;
  readonly iteration: number | null;
  readonly code: Text | null;
  /** Parts of the answer with what was found of each in the answers that its code was given, best first. */
  readonly parts: readonly ProvenancePart[];
  /** Whose answers its code was given, whether they are found in the answer or not. */
  readonly sources: readonly { readonly agent: string | null; readonly call: string; readonly iteration: number }[];
}

export interface ProvenancePart {
  /** The field it stands in; null where the answer is text. */
  readonly field: string | null;
  readonly text: string;
  readonly from: readonly {
    /** The sub-agent that said so; null for an `llm_query`. */
    readonly agent: string | null;
    readonly call: string | null;
    /** Of the agent whose answer it is, in which it was given or printed. */
    readonly iteration: number | null;
    readonly excerpt: string;
  }[];
}

/** Sums over the trajectories of a run. */
export interface Statistics {
  readonly by_model: readonly {
    readonly model: string;
    readonly calls: number;
    readonly usage: Usage;
    readonly seconds: number;
  }[];
  /** Seconds, over all agents. */
  readonly model_time: number;
  readonly code_time: number;
  readonly blocks: number;
  readonly failed_blocks: number;
  readonly queries: number;
  readonly tool_calls: number;
  readonly findings: readonly Finding[];
  readonly timeline: readonly AgentTime[];
  /** Agents on whose work the end waited, from the root on. */
  readonly critical_path: readonly string[];
}

/** What an agent spent its time on. Start and end are recorded, what lies between is put together from durations. */
export interface AgentTime {
  readonly id: string;
  /** Seconds from the run's start. */
  readonly start: number;
  readonly end: number;
  readonly parts: readonly TimePart[];
}

export interface TimePart {
  readonly kind: 'model' | 'code' | 'waiting' | 'other';
  readonly start: number;
  readonly end: number;
  readonly iteration: number;
}

export interface SearchHit {
  readonly run: string;
  readonly agent: string;
  readonly iteration: number | null;
  readonly where: 'task' | 'reply' | 'reasoning' | 'code' | 'output' | 'error' | 'answer';
  /** What stands around it; the match is from `from` to `to`. */
  readonly excerpt: string;
  readonly from: number;
  readonly to: number;
}

export interface SearchPage {
  readonly hits: readonly SearchHit[];
  /** To be sent for what follows; null when everything was searched. */
  readonly next: string | null;
  /** Runs that are done with, agents of the next, and how many runs there are. */
  readonly searched: { readonly run: number; readonly agent: number; readonly of: number };
}

/** Sent while a run is in progress. */
export interface RunEvent {
  /** The run without its agents. */
  readonly run: Omit<RunView, 'agents'>;
  /** Those that changed. */
  readonly agents: readonly AgentRow[];
}
