import { z } from 'zod';
import { DEFAULT_CONFIG } from '../domain/config.ts';
import { NOTICES } from '../domain/notice.ts';

const { model, rlm, sandbox, storage, temporal, tools, worker, notify } = DEFAULT_CONFIG;
const { allow } = worker;

/** Longest time a timer of Node can wait, in whole seconds: about 24 days. */
const MAX_TIMER_SECONDS = 2_147_483;
const YEAR = 31_536_000;

const text = z.string().trim().min(1);
const count = z.number().int().min(1);
const seconds = z.number().positive().max(MAX_TIMER_SECONDS);
const dollars = z.number().min(0);

/** Not quoted in messages, and in capitals: someone may have put the key where its variable's name belongs. */
const environmentVariable = z
  .string()
  .regex(/^[A-Z_][A-Z0-9_]*$/, 'must be the name of an environment variable, in capitals, not what it holds')
  .meta({ secret: true });

/** The same for programs that have variables of any spelling. */
const variableName = z
  .string()
  .regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'must be the name of an environment variable, not what it holds')
  .meta({ secret: true });

/** @param instead where a key belongs */
const endpoint = (example: string, instead: string): z.ZodType<string, string> =>
  z
    .string()
    .refine((value) => URL.canParse(value) && /^https?:$/.test(new URL(value).protocol), {
      error: `must be an http or https address such as ${example}`,
      abort: true,
    })
    .refine((value) => new URL(value).username === '' && new URL(value).password === '', {
      error: `must not hold a name or password; ${instead}`,
    })
    .meta({ secret: true });

const modelSchema = z.strictObject({
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

const rlmSchema = z.strictObject({
  max_sandboxes: count
    .default(rlm.max_sandboxes)
    .describe("Sandboxes created over the run's lifetime, the root's included."),
  max_iterations: count.default(rlm.max_iterations).describe('Turns of one agent.'),
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
      "Tokens of an agent's conversation beyond which a summary takes the place of its older turns in what the model sees; variables and records are untouched. Less than the model's context. It is made earlier where the model finds a conversation too long.",
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
  approve: z
    .array(z.enum(['patch', 'tools', 'sub_agents']))
    .optional()
    .describe(
      'Steps before which a person is asked: a call of a tool (`tools`), the start of sub-agents (`sub_agents`), the end of the run with a patch (`patch`). `rlm approve` and `rlm reject` answer. [More](control.md#approve-and-reject). Default: none.',
    ),
});

const daytonaSchema = z
  .strictObject({
    snapshot: text.optional().describe("Snapshot that sandboxes are made from. Default: Daytona's own."),
    image: text
      .optional()
      .describe(
        'Container image that sandboxes are made from, instead of a snapshot. Python 3.9 and git must be in it.',
      ),
    cpu: count.optional().describe('Cores of a sandbox. With an image only: a snapshot has its own.'),
    disk_gb: count.optional().describe('GiB of disk of a sandbox. With an image only.'),
    target: text
      .optional()
      .describe("Region. Default: `DAYTONA_TARGET` of the worker's environment, then the organization's."),
    network_block_all: z.boolean().optional().describe('Whether sandboxes are kept from every network.'),
    network_allow_list: z
      .array(z.string().regex(/^[0-9a-fA-F.:]+\/\d{1,3}$/, 'must be a network such as 10.0.0.0/8'))
      .min(1)
      .optional()
      .describe('The only networks that sandboxes can reach, such as `10.0.0.0/8`.'),
    domain_allow_list: z
      .array(text)
      .min(1)
      .optional()
      .describe('The only domains that sandboxes can reach, such as `example.com`.'),
    ttl: z
      .number()
      .min(60)
      .max(YEAR)
      .optional()
      .describe(
        'Seconds after which Daytona removes a sandbox whatever happens. Workers renew it while its agent runs. Default: 86400.',
      ),
  })
  .check(({ value, issues }) => {
    const refuse = (path: string, message: string): void => {
      issues.push({ code: 'custom', input: value, path: [path], message });
    };
    const { image, snapshot, cpu, disk_gb } = value;
    if (image !== undefined && snapshot !== undefined) refuse('image', 'must be the only one of image and snapshot');
    const sized = { cpu, disk_gb };
    for (const [name, size] of Object.entries(sized)) {
      if (size !== undefined && image === undefined) refuse(name, 'can be given with sandbox.daytona.image only');
    }
  });

/** A name, which may begin with `*.`, or an address; a port. */
const networkHost = z
  .string()
  .regex(
    /^(\*|(\*\.)?[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?(\.[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?)*|\[[0-9A-Fa-f:.]+\])(:\d{1,5})?$/,
    'must be a host such as api.example.org, *.example.org or example.org:8443, without https://',
  );

const sandboxSchema = z.strictObject({
  provider: z.enum(['local', 'daytona']).default(sandbox.provider).describe('Where code runs.'),
  isolation: z
    .enum(['bubblewrap', 'none'])
    .default(sandbox.isolation)
    .describe('How the local provider shuts code in. With `none` what the model writes runs unprotected.'),
  python: text
    .optional()
    .describe(
      'Interpreter for the sandbox, or folder of a virtual environment: an absolute path or a name on the PATH of the worker; or, relative to the repository and made by `sandbox.setup`, such as `.venv` (`./venv` where there is no dot or slash in it). Default: the first suitable `python3` found, with `sandbox.setup` a virtual environment of it.',
    ),
  setup: z
    .array(text)
    .optional()
    .describe(
      "Commands that make the repository's tests run, such as `pip install -e .`. They run once for a commit, in a clone of it, with network, before a model is asked; every sandbox begins with what they did, which is no part of any patch. [More](sandbox.md#dependencies). Default: none.",
    ),
  setup_timeout: seconds
    .default(sandbox.setup_timeout)
    .describe('Seconds for all commands of `sandbox.setup` together.'),
  setup_env: z
    .array(variableName)
    .optional()
    .describe(
      'Names of variables of the worker that the commands of `sandbox.setup` get, such as `PIP_INDEX_URL` or `HTTPS_PROXY`; build scripts of the repository and of what it installs can read them. Agents do not get them. Default: none.',
    ),
  pool: z
    .number()
    .int()
    .min(0)
    .max(500)
    .default(sandbox.pool ?? 0)
    .describe(
      'Sandboxes kept ready for the next sub-agents of a run, so that those started at the same time need not wait for theirs; 8 MB of memory each. They are made when nothing else is being made, and go with the root agent. Local sandboxes only.',
    ),
  block_timeout: seconds
    .default(sandbox.block_timeout)
    .describe('Seconds a block may compute; the clock stops while one of its calls is unanswered.'),
  create_timeout: seconds.default(sandbox.create_timeout).describe('Seconds to wait for a sandbox to be created.'),
  memory_mb: z
    .number()
    .int()
    .min(64)
    .default(sandbox.memory_mb)
    .describe('MiB of memory for all processes of a sandbox.'),
  disk_mb: z
    .number()
    .int()
    .min(64)
    .default(sandbox.disk_mb)
    .describe(
      'MiB of disk that a checkout of the repository may take, and what `sandbox.setup` adds to it. What agents write is in memory, and has a limit of its own.',
    ),
  network: z
    .array(networkHost)
    .optional()
    .describe(
      'Hosts that code may reach, through a proxy that takes HTTP and CONNECT: `api.example.org`, `*.example.org` for all below it, `host:port`, or `*` for all of the internet; never this machine, or a private network. `sandbox.setup` may reach them too, and package indexes. [More](sandbox.md#network). Default: none.',
    ),
  idle_timeout: seconds
    .default(sandbox.idle_timeout)
    .describe('Seconds after which a sandbox that is not renewed ends itself.'),
  max_rebuilds: z
    .number()
    .int()
    .min(0)
    .default(sandbox.max_rebuilds)
    .describe(
      "How often an agent's lost sandbox is rebuilt, its code run again with the recorded answers. Each counts against `rlm.max_sandboxes`.",
    ),
  max_live: count
    .optional()
    .describe(
      'Sandboxes of a host (local) or an account (daytona) beyond which a sandbox whose agent waits for others is evicted, and rebuilt when their answers are there; that does not count against `rlm.max_sandboxes`. A waiting local one takes about 8 MB. Default: none is dropped.',
    ),
  rebuild_timeout: seconds.default(sandbox.rebuild_timeout).describe('Seconds for making one again.'),
  daytona: daytonaSchema.optional().describe('What sandboxes of Daytona are made of.'),
});

const repositorySchema = z.strictObject({
  token_env: environmentVariable
    .optional()
    .describe("Name of the worker's environment variable that holds a token for a private repository (HTTPS)."),
});

const storageSchema = z
  .strictObject({
    driver: z
      .enum(['file', 's3'])
      .default(storage.driver)
      .describe('Where trajectories are kept: in a folder, or in an S3 bucket that workers of many hosts share.'),
    path: text
      .optional()
      .describe(
        'Folder, for `file`, relative to the folder of the configuration file. Default: `blobs` in the state directory.',
      ),
    bucket: text.optional().describe('Bucket, for `s3`; it must exist.'),
    prefix: text.optional().describe('What the names of all objects begin with, for `s3`. Default: nothing.'),
    endpoint: endpoint('https://host:9000', 'set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY')
      .optional()
      .describe("Address of an S3-compatible store. Default: `AWS_ENDPOINT_URL_S3`, else AWS's own."),
    region: text
      .optional()
      .describe("Region of the bucket. Default: the environment's or profile's, `us-east-1` with an endpoint."),
    path_style: z
      .boolean()
      .optional()
      .describe("Whether the bucket's name stands in the path rather than the host. Default: with an endpoint."),
  })
  .superRefine(({ driver, path, bucket, ...rest }, context) => {
    const refuse = (name: string, message: string): void => context.addIssue({ code: 'custom', path: [name], message });
    if (driver === 's3' && bucket === undefined) refuse('bucket', 'must be the name of a bucket');
    if (driver === 's3' && path !== undefined) refuse('path', 'is for `driver: file`; for a bucket there is prefix');
    if (driver === 'file')
      for (const [name, value] of Object.entries({ bucket, ...rest }))
        if (value !== undefined) refuse(name, 'is for `driver: s3`');
  });

const temporalSchema = z.strictObject({
  address: z
    .string()
    .regex(/^([^\s:/]+|\[[0-9a-fA-F:]+\]):\d{1,5}$/, 'must be host:port such as localhost:7233')
    .optional()
    .describe('Temporal server, `host:port`. Default: the embedded one.'),
  namespace: text.optional().describe('Temporal namespace. Default: `default`.'),
  task_queue: text.default(temporal.task_queue).describe('Temporal task queue.'),
  queues: z
    .enum(['shared', 'separate'])
    .default(temporal.queues)
    .describe(
      'With `separate`, model calls and work on sandboxes have task queues of their own (`<task_queue>/models`, `<task_queue>/sandboxes`), so that workers can take one of them only (`rlm worker --only`). An iteration then is two activities instead of one.',
    ),
});

const mcpServerSchema = z
  .strictObject({
    command: text.optional().describe('Program that speaks MCP on its standard input and output.'),
    args: z.array(z.string()).optional().describe('Its arguments.'),
    env_vars: z
      .array(variableName)
      .optional()
      .describe('Names of variables of the worker that it gets. Default: none but PATH and HOME.'),
    cwd: text
      .optional()
      .describe('Folder it runs in, relative to the folder of the configuration file. Default: that folder.'),
    url: endpoint('https://host/mcp', 'use header_env')
      .optional()
      .describe('Address of a server that speaks streamable HTTP, instead of a command.'),
    header_env: z
      .record(z.string().regex(/^[A-Za-z0-9-]+$/, 'must be the name of a header'), environmentVariable)
      .optional()
      .describe(
        "Headers of every request to `url`, and the names of the worker's variables that hold their values, such as `{Authorization: DOCS_TOKEN}`.",
      ),
    timeout: seconds.default(60).describe('Seconds an attempt of a call may take.'),
    attempts: count.max(1000).default(3).describe('Attempts of a call that fails. 1 where nothing must be done twice.'),
  })
  .superRefine(({ command, url, args, env_vars, cwd, header_env }, context) => {
    const refuse = (name: string, message: string): void => context.addIssue({ code: 'custom', path: [name], message });
    if (command === undefined && url === undefined)
      context.addIssue({ code: 'custom', message: 'must have a command or a url' });
    if (command !== undefined && url !== undefined) refuse('url', 'must be the only one of command and url');
    if (command === undefined)
      for (const [name, value] of Object.entries({ args, env_vars, cwd }))
        if (value !== undefined) refuse(name, 'is for a command');
    if (url === undefined && header_env !== undefined) refuse('header_env', 'is for a url');
  });

const toolsSchema = z.strictObject({
  files: z
    .array(text)
    .default([...tools.files])
    .describe('Modules that export tools, relative to the folder of the configuration file. [More](tools.md).'),
  mcp: z
    .record(
      z.string().regex(/^[A-Za-z][A-Za-z0-9_-]{0,63}$/, 'must be a short name of letters, digits, - and _'),
      mcpServerSchema,
    )
    .default({})
    .describe('MCP servers by name, whose tools analyses can call. [More](tools.md#mcp-servers).'),
});

const absolutePath = text.refine((value) => value.startsWith('/'), 'must be an absolute path');

const allowSchema = z.strictObject({
  endpoints: z
    .array(
      z.strictObject({
        base_url: endpoint('https://host/v1', 'put the key into the variable that api_key_env names'),
        api_key_env: environmentVariable.optional(),
      }),
    )
    .default([...allow.endpoints])
    .describe(
      'Values that `model.base_url` of an input may have, `{base_url, api_key_env}`; the key in `api_key_env` is the one that is sent there. Without `api_key_env` it is the key of the provider that the name of the model begins with.',
    ),
  api_key_envs: z
    .array(environmentVariable)
    .default([...allow.api_key_envs])
    .describe('Values that `model.api_key_env` of an input may have which names no `model.base_url`.'),
  isolation_none: z
    .boolean()
    .default(allow.isolation_none)
    .describe('Whether an input may have `sandbox.isolation: none`: its code then runs as the user of the worker.'),
  sandbox_providers: z
    .array(z.enum(['local', 'daytona']))
    .default([...allow.sandbox_providers])
    .describe("Values that `sandbox.provider` of an input may have besides the worker's own."),
  python: z
    .array(text)
    .default([...allow.python])
    .describe('Values that `sandbox.python` of an input may have.'),
  setup: z
    .boolean()
    .default(allow.setup)
    .describe('Whether an input may have `sandbox.setup`: commands that run with network.'),
  setup_env: z
    .array(variableName)
    .default([...allow.setup_env])
    .describe("Names that `sandbox.setup_env` of an input may have besides the worker's own."),
  network: z
    .array(networkHost)
    .default([...allow.network])
    .describe("Entries that `sandbox.network` of an input may have besides the worker's own."),
  daytona: z
    .boolean()
    .default(allow.daytona)
    .describe('Whether an input may have `sandbox.daytona`: image, size and network of sandboxes at Daytona.'),
  own_runs: z
    .boolean()
    .default(allow.own_runs)
    .describe(
      "Whether an input may continue or fork (`fork`) a run that the worker's own user started: it sees all that one has seen. Runs that were started by others it always may.",
    ),
  folders: z
    .array(absolutePath)
    .default([...allow.folders])
    .describe("Folders of the worker's host; an input may name a repository in them by its path."),
  repositories: z
    .array(
      z.strictObject({
        url: text.refine(
          (value) => /^(https?|ssh|git):\/\/[^/@:]+(:\d+)?(\/|$)/.test(value),
          'must be the beginning of a URL such as https://github.com/acme',
        ),
        token_env: environmentVariable.optional(),
      }),
    )
    .default([...allow.repositories])
    .describe(
      "Repositories that are fetched with the worker's credentials, `{url, token_env}`: `url` is the address of one or of what is above it, such as `https://github.com/acme`; `token_env` names the variable with the token. Repositories over ssh, which is always with the worker's keys, have to be here.",
    ),
});

const workerSchema = z.strictObject({
  allow: allowSchema
    .prefault({})
    .describe("What inputs of runs may ask for beyond the worker's own configuration. [More](#who-may-set-what)."),
});

const notifySchema = z.strictObject({
  command: z
    .array(text)
    .min(1)
    .optional()
    .describe(
      'Program and arguments, such as `[notify-send, rlm]`. The notice is its standard input, as JSON; `RLM_EVENT`, `RLM_RUN`, `RLM_STATUS`, `RLM_REASON` and `RLM_NEXT` are in its environment.',
    ),
  webhook: endpoint('https://host/hook', 'put what it needs into the address')
    .optional()
    .describe('Address that the notice is posted to, as JSON; its `text` is what chat services show.'),
  on: z
    .array(z.enum(NOTICES))
    .default([...notify.on])
    .describe(
      'What there is to tell: a run has `completed`, has `failed` (or timed out, or was cancelled), is `paused`, or waits for an `approval`.',
    ),
});

/** `config.yaml`. Whatever is left out has its default; what is not listed is an error. */
export const configSchema = z.strictObject({
  model: modelSchema.prefault({}).describe('Which models are asked, and how.'),
  rlm: rlmSchema.prefault({}).describe('What a run may spend and how its agents work.'),
  sandbox: sandboxSchema.prefault({}).describe('Where the code of the agents runs.'),
  repository: repositorySchema.prefault({}).describe('Access to the repository.'),
  storage: storageSchema.prefault({}).describe('Where trajectories are kept.'),
  temporal: temporalSchema.prefault({}).describe('The Temporal server that makes runs durable.'),
  tools: toolsSchema.prefault({}).describe("What the code of analyses can call. A worker's own only: runs bring none."),
  notify: notifySchema
    .prefault({})
    .describe("How you are told of runs while you are not looking. A worker's own only: runs bring none."),
  worker: workerSchema
    .prefault({})
    .describe(
      'What a worker allows to runs that another user started: with the `temporal` command, a schedule, or from another machine. [More](#who-may-set-what).',
    ),
});

/** What the file may hold: every section and setting optional. */
export type ConfigInput = z.input<typeof configSchema>;
