import { NOTICES, type NoticeEvent } from './notice.ts';

/**
 * A run's configuration: what `config.yaml` holds after its defaults are filled in.
 * Names are those of the YAML file. The schema that reads the file is in `src/config`.
 */
export interface RunConfig {
  readonly model: ModelConfig;
  readonly rlm: RlmConfig;
  readonly sandbox: SandboxConfig;
  readonly repository: RepositoryConfig;
  readonly storage: StorageConfig;
  readonly temporal: TemporalConfig;
  readonly tools: ToolsConfig;
  readonly worker: WorkerConfig;
  readonly notify: NotifyConfig;
}

export interface ModelConfig {
  /** Model of the agents, in LiteLLM notation: `provider/model`. */
  readonly name: string;
  /** Model that answers `llm_query`; default: `name`. */
  readonly sub_name?: string;
  /** Model by depth of the agent; the entry with the greatest depth not above the agent's counts. */
  readonly by_depth?: Readonly<Record<string, string>>;
  /** Base URL of an OpenAI-compatible endpoint; default: by the prefix of the name. */
  readonly base_url?: string;
  /** Name of the environment variable that holds the key; default: by the prefix of the name. */
  readonly api_key_env?: string;
  readonly temperature?: number;
  /** Longest reply, in tokens; default: the provider's. */
  readonly max_tokens?: number;
  /** Seconds a single request may take. Default 600. */
  readonly timeout: number;
  /** Attempts of a call that fails in a way that may pass, before it counts as failed. Default 10: about two minutes. */
  readonly max_attempts: number;
  /** Calls to one model that a worker has in flight at most, over all its runs; default: as many as the provider takes. */
  readonly max_concurrency?: number;
  /** Whether `rlm` asks the provider, before a run is prepared, if key, name and address are right. Default true. */
  readonly check: boolean;
  /** USD for a million tokens, by model name, where the provider does not report a cost. */
  readonly prices?: Readonly<Record<string, ModelPrice>>;
}

export interface ModelPrice {
  readonly input: number;
  readonly output: number;
}

export interface RlmConfig {
  /** Sandboxes created over the run's lifetime. Default 50. */
  readonly max_sandboxes: number;
  /** Iterations of one agent. Default 50. */
  readonly max_iterations: number;
  /** Seconds for the whole run; time spent paused does not count. Default 3600. */
  readonly global_timeout: number;
  /** Characters of a sub-agent's result that reach its parent. Default 10000. */
  readonly result_truncation_limit: number;
  /** `llm_query` calls over the whole tree, each prompt of a batch counted. Default 500. */
  readonly max_llm_calls: number;
  /** USD over the whole tree; default: no limit. */
  readonly max_cost?: number;
  /** Greatest depth of a sub-agent (the root has depth 0); default: no limit. */
  readonly max_depth?: number;
  /** Sub-agents of one parent that work at the same time. Default 50. */
  readonly max_parallel: number;
  /** Characters of one block's output that the model sees; head and tail are kept. Default 10000. */
  readonly output_limit: number;
  /** Tokens of a conversation beyond which a summary takes the place of its older iterations. Default 100000. */
  readonly compaction: number;
  /** Prompts of an `llm_query_batched` that share an activity. Default 10. */
  readonly prompts_per_activity: number;
  /** What a refusal for good (401, 402, no quota) does. Default `pause`. */
  readonly on_error: 'pause' | 'fail';
  readonly collect_patches: boolean;
  /** Steps before which a person is asked. Default: none. */
  readonly approve?: readonly ApprovalStep[];
  /** What the answer holds that is compared with the run before. Default: nothing is. */
  readonly findings?: FindingsConfig;
}

export interface FindingsConfig {
  /** Field of the answer with the list; default: the answer is the list. */
  readonly field?: string;
  /** Fields of a finding by which it is the same as one of the run before. */
  readonly key: readonly string[];
  /** New ones that are reported at most; the others are new again the next time. */
  readonly max_new?: number;
  /** Name that runs share which are compared; a schedule's runs have its name. Default: nothing is remembered. */
  readonly series?: string;
}

export type ApprovalStep = 'patch' | 'tools' | 'sub_agents';

export interface SandboxConfig {
  readonly provider: 'local' | 'daytona';
  /** `bubblewrap` (default) or, said explicitly, `none`: model-written code then runs unprotected. */
  readonly isolation: 'bubblewrap' | 'none';
  /** Interpreter for the sandbox, or a virtual environment; default: the first suitable python3 found. */
  readonly python?: string;
  /** Commands that run once for a commit, with network; every sandbox begins with what they did. */
  readonly setup?: readonly string[];
  /** Seconds for all of them together. Default 600. */
  readonly setup_timeout: number;
  /** Names of variables of the worker that they get. */
  readonly setup_env?: readonly string[];
  /** Local sandboxes kept ready for the next agents of a run; default 0. */
  readonly pool?: number;
  /** Seconds a block may compute; the clock stops while one of its calls is unanswered. Default 600. */
  readonly block_timeout: number;
  /** Seconds to wait for a sandbox to be created. Default 300. */
  readonly create_timeout: number;
  /** MiB of memory for all processes of a sandbox. Default 2048. */
  readonly memory_mb: number;
  /** MiB of disk that a checkout may take, and what `setup` adds to it. Default 10240. */
  readonly disk_mb: number;
  /** Hosts of the internet that code may reach: `pypi.org`, `*.example.org`, `host:port`, or `*` for all. Default: none. */
  readonly network?: readonly string[];
  /** Seconds after which a sandbox that is not renewed ends itself. Default 1800. */
  readonly idle_timeout: number;
  /** How often an agent's sandbox that is lost is rebuilt. Default 10. */
  readonly max_rebuilds: number;
  /** Seconds for one of them. Default 600. */
  readonly rebuild_timeout: number;
  /**
   * Sandboxes of a host beyond which a sandbox whose agent waits is evicted, and rebuilt when its answers are there;
   * default: none is.
   */
  readonly max_live?: number;
  /** What sandboxes of Daytona are made of; looked at with `provider: daytona` only. */
  readonly daytona?: DaytonaConfig;
}

export interface DaytonaConfig {
  /** Default: the one that Daytona takes. */
  readonly snapshot?: string;
  /** A container image, instead of a snapshot. */
  readonly image?: string;
  /** Cores, with an image only: a snapshot has its own. */
  readonly cpu?: number;
  /** GiB, with an image only. */
  readonly disk_gb?: number;
  /** Region; default: `DAYTONA_TARGET` of the worker's environment, then the organization's. */
  readonly target?: string;
  readonly network_block_all?: boolean;
  /** The only networks that can be reached, as CIDR. */
  readonly network_allow_list?: readonly string[];
  /** The only domains that can be reached. */
  readonly domain_allow_list?: readonly string[];
  /** Seconds after which a sandbox is removed whatever happens, unless a worker renews it. Default 86400. */
  readonly ttl?: number;
}

export interface RepositoryConfig {
  /** Environment variable of the worker that holds a token for a private repository (HTTPS). */
  readonly token_env?: string;
  /**
   * Set by a worker for a run that somebody else started: its repository is fetched as by a stranger, without what the
   * user of the worker is known by to servers.
   */
  readonly anonymous?: true;
}

export interface StorageConfig {
  readonly driver: 'file' | 's3';
  /** Folder of the blob store, for `file`; default: `blobs` in the state directory. */
  readonly path?: string;
  /** Bucket, for `s3`. */
  readonly bucket?: string;
  /** What the names of all objects begin with; default: nothing. */
  readonly prefix?: string;
  /** Of an S3-compatible store; default: AWS's. */
  readonly endpoint?: string;
  readonly region?: string;
  /** Whether the bucket's name stands in the path rather than the host; default: with an endpoint. */
  readonly path_style?: boolean;
}

export interface TemporalConfig {
  readonly address?: string;
  readonly namespace?: string;
  /** Default `durable-rlm`. */
  readonly task_queue: string;
  /** Whether model calls and work on sandboxes have task queues of their own. Default `shared`: they have not. */
  readonly queues: 'shared' | 'separate';
}

/** What a worker offers to analyses. It counts on that worker only: a run's input cannot bring tools. */
export interface ToolsConfig {
  /** Modules that export tools. */
  readonly files: readonly string[];
  /** MCP servers by name. */
  readonly mcp: Readonly<Record<string, McpServerConfig>>;
}

/** A process (`command`) or an address (`url`). */
export interface McpServerConfig {
  readonly command?: string;
  readonly args?: readonly string[];
  /** Names of variables of the worker that the process gets, beside PATH and HOME. */
  readonly env_vars?: readonly string[];
  /** Folder it runs in. Default: the folder of the configuration file. */
  readonly cwd?: string;
  /** Of the streamable HTTP transport. */
  readonly url?: string;
  /** Headers of every request, and the names of the worker's variables that hold them. */
  readonly header_env?: Readonly<Record<string, string>>;
  /** Seconds an attempt of a call may take. Default 60. */
  readonly timeout: number;
  /** Attempts of a call. Default 3. */
  readonly attempts: number;
}

/** Of a worker itself; the input of a run cannot bring it. */
export interface WorkerConfig {
  readonly allow: WorkerAllowance;
}

/** Of a worker itself: how its user is told of runs that it works on. */
export interface NotifyConfig {
  /** Program and arguments; it gets a `Notice` as JSON on its standard input. */
  readonly command?: readonly string[];
  /** Address that a `Notice` is posted to, as JSON. */
  readonly webhook?: string;
  readonly on: readonly NoticeEvent[];
}

/**
 * What the inputs of runs may ask a worker for beyond what its own configuration already says. A run that the worker's
 * own user started with `rlm run`, `rlm analyze` or from a program needs none of it.
 */
export interface WorkerAllowance {
  /** Values of `model.base_url`. */
  readonly endpoints: readonly AllowedEndpoint[];
  /** Values of `model.api_key_env`, sent to the provider's own endpoint or the worker's. */
  readonly api_key_envs: readonly string[];
  readonly isolation_none: boolean;
  /** Values of `sandbox.provider`. */
  readonly sandbox_providers: readonly ('local' | 'daytona')[];
  /** Values of `sandbox.python`. */
  readonly python: readonly string[];
  /** Any `sandbox.setup`. */
  readonly setup: boolean;
  /** Names in `sandbox.setup_env`. */
  readonly setup_env: readonly string[];
  /** Entries of `sandbox.network`. */
  readonly network: readonly string[];
  /** Any `sandbox.daytona`. */
  readonly daytona: boolean;
  /** Runs that the worker's own user started: whether an input may take them up (`from`). */
  readonly own_runs: boolean;
  /** Folders of the worker's host that hold repositories. */
  readonly folders: readonly string[];
  /** Repositories that are fetched with the worker's credentials. */
  readonly repositories: readonly AllowedRepository[];
}

export interface AllowedEndpoint {
  readonly base_url: string;
  /** Variable with its key; default: by the prefix of the model's name. */
  readonly api_key_env?: string;
}

export interface AllowedRepository {
  /** Of the repository or of what is above it: `https://github.com/acme`. */
  readonly url: string;
  /** Variable with the token for HTTPS. */
  readonly token_env?: string;
}

/** The reference's defaults for its own keys; ours for the rest. */
export const DEFAULT_CONFIG: RunConfig = {
  model: { name: 'openrouter/google/gemini-3-flash-preview', timeout: 600, max_attempts: 10, check: true },
  rlm: {
    max_sandboxes: 50,
    max_iterations: 50,
    global_timeout: 3600,
    result_truncation_limit: 10000,
    max_llm_calls: 500,
    max_parallel: 50,
    output_limit: 10000,
    compaction: 100_000,
    prompts_per_activity: 10,
    on_error: 'pause',
    collect_patches: false,
  },
  sandbox: {
    provider: 'local',
    isolation: 'bubblewrap',
    setup_timeout: 600,
    pool: 0,
    block_timeout: 600,
    create_timeout: 300,
    memory_mb: 2048,
    disk_mb: 10_240,
    idle_timeout: 1800,
    max_rebuilds: 10,
    rebuild_timeout: 600,
  },
  repository: {},
  storage: { driver: 'file' },
  temporal: { task_queue: 'durable-rlm', queues: 'shared' },
  tools: { files: [], mcp: {} },
  notify: { on: NOTICES },
  worker: {
    allow: {
      endpoints: [],
      api_key_envs: [],
      isolation_none: false,
      sandbox_providers: [],
      python: [],
      setup: false,
      setup_env: [],
      network: [],
      daytona: false,
      own_runs: false,
      folders: [],
      repositories: [],
    },
  },
};

/** What a configuration that does not say otherwise has for analyses. */
export const ANALYSIS_DEFAULTS = { rlm: { max_iterations: 40 } };
