import { bootId, identify, isAlive } from '../host/processes.ts';
import type { KernelConnections } from './kernel-connections.ts';
import type { Launcher } from './launcher.ts';
import type { SandboxPlan } from './plan.ts';
import type { SandboxRecord, SandboxRecords } from './records.ts';
import type { SandboxNetworks } from './sandbox-networks.ts';

/** Starts what was planned; its record is complete when its kernel has answered. */
export async function startSandbox(
  how: {
    readonly launcher: Launcher;
    readonly records: SandboxRecords;
    readonly connections: KernelConnections;
    readonly networks: SandboxNetworks;
  },
  plan: SandboxPlan,
  signal: AbortSignal | undefined,
): Promise<SandboxRecord> {
  const { launcher, records, connections } = how;
  await records.create(plan.record);
  await how.networks.open({
    id: plan.record.id,
    folder: records.folder(plan.record.id),
    hosts: plan.record.network ?? [],
  });
  signal?.throwIfAborted();
  const started = await abortable(launcher.start(await plan.prepare(signal)), signal);
  const child = identify(started.pid);
  const launch = identify(started.launch);
  if (child === undefined || launch === undefined)
    throw new Error((await abortable(started.exited, signal)).stderr || 'it ended at once');
  const record: SandboxRecord = { ...plan.record, running: { child, launch } };
  const kernel = connections.open(record.id);
  const answered = kernel.info();
  // Whichever comes first: its first answer, or its end with the reason on its standard error.
  const failed = started.exited.then((exit) => {
    throw new Error(exit.stderr.trim() || `it ended with exit code ${exit.code}`);
  });
  failed.catch(() => undefined);
  answered.catch(() => undefined);
  await abortable(Promise.race([answered, failed]), signal);
  await records.replace(record);
  return record;
}

export function isRunning(record: SandboxRecord): boolean {
  return record.running !== undefined && record.boot === bootId() && isAlive(record.running.child);
}

function abortable<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return work;
  const aborted = Promise.withResolvers<never>();
  const stop = (): void => aborted.reject(signal.reason);
  if (signal.aborted) stop();
  signal.addEventListener('abort', stop, { once: true });
  return Promise.race([work, aborted.promise]).finally(() => signal.removeEventListener('abort', stop));
}
