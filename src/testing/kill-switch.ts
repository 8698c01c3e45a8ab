import { subscribe } from 'node:diagnostics_channel';
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
 * file with a list of kills; each is taken off the list just before it strikes, so the next process continues with the rest.
 */
function killAt(file: string): void {
  const seen = new Map<string, number>();
  subscribe('durable-rlm:checkpoint', (point) => {
    const count = (seen.get(String(point)) ?? 0) + 1;
    seen.set(String(point), count);
    const plan = JSON.parse(readFileSync(file, 'utf8')) as PlannedKill[];
    const [next, ...rest] = plan;
    if (next === undefined || next.point !== point || next.after > count) return;
    writeFileSync(`${file}.next`, JSON.stringify(rest));
    renameSync(`${file}.next`, file);
    process.kill(process.pid, next.signal ?? 'SIGKILL');
  });
}

/**
 * The environment of a process that ends itself by a plan: it loads this module first.
 *
 * @param plan - path of the plan
 */
export function killSwitchEnvironment(plan: string): Readonly<Record<string, string>> {
  return { NODE_OPTIONS: `--import=${import.meta.url}`, DURABLE_RLM_TEST_KILL: plan };
}

const plan = process.env['DURABLE_RLM_TEST_KILL'];
if (plan !== undefined) killAt(plan);
