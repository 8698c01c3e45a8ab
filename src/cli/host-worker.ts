import type { TemporalConnection } from '../temporal/connection.ts';
import type { Session } from './session.ts';

/** A worker in this process. */
export interface HostedWorker {
  /** Rejects when the worker fails; resolves when it has been shut down. */
  readonly running: Promise<void>;
  /** Hands its work over; sandboxes live on. */
  close(): Promise<void>;
}

export async function hostWorker(
  session: Session,
  temporal: TemporalConnection,
  log: (line: string) => void,
): Promise<HostedWorker> {
  await session.blobs.check();
  // Half a second of loading, while the connection is made.
  const [{ createRlmWorker }, nativeConnection] = await Promise.all([import('../worker.ts'), temporal.connectWorker()]);
  const worker = await createRlmWorker({
    nativeConnection,
    client: temporal.client,
    namespace: temporal.namespace,
    clusterId: temporal.clusterId,
    taskQueue: session.taskQueue,
    blobs: session.blobs,
    stateDirectory: session.stateDirectory,
    cacheDirectory: session.cacheDirectory,
    environment: session.env,
    log,
  });
  // Whoever follows a run looks at `running`; until then a failure must not end the process.
  worker.running.catch(() => undefined);
  return {
    running: worker.running,
    async close() {
      try {
        await worker.shutdown();
      } finally {
        await nativeConnection.close();
      }
    },
  };
}
