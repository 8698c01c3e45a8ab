import { syncBuiltinESMExports } from 'node:module';
import { fileURLToPath } from 'node:url';
import workerThreads, { type WorkerOptions } from 'node:worker_threads';

let installed = false;

/**
 * Sets up the process's one Temporal runtime, before anything of the SDK makes one with its defaults: errors only, on
 * standard error, signals left to the command that runs, and quick workflow threads.
 */
export async function installRuntime(): Promise<void> {
  if (installed) return;
  installed = true;
  quickenWorkflowThreads();
  const { DefaultLogger, Runtime } = await import('@temporalio/worker');
  Runtime.install({
    logger: new DefaultLogger('ERROR', ({ level, message }) => {
      process.stderr.write(`temporal ${level.toLowerCase()}: ${message}\n`);
    }),
    // By itself the SDK's core writes to standard output, in the middle of what a command prints there.
    telemetryOptions: { logging: { forward: {}, filter: 'ERROR' } },
    shutdownSignals: [],
  });
}

const FIRST_IN_THREAD = fileURLToPath(new URL('workflow-thread.cjs', import.meta.url));

/** The SDK has no option for what `workflow-thread.cjs` does, so it is made the first module of its threads. */
function quickenWorkflowThreads(): void {
  const { Worker } = workerThreads;
  workerThreads.Worker = class extends Worker {
    constructor(file: string | URL, options: WorkerOptions = {}) {
      const isWorkflowThread = String(file).includes('workflow-worker-thread');
      super(file, isWorkflowThread ? { ...options, execArgv: ['--require', FIRST_IN_THREAD] } : options);
    }
  };
  syncBuiltinESMExports();
}
