import type { LogEntry } from '@temporalio/worker';
import { errorMessage } from '../domain/error-message.ts';
import { createLog, fieldsOfWorkflow, logEvents, type Log, type LogFormat, type LogLevel } from '../telemetry/log.ts';
import { healthRoutes } from '../telemetry/health.ts';
import { createMetrics } from '../telemetry/metrics.ts';
import { freeLoopbackPort, metricsRoute } from '../telemetry/metrics-route.ts';
import { startMonitoringServer, type MonitoringServer, type Route } from '../telemetry/monitoring-server.ts';
import type { Listener } from '../telemetry/events.ts';
import type { TemporalConnection } from '../temporal/connection.ts';
import { installRuntime } from '../temporal/runtime.ts';
import type { HostedWorker } from './host-worker.ts';
import { say, type Io } from './io.ts';
import { CommandError } from './report-error.ts';
import type { Session } from './session.ts';

export interface MonitoringOptions {
  readonly metricsPort?: number;
  readonly metricsAddress: string;
  readonly healthPort?: number;
  readonly healthAddress: string;
  readonly logFormat: LogFormat;
  readonly logLevel: LogLevel;
}

/** What a worker is looked at by: logs, metrics, and whether it is well. */
export interface Monitoring {
  readonly log: Log;
  readonly listeners: readonly Listener[];
  /** Begins to serve what is to be served. @throws CommandError for a port that cannot be had */
  watch(worker: HostedWorker, temporal: TemporalConnection): Promise<void>;
  /** The worker has been asked to stop. */
  readonly draining: () => void;
  close(): Promise<void>;
}

/** Before anything of Temporal's SDK is used: its runtime is set up once in a process. */
export async function prepareMonitoring(io: Io, session: Session, options: MonitoringOptions): Promise<Monitoring> {
  const { logFormat: format, logLevel: level, metricsPort, healthPort } = options;
  const log = createLog({ format, level, env: session.env, writeLine: (line) => say(io, line) });
  const metrics = metricsPort === undefined ? undefined : createMetrics();
  const temporalMetrics = metrics === undefined ? undefined : `127.0.0.1:${await freeLoopbackPort()}`;
  await installRuntime({
    log: { level, write: (entry) => writeEntry(log, entry) },
    ...(temporalMetrics === undefined ? {} : { metricsAddress: temporalMetrics }),
  });
  const servers: MonitoringServer[] = [];
  let isDraining = false;

  async function watch(worker: HostedWorker, temporal: TemporalConnection): Promise<void> {
    metrics?.observe(worker.levels);
    const health = healthRoutes({
      problems: worker.problems,
      isDraining: () => isDraining,
      askServer: async (milliseconds) => {
        await temporal.connection.withDeadline(Date.now() + milliseconds, () =>
          temporal.connection.workflowService.describeNamespace({ namespace: temporal.namespace }),
        );
      },
    });
    const numbers =
      metrics === undefined || temporalMetrics === undefined
        ? {}
        : { '/metrics': metricsRoute(metrics, temporalMetrics) };
    const { metricsAddress, healthAddress } = options;
    const isOne = metricsPort === healthPort && metricsAddress === healthAddress;
    if (metricsPort !== undefined)
      servers.push(await serve(metricsAddress, metricsPort, { ...numbers, ...(isOne ? health : {}) }));
    if (healthPort !== undefined && !isOne) servers.push(await serve(healthAddress, healthPort, health));
    for (const { address, port, paths } of servers) log.write('info', 'serving', { address, port, paths });
  }

  return {
    log,
    listeners: [logEvents(log), ...(metrics === undefined ? [] : [metrics.listen])],
    watch,
    draining() {
      isDraining = true;
    },
    async close() {
      await Promise.all(servers.map((server) => server.close()));
    },
  };
}

async function serve(
  address: string,
  port: number,
  routes: Readonly<Record<string, Route>>,
): Promise<MonitoringServer> {
  try {
    return await startMonitoringServer({ address, port, routes });
  } catch (error) {
    const why = errorMessage(error);
    throw new CommandError(
      `${Object.keys(routes).join(' and ')} cannot be served on ${address}:${port}: ${why}. Choose another port.`,
    );
  }
}

/** Fields of Temporal's that say nothing to a reader of runs and agents. */
const LEFT_OUT = new Set(['workflowId', 'runId', 'workflowType', 'sdkComponent', 'namespace', 'isLocal', 'activityId']);

/** What the SDK has to say, with run and agent in the place of workflow ids. */
function writeEntry(log: Log, { level, message, meta = {} }: LogEntry): void {
  const { error, ...rest } = meta as Readonly<Record<string, unknown>>;
  const kept = Object.entries(rest).filter(([name]) => !LEFT_OUT.has(name));
  const why =
    error instanceof Error ? { error: error.message } : error === undefined ? {} : { error: JSON.stringify(error) };
  const ofLog = level === 'TRACE' ? 'debug' : (level.toLowerCase() as LogLevel);
  log.write(ofLog, message, { ...fieldsOfWorkflow(rest['workflowId']), ...Object.fromEntries(kept), ...why });
}
