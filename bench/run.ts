/**
 * What everything but the model's own time costs, beside a floor and peers from PyPI, in one run:
 *
 *     npm run bench -- [--rounds 3] [--scenarios chain,tree,fan] [--peers floor,temporal,rlms,dspy | --peers none]
 *                      [--write] [--profile]
 *
 * See overhead/scenarios.ts for what is played. `--write` puts the report into bench/RESULTS.md, `--profile` says where
 * the worker's CPU time goes.
 *
 * `--against <folder>` adds another commit's build, played by the same program in the same way, and `chain-slow` and
 * `fan-16` to the scenarios; the report then begins with what this build must show beside it. To have the other one:
 *
 *     git worktree add <folder> <commit> && (cd <folder> && npm ci && npm run build)
 */
import { mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { spawnScriptedModel } from '../src/testing/index.ts';
import type { Contestant, Performance } from './overhead/contestant.ts';
import { OWN_BUILD, otherBuild, startDurableRlm, type Build, type DurableRlm } from './overhead/durable-rlm.ts';
import { describeMachine } from './overhead/machine.ts';
import { renderMustShow } from './overhead/must-show.ts';
import { createPeer, FLOOR, installPeer, PEERS } from './overhead/peer.ts';
import { profiler, type Profiler } from './overhead/profile.ts';
import { renderReport, type Series } from './overhead/report.ts';
import { benchRepository, type BenchRepository } from './overhead/repository.ts';
import { createTemporalAlone, TEMPORAL_ALONE } from './overhead/temporal-alone.ts';
import { LATENCY, SCENARIOS, wrongReport, type Scenario } from './overhead/scenarios.ts';
import { writeResults } from './results-file.ts';

const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string', default: '3' },
    against: { type: 'string' },
    scenarios: { type: 'string' },
    peers: { type: 'string', default: 'floor,temporal,rlms,dspy' },
    write: { type: 'boolean', default: false },
    profile: { type: 'boolean', default: false },
  },
});
const { rounds, against, scenarios } = readOptions();

/** Seconds after which the model ends by itself, should this process be killed. */
const MODEL_PATIENCE = 900;

const folder = mkdtempSync(join(tmpdir(), 'rlm-bench-'));
/** What gives back what was started, in the order it was. */
const closing: (() => Promise<void>)[] = [() => rm(folder, { recursive: true, force: true })];
let ending: Promise<void> | undefined;
const stopped = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => {
    stopped.abort();
    void closeAll().then(() => process.exit(1));
  });
const script = fileURLToPath(new URL('overhead/scripts.ts', import.meta.url));
const model = await spawnScriptedModel({ script, latencyMs: LATENCY, idleExit: MODEL_PATIENCE });
closing.push(() => model.close());
try {
  await measure();
} finally {
  await closeAll();
}

/** Whoever calls it waits until all of it has ended. */
function closeAll(): Promise<void> {
  return (ending ??= (async () => {
    for (const close of closing.toReversed()) await close();
  })());
}

/** Ends the process where they are wrong, before anything is started. */
function readOptions(): { rounds: number; against: Build | undefined; scenarios: readonly Scenario[] } {
  try {
    if (!/^[1-9]\d*$/.test(options.rounds)) throw new Error(`--rounds ${options.rounds}: give a number from 1 on`);
    const build = options.against === undefined ? undefined : otherBuild(resolve(options.against));
    const all = build === undefined ? 'chain,tree,fan' : 'chain,chain-slow,tree,fan,fan-16';
    return { rounds: Number(options.rounds), against: build, scenarios: chooseScenarios(options.scenarios ?? all) };
  } catch (error) {
    console.error(messageOf(error));
    return process.exit(2);
  }
}

/** @throws Error for a name that none has */
function chooseScenarios(list: string): Scenario[] {
  const names = list.split(',');
  const unknown = names.filter((name) => SCENARIOS.every((scenario) => scenario.name !== name));
  if (unknown.length > 0)
    throw new Error(
      `--scenarios ${list}: there is no ${unknown.join(', ')}. Choose from ${SCENARIOS.map(({ name }) => name).join(', ')}`,
    );
  return SCENARIOS.filter(({ name }) => names.includes(name));
}

async function measure(): Promise<void> {
  const repository = benchRepository(folder);
  const { reason, title, entries } = repository;
  const { peers, versions, skipped } = await preparePeers(repository);
  const machine = await describeMachine(versions);
  if (machine.warning !== undefined) console.error(machine.warning);
  const profiles = options.profile ? join(folder, 'profiles') : undefined;
  const common = { repository: repository.path, model };
  const own = await startDurableRlm({
    ...common,
    build: OWN_BUILD,
    folder: join(folder, 'own'),
    ...(profiles === undefined ? {} : { profiles }),
  });
  closing.push(() => own.close(), ...peers.map((peer) => () => peer.close()));
  const others = [...peers];
  if (against !== undefined) {
    const before = await startDurableRlm({ ...common, build: against, folder: join(folder, 'before') });
    closing.push(() => before.close());
    others.unshift(before);
  }
  const profile = profiler(profiles, own);
  const series = await playAll({ own, others, profile, entries });
  const leftOut = [...(reason === undefined ? [] : [reason]), ...skipped];
  const outcome = { machine, rounds, series, entries, repository: title, skipped: leftOut };
  const report = renderReport(outcome, against === undefined ? '' : renderMustShow(outcome));
  console.log(report);
  if (options.write) writeResults(report);
  if (profiles === undefined) return;
  // The worker writes them when it ends.
  await own.close();
  console.log(profile.report());
}

interface Prepared {
  readonly peers: readonly Contestant[];
  readonly versions: readonly string[];
  readonly skipped: readonly string[];
}

async function preparePeers({ path }: BenchRepository): Promise<Prepared> {
  const wanted = options.peers.split(',');
  const common = { folder, repository: path, modelUrl: model.url };
  const floor = createPeer({ ...common, peer: FLOOR }, 'python3', { clones: false });
  const alone = [
    ...(wanted.includes(FLOOR.package) ? [floor] : []),
    ...(wanted.includes(TEMPORAL_ALONE) ? [createTemporalAlone()] : []),
  ];
  let prepared: Prepared = { peers: alone, versions: [], skipped: [] };
  for (const peer of PEERS.filter(({ package: name }) => wanted.includes(name))) {
    try {
      const { python, version } = await installPeer(peer);
      const contestants = [true, false].map((clones) => createPeer({ ...common, peer }, python, { clones }));
      prepared = {
        ...prepared,
        peers: [...prepared.peers, ...contestants],
        versions: [...prepared.versions, `${peer.package} ${version}`],
      };
    } catch (error) {
      const reason = `${peer.package}, which could not be installed: ${messageOf(error)}`;
      console.error(reason);
      prepared = { ...prepared, skipped: [...prepared.skipped, reason] };
    }
  }
  return prepared;
}

interface Stage {
  readonly own: DurableRlm;
  readonly others: readonly Contestant[];
  readonly profile: Profiler;
  /** Entries in each agent's folder. */
  readonly entries: number;
}

/** Round by round and in turn, so that whatever else the machine does hits all alike. */
async function playAll({ own, others, profile, entries }: Stage): Promise<Series[]> {
  const entrants = scenarios.flatMap((scenario) =>
    [own, ...others]
      .filter(({ role }) => scenario.peers || role !== 'peer')
      .map((contestant) => ({ scenario, contestant })),
  );
  let series: Series[] = entrants.map((entrant) => ({ ...entrant, performances: [], failures: [] }));
  for (let round = 0; round <= rounds; round++) {
    const next: Series[] = [];
    for (const one of series) {
      const { scenario, contestant } = one;
      const counts = round > 0;
      const title = `${counts ? `round ${round}` : 'warm-up'}, ${scenario.name}, ${contestant.name}`;
      try {
        const play = (): Promise<Performance> => contestant.play(scenario);
        const performance = await (counts && contestant === own ? profile.watch(scenario, play) : play());
        const wrong =
          contestant.role === 'steps' ? undefined : wrongReport(performance.answer, scenario.reports(entries));
        console.error(`${title}: ${performance.seconds.toFixed(2)} s${wrong === undefined ? '' : `, wrong: ${wrong}`}`);
        next.push(counts ? { ...one, performances: [...one.performances, performance] } : one);
      } catch (error) {
        // What is played while everything is being ended fails, and must not be written down.
        stopped.signal.throwIfAborted();
        console.error(`${title}: ${messageOf(error)}`);
        next.push(counts ? { ...one, failures: [...one.failures, messageOf(error)] } : one);
      }
    }
    series = next;
  }
  return series;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
