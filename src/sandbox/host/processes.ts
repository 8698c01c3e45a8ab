import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { processStart } from '../../files/process-start.ts';

/** A process for good: its number alone may be another's tomorrow. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Clock ticks from boot to its start. */
  readonly start: number;
}

let boot: string | undefined;

/** Changes at each boot; after it no process of a record lives. */
export function bootId(): string {
  boot ??= readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  return boot;
}

/** The process that has this number now; undefined when none has, or it has ended and waits to be collected. */
export function identify(pid: number): ProcessIdentity | undefined {
  const start = processStart(pid);
  return start === undefined ? undefined : { pid, start: Number(start) };
}

export function isAlive(identity: ProcessIdentity): boolean {
  return identify(identity.pid)?.start === identity.start;
}

/** SIGKILL, to its process group as well where it leads one. */
export function kill(identity: ProcessIdentity, group: boolean): void {
  const now = identify(identity.pid);
  // A number is not given again while a group has it: only a process that has it now may lead a stranger's group.
  if (group && (now === undefined || now.start === identity.start)) signal(-identity.pid, 'SIGKILL');
  if (isAlive(identity)) signal(identity.pid, 'SIGKILL');
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // It has ended.
  }
}

/** Resolves to those still alive after `timeoutMs`. */
export async function untilEnded(
  identities: readonly ProcessIdentity[],
  timeoutMs: number,
): Promise<ProcessIdentity[]> {
  const deadline = Date.now() + timeoutMs;
  let alive = identities.filter(isAlive);
  for (let pause = 1; alive.length > 0 && Date.now() < deadline; pause = Math.min(pause * 2, 20)) {
    await delay(pause);
    alive = alive.filter(isAlive);
  }
  return alive;
}

/** Asks it to end. */
export function terminate(identity: ProcessIdentity): void {
  if (isAlive(identity)) signal(identity.pid, 'SIGTERM');
}

export interface Marks {
  /** Texts in its command line. A sandbox's own processes cannot change what their first one shows. */
  readonly commandLine: readonly string[];
  /** Texts in the environment it was started with, where that can be read. */
  readonly environment: readonly string[];
}

/** Every process that has one of the marks. */
export function findMarked(marks: Marks): ProcessIdentity[] {
  const found: ProcessIdentity[] = [];
  for (const name of readdirSync('/proc')) {
    const pid = Number(name);
    if (!Number.isInteger(pid) || pid === process.pid) continue;
    if (!holdsOne(pid, 'cmdline', marks.commandLine) && !holdsOne(pid, 'environ', marks.environment)) continue;
    const identity = identify(pid);
    if (identity !== undefined) found.push(identity);
  }
  return found;
}

function holdsOne(pid: number, file: string, texts: readonly string[]): boolean {
  const shown = texts.length === 0 ? undefined : readText(`/proc/${pid}/${file}`);
  return shown !== undefined && texts.some((text) => shown.includes(text));
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return undefined;
  }
}
