import { existsSync, readdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { AgentReference } from '../../src/domain/records.ts';
import type { SandboxRecord } from '../../src/sandbox/local/records.ts';
import { childrenOf, isStopped, signal } from './processes.ts';
import type { Scene } from './scene.ts';
import { KILLS, type Fault, type Kind, type Place } from './schedule.ts';

/** What was done to a run. */
export interface Strike {
  readonly place: Place;
  readonly kind: Kind;
  readonly isKill: boolean;
  /** When it was done, or over where it lasted: recovery is counted from here. Milliseconds since the epoch. */
  readonly at: number;
  readonly detail: string;
}

/** Milliseconds in which a run must come to the place. */
const PATIENCE = 10_000;

/** Brings a run to the place and strikes. @returns undefined where the run did not come there */
export async function strike(scene: Scene, fault: Fault, hit: Set<string>): Promise<Strike | undefined> {
  if (fault.place === 'in a rebuild' && !(await loseSandbox(scene, fault.chance, hit))) return undefined;
  const arrival = await arrive(scene, fault);
  if (arrival === undefined || scene.result() !== undefined) return undefined;
  scene.look();
  const { held } = arrival;
  const release = (): void => {
    if (held !== undefined) signal(held, 'SIGCONT');
  };
  const done = await perform(scene, fault, { hit, held, release });
  release();
  if (done === undefined) return undefined;
  const isKill = (KILLS as readonly Kind[]).includes(fault.kind);
  const where = fault.moment.point === undefined ? '' : `${fault.moment.point}+${fault.moment.wait} ms: `;
  return { place: fault.place, kind: fault.kind, isKill, at: done.at, detail: `${where}${done.detail}` };
}

async function arrive(scene: Scene, { place, moment }: Fault): Promise<{ held: number | undefined } | undefined> {
  const { point, after, wait } = moment;
  if (point !== undefined) {
    const held = await scene.hold({ point, after }, PATIENCE);
    if (held === undefined) return undefined;
    if (wait === 0) return { held };
    signal(held, 'SIGCONT');
    await delay(wait);
    return { held: undefined };
  }
  if (place === 'cloning a repository' && !(await until(scene, () => isCloning(scene), 1))) return undefined;
  if (place === 'in a fan-out' && !(await until(scene, () => fansOut(scene), 20))) return undefined;
  await delay(wait);
  return { held: undefined };
}

async function until(scene: Scene, condition: () => boolean, interval: number): Promise<boolean> {
  const deadline = Date.now() + PATIENCE;
  while (!condition()) {
    if (scene.result() !== undefined || Date.now() > deadline) return false;
    await delay(interval);
  }
  return true;
}

/** Something is half-made among the checkouts or repositories, by a process that lives. */
function isCloning({ desk }: Scene): boolean {
  return ['checkouts', 'repositories'].some((kind) => {
    const folder = join(desk.env['DURABLE_RLM_CACHE'] ?? '', kind);
    return existsSync(folder) && readdirSync(folder).some((name) => /^\.[a-z]+-\d+-\d+-[0-9a-f]{16}$/.test(name));
  });
}

/** Several agents below the root are at work. */
function fansOut({ progress }: Scene): boolean {
  const working = progress.agents().filter(({ agent, state }) => agent !== '0' && state !== 'done');
  return working.length >= 3;
}

interface Circumstances {
  readonly hit: Set<string>;
  readonly held: number | undefined;
  readonly release: () => void;
}

interface Done {
  readonly at: number;
  readonly detail: string;
}

const now = (detail: string): Done => ({ at: Date.now(), detail });

async function perform(scene: Scene, fault: Fault, how: Circumstances): Promise<Done | undefined> {
  switch (fault.kind) {
    case 'worker':
    case 'server':
    case 'supervisor':
    case 'repl':
    case 'launcher':
      return kill(scene, fault, how);
    default:
      return disturb(scene, fault, how);
  }
}

function kill(scene: Scene, { kind, chance }: Fault, { hit }: Circumstances): Done | undefined {
  if (kind === 'worker') {
    if (scene.workers().length === 0) return undefined;
    scene.killWorker();
    const done = now(scene.manner);
    begin(scene);
    return done;
  }
  if (kind === 'server') return ended(scene.server(), 'SIGKILL');
  if (kind === 'launcher') return ended(scene.launchers()[0], 'SIGKILL');
  // One that waits for a sub-agent would, its block having ended, start it anew: another tree than the undisturbed.
  const sandbox = chooseSandbox(scene, chance, hit, kind === 'repl' ? isLeafAtWork : () => true);
  const supervisor = sandbox?.running?.child.pid;
  const victim = kind === 'repl' && supervisor !== undefined ? childrenOf(supervisor)[0] : supervisor;
  return ended(victim, 'SIGKILL', sandbox?.id);
}

async function disturb(scene: Scene, { kind, chance }: Fault, how: Circumstances): Promise<Done | undefined> {
  switch (kind) {
    case 'stop worker':
      return pause(how.held ?? scene.workers()[0], 500 + chance * 8000);
    case 'stop server':
      how.release();
      return pause(scene.server(), 500 + chance * 4000);
    case 'stop supervisor':
      how.release();
      return pause(chooseSandbox(scene, chance, new Set(), () => true)?.running?.child.pid, 500 + chance * 5000);
    case 'restart server':
      return ended(scene.server(), 'SIGTERM');
    case 'restart worker':
      return restartWorker(scene, how);
    case 'stale worker':
      return makeStale(scene, how);
    case 'cut model':
      how.release();
      return now(`${scene.proxy.cut()} connections`);
    case 'refuse model':
      how.release();
      scene.proxy.refuse(3000 * chance);
      return now(`${scene.proxy.cut()} connections, refused for ${Math.round(3000 * chance)} ms`);
    case 'delay model':
      how.release();
      scene.proxy.delay(3000 * chance);
      return now(`${Math.round(3000 * chance)} ms`);
    case 'fill disk':
      how.release();
      return fillDisk(scene, chance);
    default:
      throw new Error(`not a disturbance: ${kind}`);
  }
}

/** What a command has to say when it fails is looked at when the run is over. */
function begin(scene: Scene): void {
  void scene.begin().catch((error: unknown) => console.error(`  ${String(error)}`));
}

function ended(pid: number | undefined, name: NodeJS.Signals, detail = ''): Done | undefined {
  return pid !== undefined && signal(pid, name) ? now(detail === '' ? `pid ${pid}` : detail) : undefined;
}

async function pause(pid: number | undefined, milliseconds: number): Promise<Done | undefined> {
  if (pid === undefined || !signal(pid, 'SIGSTOP')) return undefined;
  await delay(milliseconds);
  signal(pid, 'SIGCONT');
  return now(`for ${Math.round(milliseconds)} ms`);
}

/** A worker asked to end hands its work over; the same command continues it. */
async function restartWorker(scene: Scene, { held, release }: Circumstances): Promise<Done | undefined> {
  const pid = held ?? scene.workers()[0];
  if (pid === undefined || !signal(pid, 'SIGTERM')) return undefined;
  release();
  await until(scene, () => !scene.workers().includes(pid), 20);
  const done = now('SIGTERM');
  if (scene.result() === undefined && scene.manner === 'detached') begin(scene);
  return done;
}

/** Stopped for so long that its work is another's by now; then it continues where it stood. */
async function makeStale(scene: Scene, { held }: Circumstances): Promise<Done | undefined> {
  const pid = held ?? scene.workers()[0];
  if (pid === undefined || !signal(pid, 'SIGSTOP')) return undefined;
  await until(scene, () => isStopped(pid), 5);
  const stopped = Date.now();
  begin(scene);
  await until(scene, () => (scene.progress.times.at(-1) ?? 0) > stopped + 200, 20);
  const recovered = scene.progress.times.find((time) => time > stopped);
  signal(pid, 'SIGCONT');
  return { at: stopped, detail: `another took over after ${Math.round((recovered ?? stopped) - stopped)} ms` };
}

/** Everything on the state folder's file system that is still free is taken, for a while. */
async function fillDisk({ desk }: Scene, chance: number): Promise<Done> {
  const filler = join(desk.state, 'filler');
  const { bavail, bsize } = statfsSync(desk.state);
  try {
    writeFileSync(filler, Buffer.alloc(bavail * bsize));
  } catch {
    // Somebody was faster with the last bytes: it is full.
  }
  const seconds = chance < 0.5 ? 3 + chance * 10 : 25 + chance * 10;
  await delay(seconds * 1000);
  rmSync(filler, { force: true });
  return now(`full for ${Math.round(seconds)} s`);
}

/** Each agent's once in a run: one that is lost twice at the same block ends, as it is promised to. */
function chooseSandbox(
  scene: Scene,
  chance: number,
  hit: Set<string>,
  fits: (agent: AgentReference) => boolean,
): SandboxRecord | undefined {
  const agents = new Map(scene.progress.agents().map((reference) => [reference.agent, reference]));
  const choices = scene.sandboxes().filter(({ spare, labels: { agent } }) => {
    const reference = agents.get(agent);
    return spare === undefined && reference !== undefined && !hit.has(agent) && fits(reference);
  });
  const choice = choices[Math.floor(chance * choices.length)];
  if (choice !== undefined) hit.add(choice.labels.agent);
  return choice;
}

function isLeafAtWork({ task, state, iteration }: AgentReference): boolean {
  // In its first block, which computes for a while: of one that ends between two blocks only the variables are lost.
  return (
    state === 'running' && iteration === 1 && (/Look closely/.test(task) || /Inspect part (1[5-9]|2\d) /.test(task))
  );
}

/** It will need its sandbox again. */
function isInTheMiddle({ agent, state, task }: AgentReference): boolean {
  return state === 'waiting' || (state === 'thinking' && (agent === '0' || task.startsWith('Inspect')));
}

async function loseSandbox(scene: Scene, chance: number, hit: Set<string>): Promise<boolean> {
  let lost: SandboxRecord | undefined;
  const found = await until(scene, () => (lost = chooseSandbox(scene, chance, hit, isInTheMiddle)) !== undefined, 20);
  return found && lost?.running !== undefined && signal(lost.running.child.pid, 'SIGKILL');
}
