import type { RunLimits } from './budget.ts';
import type { RunStatus } from './records.ts';

/** Wire names of what workflows are sent and asked; a constant and its name agree. */
export const pauseMessage = 'pause';
export const resumeMessage = 'resume';
/** More (or less) for a run to spend: from a person to the run, and from the run to its budget. */
export const setBudgetMessage = 'setBudget';
/** Update of a run: another configuration, as the input that would retry it. */
export const configureMessage = 'configure';
export const statusQuery = 'status';
export const spentQuery = 'spent';
/** From an agent to its run: it cannot continue without a person. */
export const blockedSignal = 'blocked';
/** Between agents and the budget. */
export const reserveSignal = 'reserve';
export const grantedSignal = 'granted';
export const settleSignal = 'settle';

/** Of `pause` and `resume`, sent to a run. Applied once for each id. */
export interface ControlMessage {
  readonly id?: string;
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
  /** Why it is paused. */
  readonly reason: string | null;
  /** Type of the failure that paused it; null when a person did. */
  readonly failure: string | null;
  /** Milliseconds of the deadline that were left when the run last did something; time spent paused, or without a worker, does not count. */
  readonly remaining_ms: number;
  /** When the deadline is, ISO 8601; null while the run is not running. */
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
  /** Messages that were ignored, the newest last. */
  readonly notes: readonly string[];
}
