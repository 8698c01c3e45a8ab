import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import {
  WorkflowFailedError,
  type Client,
  type WorkflowHandle,
  type WorkflowHandleWithFirstExecutionRunId,
} from '@temporalio/client';
import { ApplicationFailure, CancelledFailure } from '@temporalio/common';
import { cacheDirectory } from '../../src/config/directories.ts';
import type { ConfigInput } from '../../src/config/schema.ts';
import type { BudgetLimits } from '../../src/domain/budget.ts';
import { setBudgetMessage } from '../../src/domain/messages.ts';
import { runReferenceName, type AgentReference, type RunOutcome, type RunReference } from '../../src/domain/records.ts';
import { readSignature } from '../../src/domain/signature/read-signature.ts';
import { createGrants, grantBudget } from '../../src/grants.ts';
import { storeValues } from '../../src/inputs/index.ts';
import { createChains, type Chains } from '../../src/storage/chain.ts';
import type { BlobStore } from '../../src/storage/blob-store.ts';
import { createFileBlobStore } from '../../src/storage/file-blob-store.ts';
import { connect, embeddedTarget, type TemporalConnection } from '../../src/temporal/connection.ts';
import { startOrAttachDevServer, type DevServer, type DevServerOptions } from '../../src/temporal/dev-server.ts';
import { startScriptedModel, type ScriptedModel, type ScriptedModelOptions } from '../../src/testing/index.ts';
import { createRlmWorker, type RlmWorker, type WorkerOptions } from '../../src/worker.ts';
import { openPlace, placeByEnvironment, type Place, type PlaceName } from './places.ts';

/** A real server, worker and repository in a folder of their own, and a scripted model over real HTTP. */
export interface World {
  readonly folder: string;
  readonly client: Client;
  readonly blobs: BlobStore;
  readonly chains: Chains;
  readonly repository: string;
  readonly log: string[];
  readonly server: DevServer;
  startModel(options: ScriptedModelOptions): Promise<ScriptedModel>;
  startWorker(options?: Partial<WorkerOptions>): Promise<RlmWorker>;
  /** `result` of the handle is the outcome however the run ended. */
  start(input: StartInput): Promise<WorkflowHandle>;
  /** Starts a workflow as `rlm run` and `rlm analyze` do: the workers of this world know that their user did it. */
  startGranted(id: string, type: 'investigate' | 'analyze', input: object): Promise<WorkflowHandle>;
  /** New limits, as `rlm budget` gives them. */
  setBudget(run: string, limits: Partial<BudgetLimits>): Promise<void>;
  run(input: StartInput): Promise<RunOutcome>;
  analyze(input: AnalyzeInput): Promise<RunOutcome>;
  startAnalysis(input: AnalyzeInput): Promise<WorkflowHandle>;
  agents(run: string): Promise<AgentReference[]>;
  /** Names of the sandboxes that exist. */
  sandboxes(): Promise<string[]>;
  /** Whatever there still is of a run's sandboxes: records, files, and processes by their command lines. */
  leftovers(run?: string): Promise<string[]>;
  /** Kills the processes of an agent's sandbox, as the host running out of memory would. */
  killSandbox(run: string, agent: string): Promise<void>;
  /** The whole answer, as it was given to FINAL. */
  answer(outcome: RunOutcome): Promise<unknown>;
  patch(outcome: RunOutcome): Promise<Buffer>;
  close(): Promise<void>;
}

export interface StartInput {
  readonly id: string;
  readonly prompt: string;
  readonly model: ScriptedModel;
  /** Default: the world's. */
  readonly repo?: string;
  readonly config?: {
    readonly rlm?: object;
    readonly sandbox?: object;
    readonly model?: object;
    readonly temporal?: object;
  };
}

export interface AnalyzeInput extends Pick<StartInput, 'id' | 'model' | 'config'> {
  readonly signature: unknown;
  readonly inputs?: Readonly<Record<string, unknown>>;
  /** As clients do: the inputs are in the blob store before the workflow starts. */
  readonly stored?: true;
  readonly instructions?: string;
}

export const TASK_QUEUE = 'durable-rlm';

/**
 * @param sandboxes where they are; default: on this host, unless the environment says otherwise.
 * @param controlPlane options of Daytona's, such as `--max-sandboxes`
 */
export async function createWorld(
  sandboxes: PlaceName = placeByEnvironment(),
  {
    controlPlane,
    ...serverOptions
  }: Pick<DevServerOptions, 'dynamicConfig'> & { readonly controlPlane?: readonly string[] } = {},
): Promise<World> {
  const folder = mkdtempSync(join(tmpdir(), 'rlm-e2e-'));
  const place = await openPlace(sandboxes, folder, controlPlane);
  const log: string[] = [];
  const server = await startOrAttachDevServer({
    stateDirectory: join(folder, 'state'),
    cacheDirectory: cacheDirectory(process.env),
    ...serverOptions,
  });
  const temporal = await connect(embeddedTarget(server));
  const blobs = createFileBlobStore({ path: join(folder, 'state', 'blobs') });
  const models: ScriptedModel[] = [];
  const workers: RlmWorker[] = [];
  const repository = makeRepository(join(folder, 'repository'), SMALL_REPOSITORY);

  const world: World = {
    folder,
    client: temporal.client,
    blobs,
    chains: createChains(blobs),
    repository,
    log,
    server,
    async startModel(options) {
      const model = await startScriptedModel(options);
      models.push(model);
      return model;
    },
    async startWorker(options = {}) {
      const worker = await startWorker(
        temporal,
        { folder, blobs, place },
        { log: (line) => log.push(line), config: ownFolders(folder), ...options },
      );
      workers.push(worker);
      return worker;
    },
    start: ({ prompt, repo = repository, ...input }) =>
      world.startGranted(input.id, 'investigate', { repo, prompt, config: configOf(place, input) }),
    async startGranted(id, type, input) {
      // A value that is undefined does not travel.
      const sent = JSON.parse(JSON.stringify(input)) as object;
      const grant = await createGrants(join(folder, 'state')).issue({ run: id, type, input: sent });
      const args = [{ ...sent, grant }];
      const handle = await temporal.client.workflow.start(type, { workflowId: id, taskQueue: TASK_QUEUE, args });
      return Object.assign(Object.create(handle) as typeof handle, { result: () => outcomeOf(handle, blobs) });
    },
    async setBudget(run, limits) {
      const message = await grantBudget(createGrants(join(folder, 'state')), run, limits);
      await temporal.client.workflow.getHandle(run).signal(setBudgetMessage, message);
    },
    async startAnalysis({ signature, inputs = {}, stored, instructions, ...input }) {
      const put = async (): Promise<string> =>
        world.chains.putJson(await storeValues(blobs, readSignature(signature), inputs));
      const given = stored === true ? { stored_inputs: await put() } : { inputs };
      return world.startGranted(input.id, 'analyze', {
        signature,
        ...given,
        instructions,
        config: configOf(place, input),
      });
    },
    analyze: async (input) => (await (await world.startAnalysis(input)).result()) as RunOutcome,
    run: async (input) => (await (await world.start(input)).result()) as RunOutcome,
    async agents(run) {
      const names = await blobs.listReferences(`runs/${run}@`);
      const references = await Promise.all(
        names.filter((name) => !name.endsWith('/run')).map((name) => blobs.getReference(name)),
      );
      return (references as AgentReference[]).toSorted((a, b) => (a.agent < b.agent ? -1 : 1));
    },
    sandboxes: () => place.sandboxes(),
    leftovers: (run) => place.leftovers(run),
    killSandbox: (run, agent) => place.killSandbox(run, agent),
    patch: async (outcome) =>
      outcome.patch_ref === null ? Buffer.alloc(0) : Buffer.from(await blobs.get(outcome.patch_ref)),
    answer: async ({ answer_ref }) =>
      answer_ref === null ? null : JSON.parse(Buffer.from(await blobs.get(answer_ref)).toString()),
    async close() {
      await Promise.all(workers.map((worker) => worker.shutdown()));
      await place.close();
      await Promise.all(models.map((model) => model.close({ check: false })));
      await temporal.close();
      await server.release({ wait: true });
      rmSync(folder, { recursive: true, force: true });
    },
  };
  return world;
}

/** The outcome of a run, also of one that failed or was cancelled. */
async function outcomeOf(handle: WorkflowHandleWithFirstExecutionRunId, blobs: BlobStore): Promise<RunOutcome> {
  try {
    return (await handle.result()) as RunOutcome;
  } catch (error) {
    const cause = error instanceof WorkflowFailedError ? error.cause : undefined;
    const [outcome] = cause instanceof ApplicationFailure ? (cause.details ?? []) : [];
    if (outcome !== undefined) return outcome as RunOutcome;
    const name = runReferenceName(handle.workflowId, handle.firstExecutionRunId);
    const reference = (await blobs.getReference(name)) as RunReference | undefined;
    if (reference?.outcome !== undefined && cause instanceof CancelledFailure) return reference.outcome;
    throw error;
  }
}

function configOf(place: Place, { model, config }: Pick<StartInput, 'model' | 'config'>): object {
  return {
    ...config,
    model: {
      name: 'openai/scripted',
      base_url: model.url,
      // So that `rlm.max_cost` can be given; what a reply says that it costs counts.
      prices: { 'openai/scripted': { input: 0, output: 0 } },
      ...config?.model,
    },
    sandbox: { ...place.settings, ...config?.sandbox },
  };
}

/** Repositories of the world are folders of its workers' host. */
const ownFolders = (folder: string): ConfigInput => ({ worker: { allow: { folders: [folder] } } });

async function startWorker(
  temporal: TemporalConnection,
  { folder, blobs, place }: { readonly folder: string; readonly blobs: BlobStore; readonly place: Place },
  options: Partial<WorkerOptions> & Pick<WorkerOptions, 'log'>,
): Promise<RlmWorker> {
  const nativeConnection = await temporal.connectWorker();
  const worker = await createRlmWorker({
    nativeConnection,
    client: temporal.client,
    namespace: temporal.namespace,
    clusterId: temporal.clusterId,
    taskQueue: TASK_QUEUE,
    blobs,
    stateDirectory: join(folder, 'state'),
    cacheDirectory: join(folder, 'cache'),
    environment: { ...process.env, LLM_API_KEY: 'key-of-the-tests', ...place.environment },
    sandboxProvider: place.name,
    ...options,
  });
  const running = (async () => {
    try {
      await worker.running;
    } finally {
      await nativeConnection.close();
    }
  })();
  running.catch((error: unknown) => options.log(String(error)));
  return {
    ...worker,
    running,
    async shutdown() {
      await worker.shutdown();
      await running;
    },
  };
}

/** File contents by path. */
export type Tree = Readonly<Record<string, string>>;

/** What the world's repository holds. */
export const SMALL_REPOSITORY: Tree = {
  'README.md': '# Small\n',
  'pkg/__init__.py': '',
  'pkg/a.py': 'def one():\n    return 1  # TODO: return two\n',
  'pkg/b.py': 'def two():\n    return 2\n',
  'tests/test_a.py': 'from pkg.a import one\n\n\ndef test_one():\n    assert one() == 1\n',
};

/** A git repository of one commit, always the same for the same tree. */
export function makeRepository(path: string, tree: Tree): string {
  for (const [name, text] of Object.entries(tree)) {
    mkdirSync(dirname(join(path, name)), { recursive: true });
    writeFileSync(join(path, name), text);
  }
  git(path, 'init', '-q', '-b', 'main');
  git(path, 'add', '-A');
  git(path, 'commit', '-q', '-m', 'all');
  return path;
}

export function git(path: string, ...command: string[]): string {
  const env = {
    PATH: process.env['PATH'],
    HOME: path,
    GIT_AUTHOR_NAME: 'a',
    GIT_AUTHOR_EMAIL: 'a@localhost',
    GIT_AUTHOR_DATE: '2025-01-01T00:00:00Z',
    GIT_COMMITTER_NAME: 'a',
    GIT_COMMITTER_EMAIL: 'a@localhost',
    GIT_COMMITTER_DATE: '2025-01-01T00:00:00Z',
  };
  return execFileSync('git', ['-C', path, ...command], { env, encoding: 'utf8' });
}
