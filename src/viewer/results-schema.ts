import { z } from 'zod';

/**
 * Results files: the reference's keys are required, ours may be missing. Whatever else a file holds stays unread.
 */
const usage = z.object({
  input_tokens: z.number().default(0),
  output_tokens: z.number().default(0),
  cost: z.number().default(0),
  llm_calls: z.number().optional(),
});

const block = z.object({
  code: z.string(),
  stdout: z.string().nullish(),
  stderr: z.string().nullish(),
  execution_time: z.number().nullish(),
  error: z.string().nullish(),
  status: z.enum(['ok', 'error', 'timeout', 'crashed', 'memory', 'interrupted']).optional(),
});

const iteration = z.object({
  iteration: z.number(),
  prompt: z.unknown().optional(),
  raw_response: z.string(),
  parsed_code_blocks: z.array(block),
  spawned_agents: z.array(z.object({ agent_id: z.string() })).default([]),
  reasoning: z.string().nullish(),
  purpose: z.enum(['turn', 'final_answer']).optional(),
  model: z.string().optional(),
  finish_reason: z.string().optional(),
  usage: usage.optional(),
  model_time: z.number().optional(),
});

export interface ResultsAgent extends z.infer<typeof agentFields> {
  readonly spawned_agents: readonly ResultsAgent[];
}

const agentFields = z.object({
  agent_id: z.string(),
  depth: z.number(),
  sandbox_id: z.string().nullish(),
  task: z.string().nullish(),
  iterations: z.array(iteration),
  result: z.unknown().optional(),
  result_truncated: z.boolean().nullish(),
  usage: usage.nullish(),
  execution_time: z.number().nullish(),
  error: z.string().nullish(),
  own_usage: usage.optional(),
  status: z.enum(['completed', 'cancelled', 'failed', 'running']).optional(),
  source: z.enum(['final', 'text', 'final_answer', 'partial', 'none']).nullish(),
  notes: z.array(z.string()).optional(),
  started_at: z.number().nullish(),
  ended_at: z.number().nullish(),
});

const agent: z.ZodType<ResultsAgent> = agentFields.extend({
  get spawned_agents() {
    return z.array(agent).default([]);
  },
});

export const resultsFile = z.object({
  run_id: z.string(),
  root_agent: agent.nullable(),
  status: z.string().optional(),
  prompt: z.string().nullish(),
  repository: z.object({ name: z.string(), commit: z.string(), branch: z.string().optional() }).nullish(),
  inputs: z.record(z.string(), z.array(z.string())).optional(),
  answer: z.unknown().optional(),
  patch: z.string().nullish(),
  patch_base64: z.string().optional(),
  error: z.string().nullish(),
  notes: z.array(z.string()).optional(),
  started_at: z.number().nullish(),
  ended_at: z.number().nullish(),
});

export type ResultsFile = z.infer<typeof resultsFile>;
