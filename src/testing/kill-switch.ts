import { readFileSync, renameSync, writeFileSync } from 'node:fs';

/** One planned end: the process kills itself the `after`-th time it reaches `point`. */
export interface PlannedKill {
  readonly point: string;
  /** 1: the first time. */
  readonly after: number;
  /** Default `SIGKILL`. `SIGSTOP` holds the process there, for somebody else to do what is planned and let it go on. */
  readonly signal?: 'SIGKILL' | 'SIGSTOP';
}

/**
 * For tests of durability: ends this very process with SIGKILL at named points, as a crash would. The plan is a JSON
 * file with a list of kills; each is taken off the list just before it strikes, so the next process goes on with the rest.
 */
export function createKillSwitch(file: string): (point: string) => void {
  const seen = new Map<string, number>();
  return (point) => {
    const count = (seen.get(point) ?? 0) + 1;
    seen.set(point, count);
    const plan = JSON.parse(readFileSync(file, 'utf8')) as PlannedKill[];
    const [next, ...rest] = plan;
    if (next === undefined || next.point !== point || next.after > count) return;
    writeFileSync(`${file}.next`, JSON.stringify(rest));
    renameSync(`${file}.next`, file);
    process.kill(process.pid, next.signal ?? 'SIGKILL');
  };
}
