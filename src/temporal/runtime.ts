import type { LogEntry, LogLevel } from '@temporalio/worker';

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
 * Sets up the process's one Temporal runtime, before anything of the SDK makes one with its defaults: errors only, on
 * standard error, signals left to the command that runs. The first call decides.
 */
export function installRuntime(settings: RuntimeSettings = {}): Promise<void> {
  // Who comes second waits too: a connection made before the first is done would make a runtime with the defaults.
  installing ??= install(settings);
  return installing;
}

async function install({ log, metricsAddress }: RuntimeSettings): Promise<void> {
  const { DefaultLogger, Runtime } = await import('@temporalio/worker');
  const level = (log?.level.toUpperCase() ?? 'ERROR') as LogLevel;
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

function writeError({ level, message }: LogEntry): void {
  process.stderr.write(`temporal ${level.toLowerCase()}: ${message}\n`);
}
