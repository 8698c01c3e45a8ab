import { parentAgent } from '../domain/ids.ts';
import type { AgentReference, BlockRecord, ChainRecord, EndRecord, ReplyRecord } from '../domain/records.ts';
import { addUsage, NO_USAGE, type Usage } from '../domain/usage.ts';
import type { AgentTrajectory } from './run-reader.ts';
import { stringifyJson } from '../domain/ordered-json.ts';

/** An agent in a results file: the reference's keys first, ours after them. */
export interface ExportedAgent {
  readonly agent_id: string;
  readonly depth: number;
  /** '' before it has one. */
  readonly sandbox_id: string;
  readonly task: string | null;
  readonly iterations: readonly ExportedIteration[];
  readonly spawned_agents: readonly ExportedAgent[];
  /** What it gave to FINAL, JSON where that is no string; null while it works and where it has none. */
  readonly result: string | null;
  /** What reached its parent was cut. */
  readonly result_truncated: boolean;
  /** With that of all agents below it, as in the reference. */
  readonly usage: ExportedUsage;
  /** Seconds from its start; so far while it works. */
  readonly execution_time: number;
  readonly error: string | null;

  readonly own_usage: ExportedUsage;
  readonly state: AgentReference['state'];
  readonly status: EndRecord['status'] | 'running';
  readonly source: EndRecord['source'] | null;
  readonly notes: readonly string[];
  readonly head: string;
  /** Milliseconds since the epoch. */
  readonly started_at: number;
  readonly ended_at: number | null;
}

export interface ExportedIteration {
  /** Counted from 1. */
  readonly iteration: number;
  /** The last message the model was sent; those before it are in the iterations before. */
  readonly prompt: string;
  readonly raw_response: string;
  readonly parsed_code_blocks: readonly ExportedBlock[];
  /** Which agents it started; they stand in full in the agent's `spawned_agents`. */
  readonly spawned_agents: readonly { readonly agent_id: string; readonly depth: number }[];

  /** What the model reasoned before its response; null where it did not, or not in words. */
  readonly reasoning: string | null;
  readonly purpose: ReplyRecord['purpose'];
  readonly model: string;
  readonly finish_reason: string;
  readonly usage: ExportedUsage;
  /** Seconds the model took. */
  readonly model_time: number;
}

export interface ExportedBlock {
  readonly code: string;
  readonly stdout: string;
  readonly stderr: string;
  /** Seconds of computing. */
  readonly execution_time: number;
  readonly error: string | null;

  readonly status: BlockRecord['result']['status'];
  /** Calls that the host answered, in the order of their answers. */
  readonly calls: BlockRecord['calls'];
}

export type ExportedUsage = Usage;

/**
 * The tree below `root` in the reference's shape: a pure function of the chains. An agent whose parent is not among
 * them (its chain cannot be read yet) is left out.
 *
 * @param truncationLimit - characters of a sub-agent's answer that reach its parent
 * @returns undefined when the root has not begun.
 */
export function exportTree(
  trajectories: readonly AgentTrajectory[],
  root: string,
  truncationLimit: number,
): ExportedAgent | undefined {
  const children = new Map<string, AgentTrajectory[]>();
  for (const trajectory of trajectories) {
    const parent = parentAgent(trajectory.reference.agent);
    if (parent !== undefined) children.set(parent, [...(children.get(parent) ?? []), trajectory]);
  }
  const exportBelow = (trajectory: AgentTrajectory): ExportedAgent =>
    exportAgent(trajectory, (children.get(trajectory.reference.agent) ?? []).map(exportBelow), truncationLimit);
  const first = trajectories.find(({ reference }) => reference.agent === root);
  return first === undefined ? undefined : exportBelow(first);
}

function exportAgent(
  { reference, records, answer }: AgentTrajectory,
  spawned: readonly ExportedAgent[],
  truncationLimit: number,
): ExportedAgent {
  const task = records.find((record) => record.kind === 'task');
  const end = records.findLast((record) => record.kind === 'end');
  const own = end?.usage ?? reference.usage;
  const usage = addUsage(own, ...spawned.map((agent) => agent.usage));
  return {
    agent_id: reference.agent,
    depth: reference.depth,
    sandbox_id: reference.sandbox ?? '',
    task: task?.task ?? null,
    iterations: exportIterations(records, reference.depth),
    spawned_agents: spawned,
    result: answer === undefined ? null : answerText(answer),
    result_truncated: answer !== undefined && reference.depth > 0 && answerText(answer).length > truncationLimit,
    usage,
    execution_time: end?.execution_time ?? (reference.updated_at - reference.started_at) / 1000,
    error: end?.error ?? null,
    own_usage: own,
    state: reference.state,
    status: end?.status ?? reference.status ?? 'running',
    source: end?.source ?? null,
    notes: end?.notes ?? [],
    head: reference.head,
    started_at: reference.started_at,
    ended_at: reference.ended_at ?? null,
  };
}

function exportIterations(records: readonly ChainRecord[], depth: number): ExportedIteration[] {
  const turns: { reply: ReplyRecord; blocks: BlockRecord[] }[] = [];
  for (const record of records) {
    if (record.kind === 'reply') turns.push({ reply: record, blocks: [] });
    else if (record.kind === 'block') turns.at(-1)?.blocks.push(record);
  }
  return turns.map(({ reply, blocks }) => ({
    iteration: reply.iteration,
    prompt: reply.request.last,
    raw_response: reply.text,
    parsed_code_blocks: blocks.map(exportBlock),
    spawned_agents: blocks.flatMap((block) => block.spawned).map((agent_id) => ({ agent_id, depth: depth + 1 })),
    reasoning: reply.reasoning ?? null,
    purpose: reply.purpose,
    model: reply.model,
    finish_reason: reply.finish_reason,
    usage: addUsage(NO_USAGE, reply.usage),
    model_time: reply.execution_time,
  }));
}

function exportBlock(block: BlockRecord): ExportedBlock {
  const { result } = block;
  return {
    code: block.code,
    stdout: result.stdout,
    stderr: result.stderr,
    execution_time: result.execution_time,
    error: result.error,
    status: result.status,
    calls: block.calls,
  };
}

/** An answer as text: strings as they are, anything else as JSON. */
export function answerText(answer: unknown): string {
  return typeof answer === 'string' ? answer : stringifyJson(answer);
}
