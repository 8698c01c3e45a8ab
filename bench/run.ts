/**
 * What everything but the model's own time costs, beside the ideal and beside peers from PyPI, in one run:
 *
 *     npm run bench -- [--rounds 3] [--scenarios chain,tree,fan] [--peers rlms,dspy | --peers none] [--write] [--profile]
 *
 * `--write` puts the report into bench/RESULTS.md, `--profile` says where the worker's CPU time goes. See
 * overhead/scenarios.ts for what is played.
 */
import { mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { spawnScriptedModel } from '../src/testing/index.ts';
import type { Contestant, Performance } from './overhead/contestant.ts';
import { startDurableRlm, type DurableRlm } from './overhead/durable-rlm.ts';
import { describeMachine } from './overhead/machine.ts';
import { createPeer, installPeer, PEERS } from './overhead/peer.ts';
import { profiler, type Profiler } from './overhead/profile.ts';
import { renderReport, type Series } from './overhead/report.ts';
import { benchRepository, type BenchRepository } from './overhead/repository.ts';
import { LATENCY, SCENARIOS, wrongReport, type Scenario } from './overhead/scenarios.ts';
import { writeResults } from './results-file.ts';

const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string', default: '3' },
    scenarios: { type: 'string', default: 'chain,tree,fan' },
    peers: { type: 'string', default: 'rlms,dspy' },
    write: { type: 'boolean', default: false },
    profile: { type: 'boolean', default: false },
  },
});

/** Seconds after which the model ends by itself, should this process be killed. */
const MODEL_PATIENCE = 900;

const folder = mkdtempSync(join(tmpdir(), 'rlm-bench-'));
/** What gives back what was started, in the order it was. */
const closing: (() => Promise<void>)[] = [() => rm(folder, { recursive: true, force: true })];
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => void closeAll().then(() => process.exit(1)));
const script = fileURLToPath(new URL('overhead/scripts.ts', import.meta.url));
const model = await spawnScriptedModel({ script, latencyMs: LATENCY, idleExit: MODEL_PATIENCE });
closing.push(() => model.close());
try {
  await measure();
} finally {
  await closeAll();
}

async function closeAll(): Promise<void> {
  for (const close of closing.splice(0).toReversed()) await close();
}

async function measure(): Promise<void> {
  const rounds = Number(options.rounds);
  const wanted = options.scenarios.split(',');
  const scenarios = SCENARIOS.filter(({ name }) => wanted.includes(name));
  const repository = benchRepository(folder);
  const { reason, title, entries } = repository;
  const { peers, versions, skipped } = await preparePeers(repository);
  const machine = await describeMachine(versions);
  if (machine.warning !== undefined) console.error(machine.warning);
  const profiles = options.profile ? join(folder, 'profiles') : undefined;
  const own = await startDurableRlm({
    folder,
    repository: repository.path,
    modelUrl: model.url,
    ...(profiles === undefined ? {} : { profiles }),
  });
  closing.push(() => own.close(), ...peers.map((peer) => () => peer.close()));
  const profile = profiler(profiles, own);
  const series = await playAll(scenarios, { own, peers, rounds, profile, entries });
  const leftOut = [...(reason === undefined ? [] : [reason]), ...skipped];
  const report = renderReport({ machine, rounds, series, entries, repository: title, skipped: leftOut });
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
  let prepared: Prepared = { peers: [], versions: [], skipped: [] };
  for (const peer of PEERS.filter(({ package: name }) => wanted.includes(name))) {
    try {
      const { python, version } = await installPeer(peer);
      const settings = { peer, folder, repository: path, modelUrl: model.url };
      const contestants = [true, false].map((clones) => createPeer(settings, python, { clones }));
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
  readonly peers: readonly Contestant[];
  readonly rounds: number;
  readonly profile: Profiler;
  /** Entries in each agent's folder. */
  readonly entries: number;
}

/** Round by round and in turn, so that whatever else the machine does hits all alike. */
async function playAll(scenarios: readonly Scenario[], stage: Stage): Promise<Series[]> {
  const { own, peers, rounds, profile, entries } = stage;
  const entrants = scenarios.flatMap((scenario) => [own, ...peers].map((contestant) => ({ scenario, contestant })));
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
        const wrong = wrongReport(performance.answer, scenario.reports(entries));
        console.error(`${title}: ${performance.seconds.toFixed(2)} s${wrong === undefined ? '' : `, wrong: ${wrong}`}`);
        next.push(counts ? { ...one, performances: [...one.performances, performance] } : one);
      } catch (error) {
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
