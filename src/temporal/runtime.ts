import type { LogEntry, LogLevel, RuntimeOptions } from '@temporalio/worker';
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
 * workflow does not get on, on standard error, signals left to the command that runs. The first call decides,
 * and a program that has one already keeps it.
 */
export function installRuntime(settings: RuntimeSettings = {}): Promise<void> {
  // Who comes second waits too: a connection made before the first is done would make a runtime with the defaults.
  installing ??= install(settings);
  return installing;
}

async function install({ log, metricsAddress }: RuntimeSettings): Promise<void> {
  const [{ DefaultLogger, Runtime }, { IllegalStateError }] = await Promise.all([
    import('@temporalio/worker'),
    import('@temporalio/common'),
  ]);
  const level = (log?.level.toUpperCase() ?? 'WARN') as LogLevel;
  const write = log?.write ?? writeError;
  const options: RuntimeOptions = {
    logger: new DefaultLogger(level, write),
    telemetryOptions: {
      // By itself the SDK's core writes to standard output, in the middle of what a command prints there.
      logging: { forward: {}, filter: { core: level === 'INFO' ? 'WARN' : level, other: 'ERROR' } },
      ...(metricsAddress === undefined
        ? {}
        : { metrics: { prometheus: { bindAddress: metricsAddress, countersTotalSuffix: true, unitSuffix: true } } }),
    },
    shutdownSignals: [],
  };
  try {
    Runtime.install(options);
  } catch (error) {
    // The program that this runs in uses Temporal itself, and set up its runtime before: that one serves both.
    if (!(error instanceof IllegalStateError)) throw error;
  }
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
