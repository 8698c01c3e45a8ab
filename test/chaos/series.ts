import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { git, makeRepository } from '../e2e/world.ts';
import { play, type Played, type Stage } from './play.ts';
import { KILLS, PLACES, planRun, type Kind, type Place } from './schedule.ts';

export interface Series {
  readonly seed: number;
  /** Runs are played until so many kills are done, and an equal share of them at every place. */
  readonly kills: number;
  readonly kinds: readonly Kind[];
  /** Default: all of them. */
  readonly places?: readonly Place[];
  /** Only the run of this number. */
  readonly only?: number;
}

export interface SeriesOptions {
  readonly log: (line: string) => void;
  readonly keep?: boolean;
  /** On scikit-learn, where it is at hand. Default: true. */
  readonly large?: boolean;
  /** Fires when everything is to be given back at once. */
  readonly signal?: AbortSignal;
}

/** The share that the tests run: what is over in a minute on a quiet machine. */
export const QUICK: Series = {
  seed: 11,
  kills: 6,
  // Whether a Python process is killed in a block or just after it is chance, and makes another run of it.
  kinds: [...KILLS.filter((kind) => kind !== 'repl'), 'cut model', 'refuse model', 'stop server'],
  places: PLACES.filter((place) => !['anywhere', 'in a rebuild', 'before a model call'].includes(place)),
};

const MAKE_SCIKIT_LEARN = fileURLToPath(new URL('../../../shared/tools/make-scikit-learn-repo.sh', import.meta.url));

/** Plays one run undisturbed, to compare with, and then run after run until enough has been killed. */
export async function runSeries(
  series: Series,
  { log, keep = false, large = true, signal }: SeriesOptions,
): Promise<Played[]> {
  const folder = mkdtempSync(join(tmpdir(), 'rlm-chaos-'));
  const remove = (): void => rmSync(folder, { recursive: true, force: true });
  process.once('exit', remove);
  try {
    const repository = theRepository(join(folder, 'repository'), large, log);
    const commit = git(repository, 'rev-parse', 'HEAD').trim();
    const stage: Stage = {
      seed: series.seed,
      repository,
      commit,
      log,
      keep,
      ...(signal === undefined ? {} : { signal }),
    };
    log('undisturbed');
    const undisturbed = await play(stage, { number: 0, manner: 'attached', pool: 0, faults: [] });
    say(undisturbed, log);
    if (undisturbed.document === undefined || undisturbed.books.problems.length > 0) return [undisturbed];
    return await playAll(series, { ...stage, undisturbed: undisturbed.document });
  } finally {
    process.off('exit', remove);
    remove();
  }
}

async function playAll({ seed, kills, kinds: wanted, places = PLACES, only }: Series, stage: Stage): Promise<Played[]> {
  const kinds = process.getuid?.() === 0 ? wanted : wanted.filter((kind) => kind !== 'fill disk');
  if (kinds.length < wanted.length) stage.log('skipped: fill disk (only root can mount a small file system)');
  const runs: Played[] = [];
  const most = 3 * Math.ceil(kills / PLACES.length) + 3;
  for (let number = only ?? 1; number <= (only ?? most); number += 1) {
    const whole = planRun(seed, number, kinds);
    const plan = { ...whole, faults: whole.faults.filter(({ place }) => places.includes(place)) };
    stage.log(`run ${number}: ${plan.manner}, pool ${plan.pool}, ${plan.faults.length} faults`);
    const played = await play(stage, plan);
    runs.push(played);
    say(played, stage.log);
    if (isEnough(runs, kills, kinds)) break;
  }
  return runs;
}

function isEnough(runs: readonly Played[], kills: number, kinds: readonly Kind[]): boolean {
  const struck = runs.flatMap(({ outlived }) => outlived).filter(({ isKill }) => isKill);
  const share = Math.floor(kills / PLACES.length);
  const short = PLACES.filter((place) => struck.filter((each) => each.place === place).length < share);
  const everywhere = KILLS.every((kind) => kinds.includes(kind));
  return struck.length >= kills && (!everywhere || short.length === 0);
}

function say({ number, outlived, missed, books, complaints, seconds }: Played, log: (line: string) => void): void {
  const verdict = books.problems.length === 0 ? 'in order' : 'NOT IN ORDER';
  log(`run ${number}: ${verdict} after ${seconds.toFixed(0)} s: ${outlived.length} struck, ${missed.length} missed`);
  for (const problem of books.problems) log(`  problem: ${problem}`);
  for (const complaint of complaints) log(`  gave up: ${complaint.replaceAll('\n', '\n    ')}`);
}

/** @param large scikit-learn, where it is at hand */
export function theRepository(path: string, large: boolean, log: (line: string) => void): string {
  if (large && existsSync(MAKE_SCIKIT_LEARN)) {
    execFileSync('bash', [MAKE_SCIKIT_LEARN, path]);
    return path;
  }
  if (large) log('scikit-learn is not at hand: a small repository stands in for it');
  mkdirSync(path, { recursive: true });
  return makeRepository(path, { 'a/b.py': 'x = 1  # TODO: more\n', 'c.py': '# TODO: y\n' });
}
