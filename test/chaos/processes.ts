import { readdirSync, readFileSync } from 'node:fs';
import { identify, isAlive, type ProcessIdentity } from '../../src/sandbox/host/processes.ts';

/** The processes that a process started and that still are its own. */
export function childrenOf(pid: number): number[] {
  return allProcesses().filter((candidate) => fieldsOf(candidate)?.[1] === String(pid));
}

/** All that a process started, with itself: for finding later what has outlived it. */
export function familyOf(pid: number): ProcessIdentity[] {
  const parents = new Map(allProcesses().map((each) => [each, Number(fieldsOf(each)?.[1])]));
  const family = new Set([pid]);
  for (let grew = true; grew;) {
    const before = family.size;
    for (const [child, parent] of parents) if (family.has(parent)) family.add(child);
    grew = family.size > before;
  }
  return [...family].map(identify).filter((identity) => identity !== undefined);
}

/** Stopped by SIGSTOP. */
export function isStopped(pid: number): boolean {
  return fieldsOf(pid)?.[0] === 'T';
}

export function commandLine(pid: number): string {
  return textOf(pid, 'cmdline').replaceAll('\0', ' ').trim();
}

/** Processes whose command line or first environment has the text, and those of a list that still live. */
export function processesLeft(text: string, seen: readonly ProcessIdentity[]): string[] {
  const naming = allProcesses().filter(
    (pid) => pid !== process.pid && (textOf(pid, 'cmdline').includes(text) || textOf(pid, 'environ').includes(text)),
  );
  const alive = seen.filter(isAlive).map(({ pid }) => pid);
  return [...new Set([...naming, ...alive])].map((pid) => `process ${pid}: ${commandLine(pid).slice(0, 160)}`);
}

/** False when it has ended. */
export function signal(pid: number, name: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, name);
  } catch {
    return false;
  }
}

function allProcesses(): number[] {
  return readdirSync('/proc').map(Number).filter(Number.isInteger);
}

/** State, parent, ...; the name before them may hold anything. */
function fieldsOf(pid: number): string[] | undefined {
  const stat = textOf(pid, 'stat');
  return stat === '' ? undefined : stat.slice(stat.lastIndexOf(')') + 2).split(' ');
}

function textOf(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'latin1');
  } catch {
    return ''; // It has ended.
  }
}
