import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DEFAULT_CONFIG } from '../../src/domain/config.ts';
import { agentDepth } from '../../src/domain/ids.ts';
import {
  agentReferenceName,
  runReferenceName,
  type AgentReference,
  type ChainRecord,
  type RunOutcome,
  type RunReference,
} from '../../src/domain/records.ts';
import { NO_USAGE, type Usage } from '../../src/domain/usage.ts';
import type { BlobStore } from '../../src/storage/blob-store.ts';
import { createChains, type Chains } from '../../src/storage/chain.ts';
import { createFileBlobStore } from '../../src/storage/file-blob-store.ts';

export const EXECUTION = '0198c0de-0000-7000-8000-000000000001';
export const STARTED_AT = Date.UTC(2026, 0, 2, 3, 4, 5);
export const TURN_USAGE: Usage = { input_tokens: 1000, output_tokens: 100, cost: 0.001, llm_calls: 1 };

/** A blob store in a temporary folder, with the same data that a worker would write. */
export interface SyntheticStore {
  readonly path: string;
  readonly blobs: BlobStore;
  readonly chains: Chains;
  remove(): Promise<void>;
}

export async function createSyntheticStore(): Promise<SyntheticStore> {
  const path = await mkdtemp(join(tmpdir(), 'durable-rlm-store-'));
  const blobs = createFileBlobStore({ path });
  return { path, blobs, chains: createChains(blobs), remove: () => rm(path, { recursive: true, force: true }) };
}

/** Begins a run: its specification and its reference. */
export async function beginRun(
  { blobs, chains }: SyntheticStore,
  {
    run,
    startedAt = STARTED_AT,
    prompt = 'Fix the easiest TODO',
  }: { run: string; startedAt?: number; prompt?: string },
): Promise<RunReference> {
  const spec = await chains.putJson({
    v: 1,
    kind: 'run',
    type: 'investigate',
    run,
    execution: EXECUTION,
    prompt,
    repository: { name: 'example', commit: 'c'.repeat(40), branch: 'main' },
    config: DEFAULT_CONFIG,
  });
  const reference: RunReference = {
    run,
    execution: EXECUTION,
    spec,
    cluster: 'c',
    namespace: 'n',
    started_at: startedAt,
  };
  await blobs.setReference(runReferenceName(run, EXECUTION), reference);
  return reference;
}

export async function endRun(
  { blobs, chains }: SyntheticStore,
  run: RunReference,
  fields: Partial<RunOutcome> & { wholeAnswer?: unknown; patchBytes?: Uint8Array },
): Promise<RunReference> {
  const { wholeAnswer, patchBytes, ...outcome } = fields;
  const ended: RunReference = {
    ...run,
    ended_at: run.started_at + 10_000,
    outcome: {
      run_id: run.run,
      status: 'completed',
      answer: null,
      answer_truncated: false,
      answer_ref: wholeAnswer === undefined ? null : await chains.putJson(wholeAnswer),
      answer_source: 'final',
      patch_ref: patchBytes === undefined ? null : await blobs.put(patchBytes),
      error: null,
      notes: [],
      agents: 1,
      max_depth: 0,
      iterations: 1,
      sandboxes: 1,
      usage: TURN_USAGE,
      execution_time: 10,
      ...outcome,
    },
  };
  await blobs.setReference(runReferenceName(run.run, run.execution), ended);
  return ended;
}

export interface SyntheticTurn {
  readonly reply?: string;
  readonly code?: string;
  readonly stdout?: string;
  readonly error?: string;
  readonly spawned?: readonly string[];
}

/** Writes an agent's chain and reference; called again with more turns it extends them. */
export async function writeAgent(
  { blobs, chains }: SyntheticStore,
  run: RunReference,
  input: {
    agent: string;
    task?: string;
    turns: readonly SyntheticTurn[];
    answer?: unknown;
    reference?: Partial<AgentReference>;
  },
): Promise<AgentReference> {
  const { agent, task = `Task of ${agent}`, turns } = input;
  let head = await chains.append({
    v: 1,
    kind: 'task',
    parent: null,
    agent,
    depth: agentDepth(agent),
    run: run.spec,
    task,
    prompt_version: 1,
  });
  for (const [index, turn] of turns.entries()) {
    for (const record of turnRecords(turn, index + 1)) head = await chains.append({ ...record, parent: head });
  }
  const usage = times(TURN_USAGE, turns.length);
  if (input.answer !== undefined) {
    head = await chains.append({
      v: 1,
      kind: 'end',
      parent: head,
      status: 'completed',
      source: 'final',
      answer_ref: await chains.putJson(input.answer),
      error: null,
      patch: null,
      notes: [],
      usage,
      execution_time: 5,
    });
  }
  const reference: AgentReference = {
    head,
    agent,
    depth: agentDepth(agent),
    task: task.slice(0, 200),
    state: input.answer === undefined ? 'thinking' : 'done',
    ...(input.answer === undefined ? {} : { status: 'completed', ended_at: run.started_at + 5000 }),
    iteration: turns.length,
    sandbox: `sandbox-${agent}`,
    usage,
    started_at: run.started_at,
    updated_at: run.started_at + 4000,
    ...input.reference,
  };
  await blobs.setReference(agentReferenceName(run.run, run.execution, agent), reference);
  return reference;
}

function turnRecords(turn: SyntheticTurn, iteration: number): ChainRecord[] {
  const code = turn.code ?? `print(${iteration})\n`;
  const text = turn.reply ?? `Turn ${iteration}.\n\`\`\`python\n${code}\`\`\``;
  return [
    {
      v: 1,
      kind: 'reply',
      parent: null,
      iteration,
      purpose: 'turn',
      text,
      finish_reason: 'stop',
      model: 'scripted',
      usage: TURN_USAGE,
      execution_time: 0.2,
      request: { messages: iteration * 2, characters: 1000 * iteration, last: `message before turn ${iteration}` },
    },
    {
      v: 1,
      kind: 'block',
      parent: null,
      iteration,
      block: iteration,
      index: 0,
      code,
      result: {
        status: turn.error === undefined ? 'ok' : 'error',
        stdout: turn.stdout ?? `${iteration}\n`,
        stderr: '',
        stdout_length: 2,
        stderr_length: 0,
        error: turn.error ?? null,
        final: null,
        execution_time: 0.1,
      },
      spawned: turn.spawned ?? [],
      calls: [],
    },
  ];
}

function times(usage: Usage, count: number): Usage {
  if (count === 0) return NO_USAGE;
  return {
    input_tokens: usage.input_tokens * count,
    output_tokens: usage.output_tokens * count,
    cost: Math.round(usage.cost * count * 1e9) / 1e9,
    llm_calls: usage.llm_calls * count,
  };
}
