import type { Toolbox } from '../activities/dependencies.ts';
import type { ResolvedTemporal } from '../temporal/connection.ts';
import type { ConfigInput } from '../config/schema.ts';
import type { RunConfig } from '../domain/config.ts';
import type { Environment } from './environment.ts';

export interface OwnWorkerOptions {
  readonly environment: Environment;
  readonly config: RunConfig;
  /** The same as it was given. */
  readonly given: ConfigInput;
  readonly temporal: ResolvedTemporal;
  readonly log: (line: string) => void;
  readonly tools?: Toolbox;
  /** As of `createRlmWorker`. */
  readonly servesOthers?: boolean;
}

/** A worker in this process, for a program that wants no other. */
export interface OwnWorker {
  /** Rejects when it fails. */
  readonly running: Promise<void>;
  /** Hands its work over; sandboxes live on. */
  close(): Promise<void>;
}

export async function startOwnWorker(options: OwnWorkerOptions): Promise<OwnWorker> {
  const { environment, config, given, temporal, log, tools, servesOthers = true } = options;
  const { blobs, stateDirectory, cacheDirectory, env } = environment;
  // Half a second of loading, while the connection is made.
  const [{ createRlmWorker }, nativeConnection] = await Promise.all([import('../worker.ts'), temporal.connectWorker()]);
  const worker = await createRlmWorker({
    nativeConnection,
    client: temporal.client,
    namespace: temporal.namespace,
    clusterId: temporal.clusterId,
    taskQueue: config.temporal.task_queue,
    config: given,
    blobs,
    stateDirectory,
    cacheDirectory,
    environment: env,
    sandboxProvider: config.sandbox.provider,
    log,
    ...(tools === undefined ? {} : { tools }),
    servesOthers,
  });
  // The code that waits for a run looks at it; until then a failure must not end the process.
  worker.running.catch(() => undefined);
  async function end(): Promise<void> {
    try {
      await worker.shutdown();
    } finally {
      await nativeConnection.close();
    }
  }
  let ended: Promise<void> | undefined;
  return {
    running: worker.running,
    close: () => (ended ??= end()),
  };
}
