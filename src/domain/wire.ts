import type { PendingCall, WorkflowLimits } from './contract.ts';
import type { Answer, RecordedAnswer } from './records.ts';
import type { Usage } from './usage.ts';

/**
 * Short forms of what travels with every sub-agent: each byte stands in the parent's history twice. Labelled tuples
 * instead of objects; the long forms are used everywhere else.
 */
export type WireCall = readonly [call: string, name: string, request: string, batch?: number];

export type WireAnswer = readonly [call: string, request: string, answer: Answer];

export type WireLimits = readonly [
  max_sandboxes: number,
  max_iterations: number,
  max_llm_calls: number,
  max_parallel: number,
  create_timeout: number,
  on_error: 'pause' | 'fail',
  max_depth?: number | null,
  max_cost?: number | null,
  whole_turns?: 1 | 0,
  rebuild?: 1 | 0,
  separate_queues?: 1 | 0,
  prompts_per_activity?: number,
];

/** What an agent and all below it did. */
export interface Totals {
  readonly usage: Usage;
  readonly agents: number;
  readonly depth: number;
  readonly iterations: number;
  readonly sandboxes: number;
  /** What got an error because a budget was used up: prompts, and tasks for sub-agents. */
  readonly refused?: Refused;
}

export interface Refused {
  readonly prompts: number;
  readonly tasks: number;
}

/** What limits that do not say it have. */
export const PROMPTS_PER_ACTIVITY = 10;

export type WireTotals = readonly [
  agents: number,
  depth: number,
  iterations: number,
  sandboxes: number,
  input_tokens: number,
  output_tokens: number,
  cost: number,
  llm_calls: number,
  refused_prompts?: number,
  refused_tasks?: number,
];

export function packCall({ call, function: name, request, batch }: PendingCall): WireCall {
  return batch === undefined ? [call, name, request] : [call, name, request, batch];
}

export function unpackCall([call, name, request, batch]: WireCall): PendingCall {
  return { call, function: name, request, ...(batch === undefined ? {} : { batch }) };
}

export function packAnswer({ call, request, answer }: RecordedAnswer): WireAnswer {
  return [call, request, answer];
}

export function unpackAnswer([call, request, answer]: WireAnswer): RecordedAnswer {
  return { call, request, answer };
}

export function packLimits(limits: WorkflowLimits): WireLimits {
  const { max_sandboxes, max_iterations, max_llm_calls, max_parallel, create_timeout, on_error, max_depth, max_cost } =
    limits;
  const always = [max_sandboxes, max_iterations, max_llm_calls, max_parallel, create_timeout, on_error] as const;
  const whole = limits.whole_turns === true ? 1 : 0;
  const rebuild = limits.rebuild === true ? 1 : 0;
  const { prompts_per_activity: prompts = PROMPTS_PER_ACTIVITY } = limits;
  const separate = limits.separate_queues === true ? 1 : 0;
  if (prompts !== PROMPTS_PER_ACTIVITY)
    return [...always, max_depth ?? null, max_cost ?? null, whole, rebuild, separate, prompts];
  if (limits.separate_queues === true) return [...always, max_depth ?? null, max_cost ?? null, whole, rebuild, 1];
  if (limits.rebuild === true) return [...always, max_depth ?? null, max_cost ?? null, whole, 1];
  if (limits.whole_turns === true) return [...always, max_depth ?? null, max_cost ?? null, 1];
  if (max_cost !== undefined) return [...always, max_depth ?? null, max_cost];
  return max_depth === undefined ? always : [...always, max_depth];
}

export function unpackLimits(wire: WireLimits): WorkflowLimits {
  const [max_sandboxes, max_iterations, max_llm_calls, max_parallel, create_timeout, on_error, ...optional] = wire;
  const [max_depth, max_cost, whole_turns, rebuild, separate_queues, prompts_per_activity] = optional;
  return {
    max_sandboxes,
    max_iterations,
    max_llm_calls,
    max_parallel,
    create_timeout,
    on_error,
    ...(whole_turns === 1 ? { whole_turns: true } : {}),
    ...(rebuild === 1 ? { rebuild: true } : {}),
    ...(separate_queues === 1 ? { separate_queues: true } : {}),
    ...(prompts_per_activity === undefined ? {} : { prompts_per_activity }),
    ...(typeof max_depth === 'number' ? { max_depth } : {}),
    ...(typeof max_cost === 'number' ? { max_cost } : {}),
  };
}

export function packTotals({ agents, depth, iterations, sandboxes, usage, refused }: Totals): WireTotals {
  const { input_tokens, output_tokens, cost, llm_calls } = usage;
  const always = [agents, depth, iterations, sandboxes, input_tokens, output_tokens, cost, llm_calls] as const;
  return refused === undefined ? always : [...always, refused.prompts, refused.tasks];
}

export function unpackTotals(wire: WireTotals): Totals {
  const [agents, depth, iterations, sandboxes, input_tokens, output_tokens, cost, llm_calls, prompts, tasks] = wire;
  const refused = prompts === undefined ? {} : { refused: { prompts, tasks: tasks ?? 0 } };
  return { agents, depth, iterations, sandboxes, usage: { input_tokens, output_tokens, cost, llm_calls }, ...refused };
}
