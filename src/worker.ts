import { randomUUID } from 'node:crypto';
import { channel as diagnosticsChannel } from 'node:diagnostics_channel';
import { existsSync } from 'node:fs';
import { hostname } from 'node:os';
import { fileURLToPath } from 'node:url';
import { isDeepStrictEqual } from 'node:util';
import type { Client } from '@temporalio/client';
import {
  bundleWorkflowCode,
  Worker,
  type NativeConnection,
  type WorkerOptions as TemporalWorkerOptions,
  type WorkflowBundleOption,
} from '@temporalio/worker';
import type { ActivityDependencies, Toolbox } from './activities/dependencies.ts';
import { createAdmission } from './admission.ts';
import { createActivities } from './activities/index.ts';
import { parseConfig } from './config/load-config.ts';
import type { ConfigInput } from './config/schema.ts';
import type { ModelConfig } from './domain/config.ts';
import { TypedError } from './domain/failures.ts';
import { storeValues } from './inputs/index.ts';
import { dataConversion } from './encryption/data-conversion.ts';
import { readEncryptionKeys } from './encryption/keys.ts';
import { removeAbandonedFolders } from './files/temporary-folder.ts';
import { openCassette, type Cassette, type CassetteOptions } from './llm/cassette.ts';
import type { ChatModels } from './llm/chat-model.ts';
import { createModelLimits, type ModelLimits } from './llm/concurrency.ts';
import { limitModels } from './llm/limit-models.ts';
import { createChatModels } from './llm/openai-chat-models.ts';
import { createNotify } from './notify.ts';
import { readPresence, startPresence } from './presence.ts';
import { referToRepository } from './repository-reference.ts';
import { findOccurrenceBefore, findRun, indexRuns, readRun } from './results/find-run.ts';
import { createDaytonaProvider } from './sandbox/daytona/index.ts';
import { requireDaytonaKey } from './sandbox/daytona/client.ts';
import { createLocalProvider } from './sandbox/local/index.ts';
import type { SandboxProvider } from './sandbox/provider.ts';
import { limitSandboxes } from './sandbox/limit-sandboxes.ts';
import { createSlots } from './sandbox/slots.ts';
import { onActivityEnd } from './telemetry/activity-context.ts';
import { RepositoryCache } from './sandbox/repository/repository-cache.ts';
import type { BlobStore } from './storage/blob-store.ts';
import { createChains } from './storage/chain.ts';
import { countOpenAgents, countSandboxes, startReaper } from './reaper.ts';
import type { Listener } from './telemetry/events.ts';
import type { Levels } from './telemetry/metrics.ts';
import { createTelemetry, type Telemetry } from './telemetry/telemetry.ts';
import type { Traces } from './telemetry/traces.ts';
import { createQueueWorkers } from './temporal/queue-workers.ts';
import { pendingFailuresOf } from './temporal/pending-failures.ts';
import { settableAttributesOf } from './temporal/search-attributes.ts';
import { lastPollOf } from './temporal/last-poll.ts';
import { installRuntime } from './temporal/runtime.ts';
import { QUEUES, WORKER_OPTIONS, type Concurrency, type Queue } from './temporal/worker-options.ts';
import { createWorkerDeaths } from './worker-deaths.ts';

export interface WorkerOptions {
  /** For polling. The caller closes it. */
  readonly nativeConnection: NativeConnection;
  /** For asking about workflows. */
  readonly client: Client;
  readonly namespace: string;
  /** Identity of the cluster, for sandbox labels. */
  readonly clusterId: string;
  readonly taskQueue: string;
  /**
   * The worker's own configuration, as in `config.yaml`: what runs have that say nothing else, and what they may ask for
   * (`worker.allow`). Runs that its user started with this state folder may do all that a configuration can say.
   * Default: nothing.
   */
  readonly config?: ConfigInput;
  readonly blobs: BlobStore;
  readonly stateDirectory: string;
  readonly cacheDirectory: string;
  /** Keys and tokens are read from it when they are needed. */
  readonly environment: NodeJS.ProcessEnv;
  /** Names this host in its worker's identity, its own queue and messages. Default: `DURABLE_RLM_HOST`, else the host's name. */
  readonly host?: string;
  /** Milliseconds for which a host whose worker does not poll is waited for before its sandboxes count as lost. Default 90 s. */
  readonly hostPatience?: number;
  /** Milliseconds between two records that it is up; after three of them without one its runs' clocks stand still. Default 5 s. */
  readonly presenceIntervalMs?: number;
  /** `sandbox.provider` of the worker's own configuration: leftovers of it are removed from the beginning. */
  readonly sandboxProvider?: string;
  /** Lines for a person. */
  readonly log: (line: string) => void;
  /** What it takes work from. Default: all of it. */
  readonly queues?: readonly Queue[];
  readonly concurrency?: Concurrency;
  /** Whether the number of pollers follows the load. Default: it is fixed, which serves a single run best. */
  readonly autoscaling?: boolean;
  /** Workflows kept in memory between their tasks. Default: the SDK's; with 0 each task replays its history. */
  readonly maxCachedWorkflows?: number;
  /** Seconds that activities get to end in when it is asked to stop, before they are cancelled. Default 2. */
  readonly drain?: number;
  /** Takes part in Temporal's worker versioning. Absent: it takes the tasks that no version is meant for. */
  readonly version?: WorkerVersion;
  /** Functions that the code of analyses may call. The caller closes them. Default: none. */
  readonly tools?: Toolbox;
  /**
   * Whether runs that another user started get what this worker was given: tools, and `sandbox.isolation: none`. Not where it was
   * given them for runs of its own. Default: they do.
   */
  readonly servesOthers?: boolean;
  /** Keeps every exchange with models in a file, or takes them from it. */
  readonly cassette?: CassetteOptions | undefined;
  /** Told of what it does. */
  readonly listeners?: readonly Listener[];
  /** Absent: nothing is traced. */
  readonly traces?: Traces | undefined;
}

/** The version of a worker, as Temporal's worker deployments have it. */
export interface WorkerVersion {
  readonly deployment: string;
  readonly buildId: string;
  /** Whether a run that is open moves on to the version that is current, or ends on the one it began on. */
  readonly behavior: 'AUTO_UPGRADE' | 'PINNED';
}

export interface RlmWorker {
  /** As `host` of an input names it. */
  readonly host: string;
  /** Resolves when the worker has been shut down; rejects when it failed. */
  readonly running: Promise<void>;
  /** What keeps it from working, one sentence each. */
  readonly problems: () => string[];
  /** What metrics ask for when they are scraped. */
  readonly levels: Levels;
  /** Hands its work over and ends; sandboxes live on. */
  shutdown(): Promise<void>;
}

/** Seconds a worker that is asked to stop waits for activities before it cancels them. */
const DRAIN = 2;

const HOST_PATIENCE = 90_000;

/** Replies of sandboxes beyond a megabyte that are in memory at once; each may have a hundred. */
const MAX_LARGE_REPLIES = 2;

const BUILD_ID = 'rlm';

/** Publishes which step an activity has reached, so that a test can end the process there. */
const checkpoints = diagnosticsChannel('durable-rlm:checkpoint');

const NO_TOOLS: Toolbox = {
  descriptions: [],
  call: (name) => Promise.reject(new Error(`there is no tool ${name}`)),
};

/** Wires everything into workers, one a queue that it takes work from. */
export async function createRlmWorker(options: WorkerOptions): Promise<RlmWorker> {
  await installRuntime();
  void removeAbandonedFolders();
  const host = hostName(options);
  const local = createLocalProvider({
    stateDirectory: options.stateDirectory,
    cacheDirectory: options.cacheDirectory,
    host,
    environment: options.environment,
    log: options.log,
  });
  const daytona = createDaytonaProvider({
    environment: options.environment,
    cacheDirectory: options.cacheDirectory,
    owner: { cluster: options.clusterId, namespace: options.namespace },
  });
  const modelLimits = createModelLimits(options.concurrency?.models);
  const sandboxSlots = createSlots(options.concurrency?.sandboxes);
  const { listeners = [], traces } = options;
  const telemetry = createTelemetry({ listeners, traces });
  const sandboxes = createSandboxes(
    [local, daytona].map((provider) => limitSandboxes(telemetry.sandboxes(provider), sandboxSlots, onActivityEnd)),
    options,
  );
  const activities = createActivities(dependencies(options, { sandboxes, modelLimits, telemetry }));
  const shared = {
    connection: options.nativeConnection,
    namespace: options.namespace,
    activities,
    ...dataConversion(options.environment),
    ...WORKER_OPTIONS,
    identity: `${process.pid}@${host}`,
    ...(options.maxCachedWorkflows === undefined ? {} : { maxCachedWorkflows: options.maxCachedWorkflows }),
    shutdownGraceTime: (options.drain ?? DRAIN) * 1000,
    ...versioning(options.version),
  } as const;
  const workers = await createQueueWorkers({
    shared: {
      ...shared,
      interceptors: { activity: [telemetry.activityInterceptor] },
      ...(telemetry.sinks === undefined ? {} : { sinks: telemetry.sinks }),
    },
    taskQueue: options.taskQueue,
    host: local.host,
    queues: options.queues ?? QUEUES,
    concurrency: options.concurrency ?? {},
    autoscaling: options.autoscaling ?? false,
    workflowBundle: () => workflowBundle(traces !== undefined),
    create: (each) => Worker.create(each),
  });
  const sweeping = startReaper({
    ...options,
    providers: () => sandboxes.swept(),
    onSwept: (provider, result) => telemetry.swept(provider, result),
  });
  const presence = takesWorkflows(options)
    ? startPresence({
        blobs: options.blobs,
        taskQueue: options.taskQueue,
        id: randomUUID(),
        log: options.log,
        ...(options.presenceIntervalMs === undefined ? {} : { intervalMs: options.presenceIntervalMs }),
      })
    : undefined;
  const running = (async () => {
    try {
      await Promise.all(workers.map((worker) => worker.run()));
    } finally {
      await sweeping.stop();
      await presence?.stop();
      await Promise.all(sandboxes.all.map((provider) => provider.close()));
    }
  })();
  return {
    host: local.host,
    running,
    problems: () => workers.flatMap(problemsOf),
    levels: {
      models: modelLimits,
      sandboxes: sandboxSlots,
      openAgents: () => countOpenAgents(options),
      aliveSandboxes: () => countSandboxes({ ...options, providers: () => sandboxes.swept() }),
    },
    async shutdown() {
      for (const worker of workers) if (worker.getState() === 'RUNNING') worker.shutdown();
      await running;
    },
  };
}

function takesWorkflows({ queues = QUEUES }: WorkerOptions): boolean {
  return queues.includes('workflows');
}

function hostName({ host, environment }: Pick<WorkerOptions, 'host' | 'environment'>): string {
  return host ?? (environment['DURABLE_RLM_HOST'] || hostname());
}

function versioning(
  version: WorkerVersion | undefined,
): Pick<TemporalWorkerOptions, 'buildId' | 'workerDeploymentOptions'> {
  // It stands in half of all events: the default, a hash of the bundle, would be an eighth of a run's history.
  if (version === undefined) return { buildId: BUILD_ID };
  const { deployment: deploymentName, buildId, behavior } = version;
  return {
    workerDeploymentOptions: {
      version: { deploymentName, buildId },
      useWorkerVersioning: true,
      defaultVersioningBehavior: behavior,
    },
  };
}

/** The worker's providers of sandboxes. */
interface Sandboxes {
  readonly all: readonly SandboxProvider[];
  /** @throws TypedError `Sandbox.Unavailable` where there is none of that name. */
  named(name: string): SandboxProvider;
  /** Whose leftovers this worker looks for: local ones, and those of Daytona once a run or its own configuration names it. */
  swept(): readonly SandboxProvider[];
}

function createSandboxes(all: readonly SandboxProvider[], options: WorkerOptions): Sandboxes {
  const used = new Set(['local', options.sandboxProvider]);
  return {
    all,
    named(name) {
      const provider = all.find((candidate) => candidate.name === name);
      if (provider === undefined)
        throw new TypedError('Sandbox.Unavailable', `This worker has no sandbox provider "${name}".`);
      used.add(name);
      return provider;
    },
    swept: () =>
      all.filter(
        ({ name }) => used.has(name) && (name !== 'daytona' || (options.environment['DAYTONA_API_KEY'] ?? '') !== ''),
      ),
  };
}

interface Shared {
  readonly sandboxes: Sandboxes;
  readonly modelLimits: ModelLimits;
  readonly telemetry: Telemetry;
}

function dependencies(options: WorkerOptions, { sandboxes, modelLimits, telemetry }: Shared): ActivityDependencies {
  const { blobs, environment } = options;
  const cache = new RepositoryCache(options.cacheDirectory);
  const host = hostName(options);
  const models = modelsByConfig(environment, host);
  const { tools = NO_TOOLS, servesOthers = true } = options;
  const { notify } = parseConfig(options.config ?? {});
  const cassette: Cassette = options.cassette === undefined ? (each) => each : openCassette(options.cassette);
  const admission = createAdmission({
    config: options.config ?? {},
    stateDirectory: options.stateDirectory,
    blobs,
    host,
    servesOthers,
    hasTool: (name) => tools.descriptions.some((tool) => tool.name === name),
  });
  return {
    blobs,
    chains: telemetry.chains(admission.guard(createChains(blobs))),
    models: (config) => limitModels(telemetry.models(cassette(models(config))), config, modelLimits),
    sandboxes: (name) => sandboxes.named(name),
    largeReplies: createSlots(MAX_LARGE_REPLIES),
    workerDeaths: createWorkerDeaths(options.stateDirectory),
    admission,
    findRun: (run, execution) => (execution === undefined ? findRun(blobs, run) : readRun(blobs, run, execution)),
    indexRuns: (beginning) => indexRuns(blobs, beginning),
    findOccurrenceBefore: (schedule, run) => findOccurrenceBefore(blobs, schedule, run),
    async resolveRepository({ config, signal, ...question }) {
      // The first that a run asks: nothing has been spent yet.
      if (config.sandbox.provider === 'daytona') requireDaytonaKey(environment);
      const { token_env, anonymous } = config.repository;
      const token = token_env === undefined ? undefined : environment[token_env];
      const answer = await referToRepository(
        { blobs, cache },
        {
          ...question,
          ...(token === undefined ? {} : { token }),
          ...(anonymous === undefined ? {} : { anonymous }),
        },
        signal,
      );
      signal.throwIfAborted();
      for (const warning of answer.warnings) options.log(warning);
      return answer.repository;
    },
    storeInputs: (signature, values) => storeValues(blobs, signature, values),
    tools,
    servesOthers,
    environment,
    host,
    cluster: options.clusterId,
    namespace: options.namespace,
    lastPoll: lastPollOf(options.client),
    pendingFailures: pendingFailuresOf(options.client),
    searchAttributes: settableAttributesOf(options.client, {
      isEncrypted: readEncryptionKeys(environment) !== undefined,
    }),
    hostPatience: options.hostPatience ?? HOST_PATIENCE,
    notify: createNotify(notify, { environment, log: options.log }),
    notifies: notify.command !== undefined || notify.webhook !== undefined,
    presence: (taskQueue) => readPresence(blobs, taskQueue),
    checkpoint: (point) => checkpoints.publish(point),
  };
}

/** Runs mostly share a configuration: the client of the last one is kept. */
function modelsByConfig(env: NodeJS.ProcessEnv, host: string): (config: ModelConfig) => ChatModels {
  let last: { readonly config: ModelConfig; readonly models: ChatModels } | undefined;
  return (config) => {
    if (last === undefined || !isDeepStrictEqual(last.config, config))
      last = { config, models: createChatModels({ model: config, env, host }) };
    return last.models;
  };
}

/** Built beforehand in a package; bundled now (a second or two) when run from sources. */
async function workflowBundle(traced: boolean): Promise<WorkflowBundleOption> {
  const name = traced ? 'workflow-bundle-traced.js' : 'workflow-bundle.js';
  const built = fileURLToPath(new URL(`../dist/${name}`, import.meta.url));
  if (existsSync(built)) return { codePath: built };
  const source = (file: string): string => fileURLToPath(new URL(`./workflows/${file}.ts`, import.meta.url));
  return bundleWorkflowCode({
    workflowsPath: source('index'),
    payloadConverterPath: source('payload-converter'),
    workflowInterceptorModules: traced ? [source('trace-interceptors')] : [],
  });
}

function problemsOf(worker: Worker): string[] {
  const { runState, workflowPollerState, activityPollerState } = worker.getStatus();
  const queue = `task queue ${worker.options.taskQueue}`;
  if (runState !== 'RUNNING') return [`the worker of ${queue} is ${runState.toLowerCase()}`];
  const failed = [
    ...(workflowPollerState === 'FAILED' ? ['workflow'] : []),
    ...(activityPollerState === 'FAILED' ? ['activity'] : []),
  ];
  return failed.map((kind) => `the ${kind} poller of ${queue} has failed`);
}
