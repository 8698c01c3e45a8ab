import { readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';

/** CPU seconds a process has used so far. */
export interface CpuTime {
  readonly own: number;
  /** Of its children that have ended and been waited for, with theirs. */
  readonly children: number;
}

/** Clock ticks a second in /proc: 100 on every Linux that Node runs on. */
const TICKS = 100;

/** By the process table; none for a process that has ended. */
export function cpuTime(pid: number): CpuTime {
  const fields = statFields(`/proc/${pid}/stat`);
  const sum = (first: number): number => (Number(fields?.[first] ?? 0) + Number(fields?.[first + 1] ?? 0)) / TICKS;
  return { own: sum(11), children: sum(13) };
}

/** CPU seconds in which any processor of this machine has worked so far. */
export function machineCpuTime(): number {
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0] =
    /^cpu +(.*)$/m
      .exec(read('/proc/stat') ?? '')?.[1]
      ?.split(' ')
      .map(Number) ?? [];
  return (user + nice + system + irq + softirq) / TICKS;
}

/** CPU seconds of each thread so far, summed by the thread's name. */
export function threadTimes(pid: number): ReadonlyMap<string, number> {
  const times = new Map<string, number>();
  for (const thread of list(`/proc/${pid}/task`)) {
    const fields = statFields(`/proc/${pid}/task/${thread}/stat`);
    const name = read(`/proc/${pid}/task/${thread}/comm`)?.trim();
    if (fields === undefined || name === undefined) continue;
    const time = (Number(fields[11]) + Number(fields[12])) / TICKS;
    times.set(name, (times.get(name) ?? 0) + time);
  }
  return times;
}

/** Processes that a process has started and not yet waited for, with their command lines. */
export function childrenOf(pid: number): ListedProcess[] {
  return processes().filter((one) => Number(statFields(`/proc/${one.pid}/stat`)?.[1]) === pid);
}

export interface ListedProcess {
  readonly pid: number;
  readonly command: string;
}

/** All processes of this machine. */
export function processes(): ListedProcess[] {
  return list('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((name) => ({ pid: Number(name), command: (read(`/proc/${name}/cmdline`) ?? '').replaceAll('\0', ' ') }));
}

/** Undefined for a process that has ended or may not be asked. */
export function workingFolder(pid: number): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/cwd`);
  } catch {
    return undefined;
  }
}

/** Forgets the greatest memory so far, so that `peakMemory` tells of what comes. Where that is refused it does not. */
export function resetPeakMemory(pid: number): void {
  try {
    writeFileSync(`/proc/${pid}/clear_refs`, '5');
  } catch {
    // Another user's, or it has ended: the peak is then that of its whole life.
  }
}

/** Greatest resident memory of a process, in megabytes. */
export function peakMemory(pid: number): number {
  return megabytes(read(`/proc/${pid}/status`), 'VmHWM');
}

/** Memory that could be given to programs on this machine, in megabytes. */
export function availableMemory(): number {
  return megabytes(read('/proc/meminfo'), 'MemAvailable');
}

function megabytes(text: string | undefined, name: string): number {
  return Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(text ?? '')?.[1] ?? 0) / 1024;
}

/** The fields after the name, which is in parentheses and may hold anything: state, parent, ... */
function statFields(path: string): string[] | undefined {
  const stat = read(path);
  return stat?.slice(stat.lastIndexOf(')') + 2).split(' ');
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined; // It has ended.
  }
}

function list(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}
