import type { ChildProcess } from 'node:child_process';

/** Signals a child that leads a process group, and all of its group. A pid that is missing must not mean our own group. */
export function killGroup({ pid }: Pick<ChildProcess, 'pid'>, signal: NodeJS.Signals = 'SIGKILL'): void {
  if (pid === undefined || pid <= 0) throw new Error('The process was not started.');
  process.kill(-pid, signal);
}
