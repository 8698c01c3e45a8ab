import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { isAlive } from '../../../src/sandbox/host/processes.ts';
import { git } from '../../e2e/world.ts';
import { closeBooks, readDocument, type Books, type RunDocument } from '../books.ts';
import { signal } from '../processes.ts';
import { openScene, type Scene, type SceneOptions } from '../scene.ts';
import { theRepository } from '../series.ts';
import type { Row } from './report.ts';
import { until } from './until.ts';

type Settings = Pick<SceneOptions, 'latency' | 'rlm' | 'sandbox'>;

interface Played<T> {
  readonly document: RunDocument;
  readonly books: Books;
  readonly seconds: number;
  /** Commands that gave up and were given again. */
  readonly complaints: readonly string[];
  readonly disturbed: T;
}

/** Seconds that a run gets to go on and to end. */
const PATIENCE = 600;

/** The tree of 41 agents whose Temporal server is killed again and again; workers start it again. */
export async function restarts(count: number, log: (line: string) => void): Promise<Row[]> {
  return withRepository(log, async (repository) => {
    const undisturbed = await play(repository, 'undisturbed', { latency: 100 }, async () => undefined);
    const settings = { latency: 2000, rlm: { max_parallel: 3 } };
    const played = await play(repository, 'restarts', settings, (scene) => killServers(scene, count), undisturbed);
    const { disturbed: recoveries, books } = played;
    const sorted = recoveries.toSorted((a, b) => a - b);
    const more =
      `next record after a kill: p50 ${inSeconds(sorted[Math.floor(sorted.length / 2)])}, ` +
      `longest ${inSeconds(sorted.at(-1))}; ${whatWasPaid(books)}`;
    return [rowOf(played, `41 agents, Temporal server killed and started again ${count} times`, more)];
  });
}

/** The same run without any worker for so long that its sandboxes end themselves. */
export async function noWorker(minutes: number, log: (line: string) => void): Promise<Row[]> {
  return withRepository(log, async (repository) => {
    const undisturbed = await play(repository, 'undisturbed', { latency: 100 }, async () => undefined);
    const idle = Math.min(60, minutes * 20);
    const settings = { latency: 300, sandbox: { idle_timeout: idle } };
    const leave = (scene: Scene): Promise<Absence> => withoutWorker(scene, minutes, log);
    const played = await play(repository, 'no-worker', settings, leave, undisturbed);
    const { disturbed, books } = played;
    if (books.rebuilds === 0) throw new Error('no sandbox was rebuilt');
    const more =
      `${disturbed.sandboxes} sandboxes ended themselves (\`sandbox.idle_timeout: ${idle}\`), ${books.rebuilds} were rebuilt; ` +
      `next record ${inSeconds(disturbed.recovery)} after the new worker was ordered; ${whatWasPaid(books)}`;
    return [rowOf(played, `41 agents, ${minutes} minutes without any worker`, more)];
  });
}

/** @returns seconds from each kill to the next record of any agent */
async function killServers(scene: Scene, count: number): Promise<number[]> {
  const recoveries: number[] = [];
  const killed = new Set<number>();
  for (let kill = 1; kill <= count; kill += 1) {
    // Anywhere between two records.
    // oxlint-disable no-await-in-loop -- one kill after another
    await delay(200 + ((kill * 617) % 1000));
    scene.look();
    const pid = scene.server();
    if (pid === undefined || killed.has(pid) || scene.result() !== undefined)
      throw new Error(`before kill ${kill} ${scene.result() === undefined ? 'no server ran' : 'the run was over'}`);
    const at = Date.now();
    signal(pid, 'SIGKILL');
    killed.add(pid);
    await until(() => nextRecord(scene, at + 1) !== undefined && ![undefined, pid].includes(scene.server()), 60);
    // oxlint-enable no-await-in-loop
    recoveries.push(((nextRecord(scene, at + 1) ?? at) - at) / 1000);
  }
  if (scene.result() !== undefined) throw new Error('the run was over with the last kill');
  return recoveries;
}

interface Absence {
  readonly sandboxes: number;
  /** Seconds from the command for a new worker to the next record. */
  readonly recovery: number;
}

async function withoutWorker(scene: Scene, minutes: number, log: (line: string) => void): Promise<Absence> {
  await until(() => scene.progress.times.length >= 80, PATIENCE);
  scene.killWorker();
  const began = Date.now();
  await delay(1000);
  const sandboxes = scene.sandboxes();
  const living = (): number =>
    sandboxes.filter(({ running }) => running !== undefined && isAlive(running.child)).length;
  const before = living();
  log(`  no worker from now on; ${before} sandboxes live`);
  await until(() => living() === 0, minutes * 60);
  log(`  no sandbox lives after ${Math.round((Date.now() - began) / 1000)} s`);
  const records = scene.progress.times.length;
  await delay(Math.max(0, began + minutes * 60_000 - Date.now()));
  if (scene.workers().length > 0 || scene.progress.times.length > records) throw new Error('somebody went on');
  const at = Date.now();
  await scene.begin();
  await until(() => nextRecord(scene, at) !== undefined, PATIENCE);
  return { sandboxes: before, recovery: ((nextRecord(scene, at) ?? at) - at) / 1000 };
}

async function play<T>(
  repository: string,
  id: string,
  settings: Settings,
  disturb: (scene: Scene) => Promise<T>,
  undisturbed?: Played<unknown>,
): Promise<Played<T>> {
  const scene = await openScene({ id, repository, manner: 'detached', pool: 0, ...settings });
  try {
    const began = performance.now();
    await scene.begin();
    const disturbed = await disturb(scene);
    await until(() => scene.result() !== undefined, PATIENCE);
    const seconds = (performance.now() - began) / 1000;
    await scene.settled();
    scene.look();
    const commit = git(repository, 'rev-parse', 'HEAD').trim();
    const books = await closeBooks(scene, commit, undisturbed?.document);
    const document = readDocument(scene);
    if (document === undefined || books.problems.length > 0)
      throw new Error(`${id} is not in order: ${[...books.problems, ...scene.complaints].join('\n')}`);
    return { document, books, seconds, complaints: [...scene.complaints], disturbed };
  } finally {
    await scene.close({ keep: false });
  }
}

function nextRecord({ progress }: Scene, after: number): number | undefined {
  return progress.times.find((time) => time > after);
}

async function withRepository<T>(log: (line: string) => void, work: (repository: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'rlm-marathon-'));
  try {
    return await work(theRepository(join(folder, 'repository'), true, log));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function whatWasPaid({ callsPaid, callsRecorded, paidInFlight }: Books): string {
  return `${callsPaid} calls paid, ${callsRecorded} recorded, ${paidInFlight} in flight paid twice, 0 recorded ones`;
}

function rowOf({ books, seconds, complaints }: Played<unknown>, name: string, more: string): Row {
  return {
    name,
    result: `answer and patch as undisturbed, nothing left after ${inSeconds(books.clearedAfter)}`,
    seconds,
    worker: '',
    server: '',
    histories: `${books.histories} histories with ${books.events} events, all replayed`,
    more: complaints.length === 0 ? more : `${more}; ${complaints.length} commands given again`,
  };
}

function inSeconds(value: number | undefined): string {
  return value === undefined ? '' : `${value.toFixed(1)} s`;
}
