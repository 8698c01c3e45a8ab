/**
 * A run's trace is a tree of spans: run > agent > iteration > activities, blocks and calls > the agents a call started.
 * A span is named by a path that any part that knows the thing can write down; its id is a hash of the path. So no trace
 * context travels through workflows, and whatever is done twice is one span.
 */
export interface TraceSpan {
  readonly run: string;
  /** First execution id of the run: with `run` it names the trace. */
  readonly execution: string;
  readonly path: string;
  /** Path of the span above it; null for the run. */
  readonly parent: string | null;
  readonly name: string;
  /** Milliseconds since the epoch. */
  readonly start: number;
  readonly end: number;
  readonly attributes: Readonly<Record<string, string | number | boolean>>;
  /** What went wrong. */
  readonly error?: string;
}

export const RUN_SPAN = 'run';

export function agentSpan(agent: string): string {
  return `agent/${agent}`;
}

export function iterationSpan(agent: string, iteration: number): string {
  return `agent/${agent}/iteration/${iteration}`;
}

export function callSpan(agent: string, call: string): string {
  return `agent/${agent}/call/${call}`;
}

export function blockSpan(agent: string, block: number): string {
  return `agent/${agent}/block/${block}`;
}

/** @param execution of the workflow that scheduled it: its own, not the run's */
export function activitySpan(execution: string, activity: string): string {
  return `activity/${execution}/${activity}`;
}

export function attemptSpan(execution: string, activity: string, attempt: number): string {
  return `${activitySpan(execution, activity)}/${attempt}`;
}
