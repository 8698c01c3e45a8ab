import { errorMessage } from '../domain/error-message.ts';
import { EXIT_DONE, EXIT_FAILED } from './exit-codes.ts';
import type { Queue } from '../temporal/worker-options.ts';
import type { WorkerVersion } from '../worker.ts';
import { hostWorker, type HostedWorker } from './host-worker.ts';
import { catchInterrupts, type Interrupts } from './interrupts.ts';
import type { Io } from './io.ts';
import { prepareMonitoring, type Monitoring, type MonitoringOptions } from './monitoring.ts';
import type { TalkOptions, TemporalOptions } from './options.ts';
import { CommandError } from './report-error.ts';
import { withSession } from './session.ts';

export interface WorkOptions extends TemporalOptions, TalkOptions, Omit<MonitoringOptions, 'logLevel'> {
  readonly logLevel?: MonitoringOptions['logLevel'];
  readonly only?: readonly Queue[];
  readonly maxModels?: number;
  readonly maxModelsPerSecond?: number;
  readonly maxSandboxes?: number;
  readonly maxWorkflowTasks?: number;
  readonly buildId?: string;
  readonly deployment?: string;
  readonly versioning?: 'auto-upgrade' | 'pinned';
  /** Seconds. */
  readonly drain: number;
  readonly traceFile?: string;
  readonly tools?: readonly string[];
}

/** `rlm worker`: works for a Temporal server that runs already, until it is asked to stop. */
export function work(io: Io, options: WorkOptions): Promise<number> {
  return withSession(io, options, async (session) => {
    const level = options.quiet === true ? 'warn' : options.verbose === true ? 'debug' : 'info';
    const version = versionOf(options);
    const interrupts = catchInterrupts();
    try {
      const found = await session.findTemporal();
      if (found === undefined)
        throw new CommandError(
          'No Temporal server runs here and none is named: start one with rlm up, or give --address.',
        );
      const { temporal } = found;
      const monitoring = await prepareMonitoring(io, session, { logLevel: level, ...options });
      const { address, namespace } = temporal;
      const {
        only,
        maxModels: models,
        maxModelsPerSecond: modelsPerSecond,
        maxSandboxes: sandboxes,
        maxWorkflowTasks: workflowTasks,
      } = options;
      const worker = await hostWorker(session, temporal, (line) => monitoring.log.write('info', line), {
        ...(only === undefined ? {} : { queues: [...new Set(only)] }),
        ...(version === undefined ? {} : { version }),
        concurrency: { models, modelsPerSecond, sandboxes, workflowTasks },
        autoscaling: true,
        drain: options.drain,
        listeners: monitoring.listeners,
        traceFile: options.traceFile,
        toolFiles: options.tools,
      });
      try {
        await monitoring.watch(worker, temporal);
        const fields = {
          address,
          namespace,
          task_queue: session.taskQueue,
          host: worker.host,
          ...(only === undefined ? {} : { only }),
          ...(version === undefined ? {} : { deployment: version.deployment, build_id: version.buildId }),
        };
        monitoring.log.write('info', 'working', fields);
        return await untilStopped(worker, monitoring, { interrupts, drain: options.drain });
      } finally {
        await worker.close().catch(() => undefined);
        await monitoring.close();
      }
    } finally {
      interrupts.close();
    }
  });
}

function versionOf({ buildId, deployment, versioning }: WorkOptions): WorkerVersion | undefined {
  if (buildId === undefined) {
    if (deployment === undefined && versioning === undefined) return undefined;
    throw new CommandError('--deployment and --versioning go with --build-id: give that as well, or leave them out.');
  }
  const behavior = versioning === 'pinned' ? 'PINNED' : 'AUTO_UPGRADE';
  return { deployment: deployment ?? 'durable-rlm', buildId, behavior };
}

async function untilStopped(
  worker: HostedWorker,
  { log, draining }: Monitoring,
  { interrupts, drain }: { interrupts: Interrupts; drain: number },
): Promise<number> {
  const failed = worker.running.then(
    () => new Promise<never>(() => undefined),
    (error: unknown) => {
      throw new CommandError(`The worker failed: ${errorMessage(error)}`, EXIT_FAILED);
    },
  );
  const signal = await Promise.race([interrupts.next(), failed]);
  draining();
  log.write('info', 'draining', { signal, seconds: drain });
  const hurried = interrupts.next().then(() => {
    log.write('warn', 'ending at once: what was under way is tried again by other workers');
    // Whatever still runs is left as a crash would leave it.
    process.exit(EXIT_FAILED);
  });
  const closed = worker.close();
  await Promise.race([closed, hurried]);
  log.write('info', 'stopped');
  return EXIT_DONE;
}
