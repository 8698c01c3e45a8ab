import type { RunLimits } from './budget.ts';
import type { ApprovalStep } from './config.ts';
import type { RunStatus } from './records.ts';

/** Wire names of what workflows are sent and asked; a constant and its name agree. */
export const pauseMessage = 'pause';
export const resumeMessage = 'resume';
/** More (or less) for a run to spend: from a person to the run, and from the run to its budget. */
export const setBudgetMessage = 'setBudget';
/** Update of a run: another configuration, as the input that would retry it. */
export const configureMessage = 'configure';
/** From a person to an agent, shown to its model at its next iteration. */
export const steerMessage = 'steer';
/** From a person: the answers to what agents ask before a step that `rlm.approve` names. */
export const approveMessage = 'approve';
export const rejectMessage = 'reject';
export const statusQuery = 'status';
export const spentQuery = 'spent';
/** From an agent to its run: it cannot continue without a person. */
export const blockedSignal = 'blocked';
/** From an agent to its run: it asks a person before a step; and the answer, from the run to the agent. */
export const questionSignal = 'question';
export const decisionSignal = 'decision';
/** Between agents and the budget. */
export const reserveSignal = 'reserve';
export const grantedSignal = 'granted';
export const settleSignal = 'settle';

/** Of `pause` and `resume`, sent to a run or an agent. Applied once for each id. */
export interface ControlMessage {
  readonly id?: string;
  readonly reason?: string;
  /** Sent to a run: this agent, with the agents below it. Default: all of the run. */
  readonly agent?: string;
}

/** Of `steer`, sent to a run or an agent. Applied once for each id. */
export interface SteerMessage {
  readonly id?: string;
  /** Sent to a run: whom it is for. Default: the root agent. */
  readonly agent?: string;
  readonly message: string;
}

/** Of `approve` and `reject`, sent to a run. Applied once for each id. */
export interface DecisionMessage {
  readonly id?: string;
  /** Id of the question that is answered. Default: all that are open. */
  readonly question?: string;
  /** Why it is rejected: the code of the agent gets it. */
  readonly reason?: string;
}

/** A step that waits for a person, because `rlm.approve` names it. */
export interface Question {
  /** Unique in the run while it is open: `0.1/3.1` is call 3.1 of agent 0.1. */
  readonly id: string;
  readonly agent: string;
  readonly step: ApprovalStep;
  /** What is asked, for a person. */
  readonly text: string;
  /** Blob with the call, or the patch. */
  readonly ref: string;
}

/** Of `question`: one that is asked, or not any more because its agent does not need it. */
export type QuestionMessage =
  | { readonly kind: 'asked'; readonly question: Question }
  | { readonly kind: 'withdrawn'; readonly id: string };

export interface Decision {
  /** Of the question. */
  readonly id: string;
  readonly approved: boolean;
  readonly reason?: string;
}

/** Of `setBudget`, sent to a run: its new limits; what is left out stays. Applied once for each id. */
export interface BudgetMessage {
  readonly id?: string;
  readonly max_sandboxes?: number;
  readonly max_llm_calls?: number;
  /** USD; without effect on a run that began without `rlm.max_cost`. */
  readonly max_cost?: number;
  /** Seconds for the whole run, those that it has taken included. */
  readonly global_timeout?: number;
  /** Set by `rlm budget`: the hash by which a worker with its state folder knows that its user sent this message. */
  readonly grant?: string;
}

export interface BlockedMessage {
  readonly agent: string;
  /** Type of the failure that stopped it (`domain/failures.ts`). */
  readonly failure: string;
  /** Its message. */
  readonly reason: string;
}

/** Answer of the query `status` on a run. */
export interface RunState {
  readonly status: 'starting' | 'running' | 'paused' | 'finishing' | RunStatus;
  /** Why it is paused or does not begin, whom it waits for, or why it failed. */
  readonly reason: string | null;
  /** Type of the failure that paused or ended it; null when a person paused it. */
  readonly failure: string | null;
  /** USD: what `max_cost` is now, where a person has raised it since the run paused because it was used up; else null. */
  readonly raised_to: number | null;
  /** What a person has to approve or to reject. */
  readonly questions: readonly Question[];
  /** Milliseconds of the deadline that were left when the run last did something; time spent paused, or without a worker, does not count. */
  readonly remaining_ms: number;
  /** When the deadline is, ISO 8601; null while the run is not running, or waits for an answer. */
  readonly ends_at: string | null;
  /** The execution id under which its data is kept. */
  readonly execution: string;
  /** What the run may spend, and the seconds it may take; null before it is prepared. */
  readonly limits: RunLimits | null;
  /** What its agents had done when that was last looked up; null in the first seconds. */
  readonly progress: RunProgress | null;
  /** Messages that were ignored, the newest last. */
  readonly notes: readonly string[];
}

/** The reason of a run, for a person: one that has been given more money since waits to be resumed only. */
export function reasonNow({ reason, raised_to }: Pick<RunState, 'reason' | 'raised_to'>): string | null {
  return reason === null || raised_to === null ? reason : `${reason}; it is $${raised_to} now`;
}

/** What the agents of a run have done so far. */
export interface RunProgress {
  /** When this was so, ISO 8601. */
  readonly at: string;
  readonly agents: number;
  /** Of these have not ended. */
  readonly working: number;
  readonly iterations: number;
  readonly llm_calls: number;
  readonly input_tokens: number;
  readonly output_tokens: number;
  /** USD. */
  readonly cost: number;
  /** What agents wait for, with what fails and is retried; the first few. */
  readonly waiting_for: readonly string[];
}

/** Answer of the query `status` on an agent. */
export interface AgentStatusReply {
  readonly agent: string;
  readonly state: 'starting' | 'thinking' | 'running' | 'waiting' | 'paused' | 'closing' | 'done';
  readonly iteration: number;
  readonly head: string | null;
  /** Sub-agents at work. */
  readonly children: number;
  /** Messages of a person that its model has not seen yet. */
  readonly unseen_messages: number;
  /** Messages that were ignored, the newest last. */
  readonly notes: readonly string[];
}
