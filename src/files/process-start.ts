import { readFileSync } from 'node:fs';

/**
 * When a process started, in clock ticks from boot: its number may have been given to another since. Undefined when there
 * is none of this number, or it has ended and waits to be collected. Linux only.
 */
export function processStart(pid: number): string | undefined {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch {
    return undefined;
  }
  // The second field, the name in parentheses, may hold anything.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields[0] === 'Z' || fields[0] === 'X' ? undefined : fields[19];
}
