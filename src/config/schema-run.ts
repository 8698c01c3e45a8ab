import { z } from 'zod';
import { DEFAULT_CONFIG } from '../domain/config.ts';
import { count, dollars, endpoint, environmentVariable, seconds, text, YEAR } from './schema-fields.ts';

const { model, rlm } = DEFAULT_CONFIG;

export const modelSchema = z.strictObject({
  name: text
    .default(model.name)
    .describe(
      'Model of the agents, in LiteLLM notation: `provider/model`. The prefix gives the base URL and the key variable.',
    ),
  sub_name: text.optional().describe('Model that answers `llm_query`. Default: `model.name`.'),
  by_depth: z
    .record(
      z.string().regex(/^(0|[1-9]\d*)$/, 'must be a depth, 0 for the root agent, 1 for its sub-agents and so on'),
      text,
    )
    .optional()
    .describe(
      "Model by depth of the agent (the root has depth 0); the entry with the greatest depth not above the agent's counts.",
    ),
  base_url: endpoint('https://host/v1', 'put the key into the variable that model.api_key_env names')
    .optional()
    .describe(
      'Base URL of an OpenAI-compatible endpoint, for all models of the file. Default: by the prefix of the name.',
    ),
  api_key_env: environmentVariable
    .optional()
    .describe(
      'Name of the environment variable that holds the key. Default: by the prefix of the name, then `LLM_API_KEY`.',
    ),
  temperature: z.number().min(0).max(2).optional().describe("Sampling temperature. Default: the provider's."),
  max_tokens: count.optional().describe("Longest reply, in tokens. Default: the provider's."),
  timeout: seconds.default(model.timeout).describe('Seconds a single request may take.'),
  max_attempts: count
    .default(model.max_attempts)
    .describe(
      'Attempts of a call that fails in a way that may pass (5xx, 429, a cut connection), with pauses of half a second doubling to half a minute, longer where the provider asks for it. After the last one an agent pauses its run, and a prompt of `llm_query` gets an error string. A rate limit (429) pauses the run for prompts too; while other calls are answered it is not given up. The default is about two minutes.',
    ),
  max_concurrency: count
    .optional()
    .describe(
      'Calls to one model that a worker has in flight at most, over all its runs, agents and `llm_query` alike. Default: adaptive. With or without it a rate limit (429) halves their number, and answers let it grow again.',
    ),
  check: z
    .boolean()
    .default(true)
    .describe(
      'Whether `rlm run` and `rlm analyze` first ask the provider if key, model name and address are right. It costs nothing where the provider lists its models, elsewhere a call of a few tokens. [More](providers.md#before-a-run).',
    ),
  prices: z
    .record(
      text,
      z.strictObject({
        input: dollars.describe('USD for a million input tokens.'),
        output: dollars.describe('USD for a million output tokens.'),
      }),
    )
    .optional()
    .describe('USD for a million tokens, `{input, output}` by model name, where the provider does not report a cost.'),
});

export const rlmSchema = z.strictObject({
  max_sandboxes: count
    .default(rlm.max_sandboxes)
    .describe("Sandboxes created over the run's lifetime, the root's included."),
  max_iterations: count.default(rlm.max_iterations).describe('Iterations of one agent.'),
  global_timeout: z
    .number()
    .positive()
    .max(YEAR)
    .default(rlm.global_timeout)
    .describe('Seconds for the whole run; time spent paused does not count.'),
  result_truncation_limit: count
    .default(rlm.result_truncation_limit)
    .describe(
      "Characters of a sub-agent's report that its parent sees; one that is cut begins by saying so, and its `.full` is all of it.",
    ),
  max_llm_calls: z
    .number()
    .int()
    .min(0)
    .default(rlm.max_llm_calls)
    .describe('`llm_query` calls over the whole tree, each prompt of a batch counted.'),
  max_cost: z
    .number()
    .positive()
    .optional()
    .describe(
      'USD over the whole tree; exceeded by at most the calls in flight when it is reached. Default: no limit.',
    ),
  max_depth: z
    .number()
    .int()
    .min(0)
    .optional()
    .describe('Greatest depth of a sub-agent (the root has depth 0, so 0 allows none). Default: no limit.'),
  max_parallel: count
    .max(500)
    .default(rlm.max_parallel)
    .describe('Sub-agents of one parent that work at the same time.'),
  output_limit: count
    .default(rlm.output_limit)
    .describe("Characters of one block's output that the model sees; head and tail are kept."),
  compaction: count
    .default(rlm.compaction ?? 100_000)
    .describe(
      "Tokens of an agent's conversation beyond which a summary takes the place of its older iterations in what the model sees; variables and records are untouched. Less than the model's context. It is made earlier where the model finds a conversation too long.",
    ),
  prompts_per_activity: count
    .max(1000)
    .default(rlm.prompts_per_activity)
    .describe(
      'Prompts of an `llm_query_batched` that share an activity: more are quicker; with 1, the rate limit of a worker (`--max-models-per-second`) counts every prompt.',
    ),
  on_error: z
    .enum(['pause', 'fail'])
    .default(rlm.on_error)
    .describe('What a refusal for good (a bad key, no credit) does to the run.'),
  findings: z
    .strictObject({
      field: text.optional(),
      key: z.array(text).min(1),
      max_new: count.optional(),
      series: text.optional(),
    })
    .optional()
    .describe(
      'What the answer holds that is compared with the run before: `{field, key, max_new, series}`. `field` has a list of objects, `key` names the fields by which two of them are the same. [More](batches.md#findings). Default: none.',
    ),
  collect_patches: z
    .boolean()
    .default(rlm.collect_patches)
    .describe(
      'Whether the patch of every agent that changed its clone is written beside the results, as `results/<run>.patches/<agent>.patch`. `rlm patch <run> <agent>` prints one in any case.',
    ),
  approve: z
    .array(z.enum(['patch', 'tools', 'sub_agents']))
    .optional()
    .describe(
      'Steps before which a person is asked: a call of a tool (`tools`), the start of sub-agents (`sub_agents`), the end of the run with a patch (`patch`). `rlm approve` and `rlm reject` answer. [More](control.md#approve-and-reject). Default: none.',
    ),
});
