import type { ConfigInput } from '../config/schema.ts';
import { parseConfig } from '../config/load-config.ts';
import { dotEnvNote, loadDotEnv } from './dot-env.ts';
import { emptyDocument } from './empty-document.ts';
import { openEnvironment, type Environment } from './environment.ts';
import type { PendingFailure } from './pending-failure.ts';
import { findEndedRun, retryRun } from './retry-run.ts';
import { reportRun, type RunReport } from './report-run.ts';
import type { RunArguments } from './run-arguments.ts';
import type { AnalysisDocument, AnalysisRequest } from './analyses.ts';
import { startOwnWorker, type OwnWorker } from './own-worker.ts';
import { planAnalysis } from './start-analysis.ts';
import { planFork, type ForkArguments } from './start-fork.ts';
import { planRun, startRun } from './start-run.ts';
import { createTemporalRuns, type PersonMessage, type RunEnd, type TemporalRuns } from './temporal-runs.ts';
import { ANALYSIS_DEFAULTS, type RunConfig } from '../domain/config.ts';
import type { Signature as Fields } from '../domain/signature/field-type.ts';
import { storeValues } from '../inputs/index.ts';
import { TypedError } from '../domain/failures.ts';
import { createGrants, grantBudget } from '../grants.ts';
import type { BudgetMessage, Question } from '../domain/messages.ts';
import type { RunReference } from '../domain/records.ts';
import { listRuns } from '../results/find-run.ts';
import { readPatch, runDocument, type RunDocument } from '../results/run-document.ts';
import { lastPollOf } from '../temporal/last-poll.ts';
import { resolveTemporal, type ResolvedTemporal } from '../temporal/connection.ts';
import type { ToolDefinition } from '../tools/tool.ts';

export interface ConnectOptions {
  /** Temporal server, `host:port` or `unix:///path`. Default: a profile's or the environment's, else the embedded server. */
  readonly address?: string;
  readonly namespace?: string;
  /** Profile of Temporal's configuration file. */
  readonly profile?: string;
  /** As in `config.yaml`: the configuration of runs, where blobs are kept, the task queue. */
  readonly config?: ConfigInput;
  /** Default: that of this process, with the API keys of a `.env` in the current folder. */
  readonly env?: NodeJS.ProcessEnv;
  /** What relative paths are relative to. Default: the current folder. */
  readonly cwd?: string;
  /** Receives lines for a person. Default: they are dropped. */
  readonly log?: (line: string) => void;
}

/** A run as it was started or found. */
export interface RunHandle {
  readonly id: string;
  readonly execution: string;
  /** False where a run of this id and these arguments was there already. */
  readonly isNew: boolean;
  /** What a person should know, such as uncommitted changes that are left out. */
  readonly warnings: readonly string[];
  /** Waits for the end. */
  result(signal?: AbortSignal): Promise<RunDocument>;
}

/** An analysis as it was started or found. */
export interface AnalysisHandle<Signature extends string = string> extends Omit<RunHandle, 'result'> {
  /** Waits for the end. */
  result(signal?: AbortSignal): Promise<AnalysisDocument<Signature>>;
}

/**
 * Starts and follows runs. Runs are done by workers (`rlm up`, `rlm worker`, or `createRlmWorker` of
 * `durable-rlm/worker`), which may be anywhere and come and go.
 *
 * Every method throws a TypedError `Input.Invalid` for a run that does not exist.
 */
export interface RlmClient {
  /**
   * Starts a run when all of its arguments are found to be right. An `id` that exists, with the same arguments, is
   * attached to.
   *
   * @throws TypedError `Input.Invalid` (also for an id used with other arguments), `Repository.*`, `Storage.*`
   */
  start(request: RunArguments & { readonly config?: ConfigInput }): Promise<RunHandle>;
  /**
   * Starts a typed analysis when all of it is found to be right. Tools are those that the workers have.
   *
   * @throws TypedError `Input.Invalid` (also for an id used with other arguments), `Storage.*`
   */
  analyze<const Signature extends string>(request: AnalysisRequest<Signature>): Promise<AnalysisHandle<Signature>>;
  /**
   * Works in this process, on whatever there is in the task queue, until it or this client is closed. Runs that
   * somebody else started may use what `config` allows (`worker.allow`), and the tools unless `servesOthers` is false.
   *
   * @throws TypedError `Input.Invalid` for tools that cannot be
   */
  work(options?: {
    readonly tools?: Readonly<Record<string, ToolDefinition>>;
    readonly servesOthers?: boolean;
  }): Promise<OwnWorker>;
  /**
   * Continues a run that has ended with another prompt, on its conversation, variables and files.
   *
   * @throws TypedError `Input.Invalid`
   */
  continue(
    run: string,
    request: Omit<ForkArguments, 'run' | 'message'> & { readonly prompt: string },
  ): Promise<RunHandle>;
  /**
   * A new run that shares a run's work up to an iteration, without a model call, and continues with another model, prompt or
   * limits.
   *
   * @throws TypedError `Input.Invalid`
   */
  fork(run: string, request: Omit<ForkArguments, 'run' | 'message'> & { readonly prompt?: string }): Promise<RunHandle>;
  attach(run: string): Promise<RunHandle>;
  /** Runs that the blob store knows, newest first. */
  list(): Promise<RunReference[]>;
  status(run: string): Promise<RunReport>;
  /** What there is of a run, whether it has ended or not. */
  document(run: string): Promise<RunDocument>;
  /** Activities of the run that have failed and are being retried, such as calls of a model that cannot be reached. */
  pendingFailures(run: string): Promise<PendingFailure[]>;
  /** Nothing new is begun; what is under way is finished. @param agent - this one only, with the agents below it */
  pause(run: string, reason?: string, agent?: string): Promise<void>;
  resume(run: string, agent?: string): Promise<void>;
  /**
   * Tells an agent something, which its model sees at its next iteration.
   *
   * @param agent - default: the root
   * @throws TypedError `Input.Invalid` where the agent has ended
   */
  steer(run: string, message: string, agent?: string): Promise<void>;
  /** Lets agents do what they ask for (`rlm.approve`). @param question - default: all that is asked */
  approve(run: string, question?: string): Promise<void>;
  /** Refuses it. */
  reject(run: string, options?: { readonly question?: string; readonly reason?: string }): Promise<void>;
  /** What a person has to approve or to reject. */
  questions(run: string): Promise<readonly Question[]>;
  /** New limits of a run that is open; what is left out stays. */
  setBudget(run: string, limits: Omit<BudgetMessage, 'id' | 'grant'>): Promise<void>;
  /**
   * Opens a run that failed, timed out or was cancelled again, under its id: its agents go on where they ended, and no
   * model call is paid twice. `config` counts over the configuration that it had.
   *
   * @throws TypedError `Input.Invalid` for one that is open, or has completed
   */
  retry(run: string, options?: { readonly config?: ConfigInput }): Promise<RunHandle>;
  /** The run ends `cancelled`, with what it has so far. */
  cancel(run: string): Promise<void>;
  /** Waits for the end. */
  result(run: string, signal?: AbortSignal): Promise<RunDocument>;
  /** Of a run that has ended; undefined when it changed nothing. Bytes, because files need not be UTF-8. */
  patch(run: string): Promise<Uint8Array | undefined>;
  /** Gives connections back; runs go on. */
  close(): Promise<void>;
}

/**
 * Connects to Temporal, starting the embedded server where none is named and none runs.
 *
 * @throws TypedError `Input.Invalid` for a wrong configuration; TemporalSetupError within 10 s when the server does
 *   not answer
 */
export async function connect(options: ConnectOptions = {}): Promise<RlmClient> {
  return openClient(options, { asksForWorkers: true });
}

/** @param asksForWorkers - false where the caller is about to work itself */
export async function openClient(
  options: ConnectOptions,
  { asksForWorkers }: { readonly asksForWorkers: boolean },
): Promise<RlmClient> {
  const cwd = options.cwd ?? process.cwd();
  const env = options.env ?? (await environmentOf(cwd, options.log));
  const config = parseConfig(options.config ?? {});
  const environment = await openEnvironment({ env, cwd, config });
  const { address, namespace, profile, log } = options;
  const temporal = await resolveTemporal(
    { address, namespace, profile, env, config: config.temporal },
    { ...environment, ...(log === undefined ? {} : { log }) },
  );
  const taskQueue = config.temporal.task_queue;
  const runs = createTemporalRuns({ client: temporal.client, taskQueue });
  if (asksForWorkers && log !== undefined && (await lacksWorker(temporal, taskQueue)))
    log(`No worker polls task queue ${taskQueue} of ${temporal.address} yet: ${waysToWork(taskQueue)}.`);
  return createClient({
    environment,
    config,
    given: options.config ?? {},
    runs,
    temporal,
    log: log ?? (() => undefined),
  });
}

/** Whether nobody has polled a task queue lately; false where that cannot be told within a second. */
export async function lacksWorker({ client }: ResolvedTemporal, taskQueue: string): Promise<boolean> {
  return client
    .withDeadline(Date.now() + WORKER_ANSWERS_MS, () => lastPollOf(client)(taskQueue))
    .then(
      (last) => last === undefined,
      () => false,
    );
}

/** That of this process, with the API keys of a `.env` file. */
export async function environmentOf(cwd: string, log?: (line: string) => void): Promise<NodeJS.ProcessEnv> {
  const dotEnv = await loadDotEnv(cwd, process.env);
  const note = dotEnvNote(dotEnv);
  if (note !== undefined) log?.(note);
  return dotEnv.env;
}

/** Milliseconds in which a worker that is there answers for a run. */
const WORKER_ANSWERS_MS = 900;

/** Agents whose pending failures are asked for. */
const MAX_AGENTS_ASKED = 10;

interface ClientParts {
  readonly environment: Environment;
  readonly config: RunConfig;
  /** The configuration as it was given: what a run's own is laid over. */
  readonly given: ConfigInput;
  readonly runs: TemporalRuns;
  readonly temporal: ResolvedTemporal;
  readonly log: (line: string) => void;
}

function createClient({ environment, config, given: configuration, runs, temporal, log }: ClientParts): RlmClient {
  const { blobs } = environment;
  const workers: OwnWorker[] = [];

  async function status(run: string): Promise<RunReport> {
    const report = await reportRun({ blobs, runs }, run);
    if (report === undefined) throw unknownRun(run);
    return report;
  }

  async function result(run: string, signal = new AbortController().signal): Promise<RunDocument> {
    const known = await runs.describe(run);
    return document(run, known === undefined ? undefined : await runs.end(run, { runId: known.runId, signal }));
  }

  async function document(run: string, end?: RunEnd): Promise<RunDocument> {
    const { snapshot, status: standing, reason } = await status(run);
    const results = { status: standing, reason, results: null, now: Date.now() };
    return snapshot === undefined ? emptyDocument(run, standing, end) : runDocument(blobs, snapshot, results);
  }

  async function takeUp(request: ForkArguments, kind: 'continue' | 'fork'): Promise<RunHandle> {
    await blobs.check();
    const { plan } = await planFork(blobs, request, kind);
    const started = await startRun(environment, runs, plan);
    return handle(started, started.warnings);
  }

  async function tell(run: string, message: PersonMessage): Promise<void> {
    const told = await runs.tell(run, message);
    if (told.kind === 'refused') throw new TypedError('Input.Invalid', told.reason);
    mustRun(run, told.kind !== 'ended');
  }

  const handle = (
    started: { run: string; execution: string; isNew: boolean },
    warnings: readonly string[],
  ): RunHandle => ({
    id: started.run,
    execution: started.execution,
    isNew: started.isNew,
    warnings,
    result: (signal) => result(started.run, signal),
  });

  /** A run that no worker takes up waits for one without a word: its starter is told within a second. */
  async function missingWorker(run: string): Promise<string[]> {
    if (workers.length > 0 || (await runs.state(run, WORKER_ANSWERS_MS)) !== undefined) return [];
    const known = await runs.describe(run);
    if (known === undefined || known.status !== 'running') return [];
    const warning = `No worker has taken up run ${run} yet: ${waysToWork(config.temporal.task_queue)}.`;
    log(warning);
    return [warning];
  }

  return {
    async start({ config: own, ...request }) {
      await blobs.check();
      const plan = planRun(
        environment,
        request,
        own === undefined ? config : parseConfig({ ...configuration, ...own }),
      );
      const started = await startRun(environment, runs, plan);
      return handle(started, [...started.warnings, ...(await missingWorker(started.run))]);
    },
    async analyze({ config: own, inputs, descriptions, ...request }) {
      await blobs.check();
      const settings = parseConfig({ ...configuration, ...own }, ANALYSIS_DEFAULTS);
      const given = {
        store: async (signature: Fields) => {
          const warnings: string[] = [];
          const warn = (line: string): void => void warnings.push(line);
          return { inputs: await storeValues(blobs, signature, inputs ?? {}, { warn }), warnings };
        },
      };
      const signature = withDescriptions(request.signature, descriptions);
      const plan = planAnalysis(environment, { ...request, signature }, given, { config: settings, tools: [] });
      const started = await startRun(environment, runs, plan);
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a result has been checked against the signature
      return handle(started, [...started.warnings, ...(await missingWorker(started.run))]) as AnalysisHandle<never>;
    },
    continue: (run, { prompt, ...request }) => takeUp({ ...request, run, message: prompt }, 'continue'),
    fork: (run, { prompt, ...request }) =>
      takeUp({ ...request, run, ...(prompt === undefined ? {} : { message: prompt }) }, 'fork'),
    async work({ tools, servesOthers = true } = {}) {
      const toolbox = tools === undefined ? undefined : (await import('../tools/index.ts')).toolsOf(tools);
      const options = { environment, config, given: configuration, temporal, log, servesOthers };
      const worker = await startOwnWorker({ ...options, ...(toolbox === undefined ? {} : { tools: toolbox }) });
      workers.push(worker);
      return worker;
    },
    async attach(run) {
      const { execution } = await status(run);
      return handle({ run, execution, isNew: false }, []);
    },
    list: () => listRuns(blobs),
    status,
    document: (run) => document(run),
    async pendingFailures(run) {
      const open = (await status(run)).snapshot?.agents.filter(({ state }) => state !== 'done') ?? [];
      const agents = open.slice(0, MAX_AGENTS_ASKED).map(({ agent }) => agent);
      return runs.pendingFailures(run, agents);
    },
    async retry(run, options = {}) {
      const ended = await findEndedRun(blobs, runs, run);
      const started = await retryRun(environment, runs, ended, (before) => over(before, options.config ?? {}));
      return handle(started, await missingWorker(run));
    },
    pause: async (run, reason, agent) => mustRun(run, await runs.pause(run, reason, agent)),
    resume: async (run, agent) => mustRun(run, await runs.resume(run, agent)),
    steer: (run, message, agent) => tell(run, { name: 'steer', message, ...(agent === undefined ? {} : { agent }) }),
    approve: (run, question) => tell(run, { name: 'approve', ...(question === undefined ? {} : { question }) }),
    reject: (run, options = {}) => tell(run, { name: 'reject', ...options }),
    questions: async (run) => (await runs.state(run))?.questions ?? [],
    setBudget: async (run, limits) => {
      const message = await grantBudget(createGrants(environment.stateDirectory), run, limits);
      mustRun(run, await runs.setBudget(run, message));
    },
    cancel: async (run) => mustRun(run, await runs.cancel(run)),
    result,
    async patch(run) {
      const outcome = (await status(run)).snapshot?.run.outcome;
      if (outcome === undefined)
        throw new TypedError('Input.Invalid', `Run "${run}" has not ended: wait for its result.`);
      return readPatch(blobs, outcome);
    },
    async close() {
      try {
        await Promise.all(workers.map((worker) => worker.close()));
      } finally {
        await temporal.close();
      }
    },
  };
}

function over({ model, rlm, sandbox, repository }: RunConfig, given: ConfigInput): RunConfig {
  return parseConfig(given, { model, rlm, sandbox, repository });
}

function waysToWork(taskQueue: string): string {
  return `start one for task queue ${taskQueue} with rlm up, rlm worker, or work() of this client`;
}

/** As `readSignature` takes it. */
function withDescriptions(form: unknown, descriptions: Readonly<Record<string, string>> | undefined): unknown {
  if (descriptions === undefined) return form;
  return typeof form === 'object' ? { ...form, descriptions } : { signature: form, descriptions };
}

function mustRun(run: string, found: boolean): void {
  if (!found) throw new TypedError('Input.Invalid', `Run "${run}" is not running: it has ended, or never was.`);
}

function unknownRun(run: string): TypedError {
  return new TypedError('Input.Invalid', `There is no run "${run}": rlm list shows those there are.`);
}
