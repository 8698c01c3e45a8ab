import type { LogEntry, LogLevel } from '@temporalio/worker';
import { errorMessage } from '../domain/error-message.ts';

export interface RuntimeSettings {
  /** Takes what the SDK, and workflows and activities through it, have to log. Default: errors, on standard error. */
  readonly log?: {
    readonly level: 'debug' | 'info' | 'warn' | 'error';
    readonly write: (entry: LogEntry) => void;
  };
  /** `host:port` where the SDK's core serves its metrics for Prometheus. Default: nowhere. */
  readonly metricsAddress?: string;
}

let installing: Promise<void> | undefined;

/**
 * Sets up the process's one Temporal runtime, before anything of the SDK makes one with its defaults: errors, and why a
 * workflow does not get on, on standard error, signals left to the command that runs. The first call decides.
 */
export function installRuntime(settings: RuntimeSettings = {}): Promise<void> {
  // Who comes second waits too: a connection made before the first is done would make a runtime with the defaults.
  installing ??= install(settings);
  return installing;
}

async function install({ log, metricsAddress }: RuntimeSettings): Promise<void> {
  const { DefaultLogger, Runtime } = await import('@temporalio/worker');
  const level = (log?.level.toUpperCase() ?? 'WARN') as LogLevel;
  const write = log?.write ?? writeError;
  Runtime.install({
    logger: new DefaultLogger(level, write),
    telemetryOptions: {
      // By itself the SDK's core writes to standard output, in the middle of what a command prints there.
      logging: { forward: {}, filter: { core: level === 'INFO' ? 'WARN' : level, other: 'ERROR' } },
      ...(metricsAddress === undefined
        ? {}
        : { metrics: { prometheus: { bindAddress: metricsAddress, countersTotalSuffix: true, unitSuffix: true } } }),
    },
    shutdownSignals: [],
  });
}

/** The core's warning of a workflow task that is tried again and again. */
const FAILED_TASK = /^failing workflow task/i;

/** Errors, and why a workflow does not get on; of other warnings most pass by themselves. */
function writeError({ level, message, meta }: LogEntry): void {
  if (level !== 'ERROR' && !FAILED_TASK.test(message)) return;
  const { error = reasonOf(meta), workflowId } = (meta ?? {}) as Readonly<Record<string, unknown>>;
  const of = typeof workflowId === 'string' ? ` (${workflowId})` : '';
  const why = error === undefined ? '' : `: ${errorMessage(error)}`;
  process.stderr.write(`temporal ${level.toLowerCase()}: ${message}${of}${why}\n`);
}

/** The message of a failure, as the core writes it. */
function reasonOf(meta: Readonly<Record<string, unknown>> | undefined): string | undefined {
  const text = typeof meta?.['failure'] === 'string' ? meta['failure'] : undefined;
  return text === undefined ? undefined : (/message: "((?:[^"\\]|\\.)*)"/.exec(text)?.[1] ?? text);
}
