import type { SandboxLabels } from '../provider.ts';
import { SandboxRecords } from './records.ts';
import { isRunning } from './starting.ts';

/** A sandbox of this host as it is found on disk. */
export interface FoundSandbox {
  readonly id: string;
  /** Undefined where its record was lost in a crash of the machine. */
  readonly labels: SandboxLabels | undefined;
  /** Milliseconds since the epoch at which its making began. */
  readonly created: number | undefined;
  /** half-made: it is being made, or its making was cut off. ended: its processes are gone. */
  readonly state: 'running' | 'half-made' | 'ended';
}

/** Every sandbox of this user on this host, whosever it is. Changes nothing. */
export async function lookAtSandboxes(stateDirectory: string): Promise<FoundSandbox[]> {
  const records = new SandboxRecords(stateDirectory);
  return (await records.names()).map((id) => {
    const record = records.read(id);
    const state = record?.running === undefined ? 'half-made' : isRunning(record) ? 'running' : 'ended';
    const created = record === undefined ? undefined : Date.parse(record.created);
    return { id, labels: record?.labels, created, state };
  });
}
