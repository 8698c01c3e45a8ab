import { existsSync } from 'node:fs';
import { hostname } from 'node:os';
import { fileURLToPath } from 'node:url';
import { isDeepStrictEqual } from 'node:util';
import type { Client } from '@temporalio/client';
import { bundleWorkflowCode, Worker, type NativeConnection, type WorkflowBundleOption } from '@temporalio/worker';
import type { ActivityDependencies } from './activities/dependencies.ts';
import { createActivities } from './activities/index.ts';
import { ConfigError } from './config/config-error.ts';
import { parseConfig } from './config/load-config.ts';
import type { ModelConfig, RunConfig } from './domain/config.ts';
import { agentWorkflowId, hostTaskQueue } from './domain/ids.ts';
import { TypedError } from './domain/failures.ts';
import { createChatModels } from './llm/openai-chat-models.ts';
import type { ChatModels } from './llm/chat-model.ts';
import { referToRepository } from './repository-reference.ts';
import { createLocalProvider } from './sandbox/local/index.ts';
import type { SandboxLabels, SandboxProvider } from './sandbox/provider.ts';
import { RepositoryCache } from './sandbox/repository/repository-cache.ts';
import { sweep } from './sandbox/sweep.ts';
import type { BlobStore } from './storage/blob-store.ts';
import { createChains } from './storage/chain.ts';
import { installRuntime } from './temporal/runtime.ts';
import { WORKER_OPTIONS } from './temporal/worker-options.ts';
import { createKillSwitch } from './testing/kill-switch.ts';

export interface WorkerOptions {
  /** For polling. Closed by whoever made it. */
  readonly nativeConnection: NativeConnection;
  /** For asking about workflows. */
  readonly client: Client;
  readonly namespace: string;
  /** Identity of the cluster, for sandbox labels. */
  readonly clusterId: string;
  readonly taskQueue: string;
  readonly blobs: BlobStore;
  readonly stateDirectory: string;
  readonly cacheDirectory: string;
  /** Keys and tokens are read from it when they are needed. */
  readonly environment: NodeJS.ProcessEnv;
  /** Names this host's own queue and sandboxes. Default: the host's name. */
  readonly host?: string;
  /** Lines for a person. */
  readonly log: (line: string) => void;
}

export interface RlmWorker {
  /** Resolves when the worker has been shut down; rejects when it failed. */
  readonly running: Promise<void>;
  /** Hands its work over and ends; sandboxes live on. */
  shutdown(): Promise<void>;
}

/** Seconds between sweeps; a sandbox's lease is at least a minute. */
const SWEEP_INTERVAL = 120;
/** Milliseconds a worker that is asked to stop waits for activities before it cancels them. */
const SHUTDOWN_GRACE = 2000;

const BUILD_ID = 'rlm';

/** Wires everything into two workers: one on the shared queue, one on this host's own. */
export async function createRlmWorker(options: WorkerOptions): Promise<RlmWorker> {
  await installRuntime();
  const host = options.host ?? hostname();
  const local = createLocalProvider({
    stateDirectory: options.stateDirectory,
    cacheDirectory: options.cacheDirectory,
    host,
    log: options.log,
  });
  const providers: readonly SandboxProvider[] = [local];
  const activities = createActivities(dependencies(options, providers));
  const shared = {
    connection: options.nativeConnection,
    namespace: options.namespace,
    activities,
    ...WORKER_OPTIONS,
    shutdownGraceTime: SHUTDOWN_GRACE,
    // It stands in half of all events: the default, a hash of the bundle, would be an eighth of a run's history.
    buildId: BUILD_ID,
  } as const;
  const workers = await Promise.all([
    Worker.create({
      ...shared,
      taskQueue: options.taskQueue,
      workflowBundle: await workflowBundle(),
    }),
    Worker.create({
      ...shared,
      taskQueue: hostTaskQueue(options.taskQueue, host),
    }),
  ]);
  const sweeping = startSweeping(options, providers);
  const running = (async () => {
    try {
      await Promise.all(workers.map((worker) => worker.run()));
    } finally {
      sweeping.stop();
      await Promise.all(providers.map((provider) => provider.close()));
    }
  })();
  return {
    running,
    async shutdown() {
      for (const worker of workers) if (worker.getState() === 'RUNNING') worker.shutdown();
      await running;
    },
  };
}

function dependencies(options: WorkerOptions, providers: readonly SandboxProvider[]): ActivityDependencies {
  const { blobs, environment } = options;
  const cache = new RepositoryCache(options.cacheDirectory);
  const killPlan = environment['DURABLE_RLM_TEST_KILL'];
  return {
    blobs,
    chains: createChains(blobs),
    models: modelsByConfig(environment, options.host ?? hostname()),
    sandboxes(name) {
      const provider = providers.find((candidate) => candidate.name === name);
      if (provider === undefined)
        throw new TypedError('Sandbox.Unavailable', `This worker has no sandbox provider "${name}".`);
      return provider;
    },
    parseConfig: validConfig,
    async resolveRepository({ config, signal, ...question }) {
      const token = config.repository.token_env === undefined ? undefined : environment[config.repository.token_env];
      const answer = await referToRepository(
        { blobs, cache },
        { ...question, ...(token === undefined ? {} : { token }) },
        signal,
      );
      signal.throwIfAborted();
      for (const warning of answer.warnings) options.log(warning);
      return answer.repository;
    },
    environment,
    cluster: options.clusterId,
    namespace: options.namespace,
    checkpoint: killPlan === undefined ? () => undefined : createKillSwitch(killPlan),
  };
}

function validConfig(value: unknown): RunConfig {
  try {
    return parseConfig(value);
  } catch (error) {
    if (error instanceof ConfigError) throw new TypedError('Input.Invalid', error.message, { cause: error });
    throw error;
  }
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
async function workflowBundle(): Promise<WorkflowBundleOption> {
  const built = fileURLToPath(new URL('../dist/workflow-bundle.js', import.meta.url));
  if (existsSync(built)) return { codePath: built };
  return bundleWorkflowCode({ workflowsPath: fileURLToPath(new URL('./workflows/index.ts', import.meta.url)) });
}

function startSweeping(options: WorkerOptions, providers: readonly SandboxProvider[]): { stop(): void } {
  const isOpen = agentIsOpen(options.client);
  const { clusterId: cluster, namespace, log } = options;
  const once = async (): Promise<void> => {
    for (const provider of providers) await sweep({ provider, cluster, namespace, isOpen, log });
  };
  let busy = false;
  const tick = (): void => {
    if (busy) return;
    busy = true;
    once()
      .catch((error: unknown) =>
        log(`the sweep for leftover sandboxes failed: ${error instanceof Error ? error.message : String(error)}`),
      )
      .finally(() => {
        busy = false;
      });
  };
  tick();
  const timer = setInterval(tick, SWEEP_INTERVAL * 1000);
  timer.unref();
  return { stop: () => clearInterval(timer) };
}

/** Whether an agent's workflow runs, in the very execution of its run that the sandbox was made for. */
function agentIsOpen(client: Client): (labels: SandboxLabels) => Promise<boolean> {
  const describe = async (workflowId: string): Promise<{ open: boolean; execution: string | undefined }> => {
    try {
      const description = await client.workflow.getHandle(workflowId).describe();
      const first = description.raw.workflowExecutionInfo?.firstRunId ?? description.runId;
      return { open: description.status.name === 'RUNNING', execution: first === '' ? description.runId : first };
    } catch (error) {
      if (error instanceof Error && error.name === 'WorkflowNotFoundError')
        return { open: false, execution: undefined };
      throw error;
    }
  };
  return async ({ run, agent, execution }) => {
    const supervisor = await describe(run);
    if (supervisor.execution !== execution) return false;
    return (await describe(agentWorkflowId(run, agent))).open;
  };
}
