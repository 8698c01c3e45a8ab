import { tracesEndpoint } from '../telemetry/traces-endpoint.ts';
import type { Traces } from '../telemetry/traces.ts';
import type { TemporalConnection } from '../temporal/connection.ts';
import type { RlmWorker, WorkerOptions } from '../worker.ts';
import { openTools } from './open-tools.ts';
import { outputPath } from './output-file.ts';
import type { Session } from './session.ts';
import { version } from './version.ts';

export interface HostOptions extends Partial<
  Pick<
    WorkerOptions,
    'queues' | 'version' | 'concurrency' | 'autoscaling' | 'drain' | 'listeners' | 'tools' | 'servesOthers' | 'cassette'
  >
> {
  /** File that traces are added to; they are also sent where OpenTelemetry's variables say. */
  readonly traceFile?: string | undefined;
  /** Modules with tools, besides those of the configuration. Not looked at where `tools` are given. */
  readonly toolFiles?: readonly string[] | undefined;
}

/** A worker in this process. */
export interface HostedWorker extends Pick<RlmWorker, 'host' | 'problems' | 'levels'> {
  /** Rejects when the worker fails; resolves when it has been shut down. */
  readonly running: Promise<void>;
  /** Hands its work over; sandboxes live on. */
  close(): Promise<void>;
}

export async function hostWorker(
  session: Session,
  temporal: TemporalConnection,
  log: (line: string) => void,
  options: HostOptions = {},
): Promise<HostedWorker> {
  await session.blobs.check();
  // Half a second of loading, while the connection is made.
  const [{ createRlmWorker }, nativeConnection] = await Promise.all([import('../worker.ts'), temporal.connectWorker()]);
  const { traceFile, toolFiles, ...ofWorker } = options;
  const opened = options.tools === undefined ? await openTools(session, toolFiles, log) : undefined;
  const traces = await openTraces(session, traceFile, log);
  const worker = await createRlmWorker({
    ...ofWorker,
    ...(opened === undefined ? {} : { tools: opened }),
    traces,
    nativeConnection,
    client: temporal.client,
    namespace: temporal.namespace,
    clusterId: temporal.clusterId,
    taskQueue: session.taskQueue,
    config: session.given,
    blobs: session.blobs,
    stateDirectory: session.stateDirectory,
    cacheDirectory: session.cacheDirectory,
    environment: session.env,
    sandboxProvider: session.config.sandbox.provider,
    log,
  });
  // The code that follows a run looks at `running`; until then a failure must not end the process.
  worker.running.catch(() => undefined);
  return {
    host: worker.host,
    running: worker.running,
    problems: worker.problems,
    levels: worker.levels,
    async close() {
      try {
        await worker.shutdown();
      } finally {
        await nativeConnection.close();
        await opened?.close();
        await traces?.close();
      }
    },
  };
}

/** OpenTelemetry is loaded only where traces are asked for. */
async function openTraces(
  { env, cwd }: Session,
  traceFile: string | undefined,
  onError: (line: string) => void,
): Promise<Traces | undefined> {
  if (traceFile === undefined && tracesEndpoint(env) === undefined) return undefined;
  const { createTraces } = await import('../telemetry/traces.ts');
  const file = traceFile === undefined ? undefined : outputPath(cwd, traceFile);
  return createTraces({ file, env, version: version(), onError });
}
