let installed = false;

/**
 * Sets up the process's one Temporal runtime, before anything of the SDK makes one with its defaults: errors only on
 * the console, and signals left to the command that runs.
 */
export async function installRuntime(): Promise<void> {
  if (installed) return;
  installed = true;
  const { DefaultLogger, Runtime } = await import('@temporalio/worker');
  Runtime.install({ logger: new DefaultLogger('ERROR'), shutdownSignals: [] });
}
