import { setTimeout as delay } from 'node:timers/promises';
import { closeBooks, readDocument, type Books, type RunDocument } from './books.ts';
import { openScene, type Scene } from './scene.ts';
import type { Fault, RunPlan } from './schedule.ts';
import { strike, type Strike } from './strike.ts';

/** A strike with the seconds from it to the next record of any agent; undefined where the next strike came first. */
export interface Outlived extends Strike {
  readonly recovery: number | undefined;
}

/** A run that was played with its faults, and what came of it. */
export interface Played {
  readonly number: number;
  readonly outlived: readonly Outlived[];
  /** Faults for which the run did not come to their place, or nothing was there to be struck. */
  readonly missed: readonly Fault[];
  readonly books: Books;
  readonly document: RunDocument | undefined;
  readonly complaints: readonly string[];
  readonly seconds: number;
}

export interface Stage {
  readonly seed: number;
  readonly repository: string;
  readonly commit: string;
  readonly undisturbed?: RunDocument;
  readonly log: (line: string) => void;
  /** Keeps the folder of a run whose books are not in order. */
  readonly keep?: boolean;
  /** Fires when the run is to be given up at once. */
  readonly signal?: AbortSignal;
}

/** Milliseconds without any progress after which a run counts as stuck. */
const STUCK = 120_000;

export async function play(stage: Stage, plan: RunPlan): Promise<Played> {
  const { repository, log } = stage;
  const { number, manner, pool, diskMb } = plan;
  const began = performance.now();
  const id = `chaos-${stage.seed}-${number}`;
  const scene = await openScene({ id, repository, manner, pool, ...(diskMb === undefined ? {} : { diskMb }) });
  let inOrder = false;
  const giveUp = (): void => void scene.close({ keep: false }).then(() => process.exit(130));
  stage.signal?.addEventListener('abort', giveUp);
  try {
    await scene.begin();
    const { strikes, missed } = await disturb(scene, plan, log);
    await untilEnded(scene, log);
    const endedAt = Date.now();
    scene.look();
    const books = await closeBooks(scene, stage.commit, stage.undisturbed);
    inOrder = books.problems.length === 0;
    return {
      number,
      outlived: withRecovery(strikes, scene.progress.times, endedAt),
      missed,
      books,
      document: readDocument(scene),
      complaints: [...scene.complaints],
      seconds: (performance.now() - began) / 1000,
    };
  } finally {
    stage.signal?.removeEventListener('abort', giveUp);
    if (!inOrder && stage.keep === true) log(`  kept: ${scene.desk.folder}-kept`);
    await scene.close({ keep: !inOrder && stage.keep === true });
  }
}

/** A fault whose place the run does not come to is tried once more, before those that belong to the end. */
async function disturb(
  scene: Scene,
  { faults }: RunPlan,
  log: (line: string) => void,
): Promise<{ strikes: Strike[]; missed: Fault[] }> {
  const strikes: Strike[] = [];
  const missed: Fault[] = [];
  const again: Fault[] = [];
  const hit = new Set<string>();
  const last = faults.filter(isLast);
  const strikeEach = async (list: readonly Fault[], without: Fault[]): Promise<void> => {
    for (const fault of list) {
      const done = scene.result() === undefined ? await strike(scene, fault, hit) : undefined;
      if (done === undefined) without.push(fault);
      else strikes.push(done);
      const outcome = done === undefined ? 'not struck' : `struck (${done.detail})`;
      log(`  ${fault.kind}, ${fault.place}: ${outcome}`);
    }
  };
  await strikeEach(
    faults.filter((fault) => !isLast(fault)),
    again,
  );
  await strikeEach(
    again.filter(({ place }) => place !== 'cloning a repository'),
    missed,
  );
  await strikeEach(last, missed);
  return { strikes, missed };
}

function isLast({ place }: Fault): boolean {
  return place === 'extracting the patch';
}

async function untilEnded(scene: Scene, log: (line: string) => void): Promise<void> {
  const began = Date.now();
  while (scene.result() === undefined) {
    if (Date.now() - Math.max(began, scene.progress.times.at(-1) ?? 0) > STUCK) {
      const { stdout, stderr } = await scene.desk.run(['status', scene.id]);
      log(`  no progress for ${STUCK / 1000} s; rlm status says:\n${String(stdout)}${stderr}`);
      return;
    }
    await delay(50);
  }
  // A second command may still be following the same run.
  await scene.settled();
}

function withRecovery(strikes: readonly Strike[], progress: readonly number[], endedAt: number): Outlived[] {
  const times = [...progress, endedAt].toSorted((a, b) => a - b);
  return strikes.map((each, index) => {
    const until = strikes[index + 1]?.at ?? Number.POSITIVE_INFINITY;
    const next = times.find((time) => time > each.at && time <= until);
    return { ...each, recovery: next === undefined ? undefined : (next - each.at) / 1000 };
  });
}
