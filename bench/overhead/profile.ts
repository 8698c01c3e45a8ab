import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Performance } from './contestant.ts';
import type { DurableRlm } from './durable-rlm.ts';
import { table } from './report.ts';
import type { Scenario } from './scenarios.ts';

/** Watches plays and says, when the worker has ended and written its profiles, where its CPU time went. */
export interface Profiler {
  watch(scenario: Scenario, play: () => Promise<Performance>): Promise<Performance>;
  /** Nothing where no profiles were asked for. */
  report(): string;
}

/** A play that was watched: from when to when on the machine's steady clock, in microseconds, and what threads did. */
interface Watched {
  readonly scenario: Scenario;
  readonly from: number;
  readonly to: number;
  readonly threads: ReadonlyMap<string, number>;
  readonly cpu: Performance['cpu'];
}

const FUNCTIONS = 30;
/** What V8 calls the thread that writes samples down. */
const PROFILING = 'v8:ProfEvntProc';

export function profiler(folder: string | undefined, own: DurableRlm): Profiler {
  const watched: Watched[] = [];
  return {
    async watch(scenario, play) {
      if (folder === undefined) return play();
      const before = own.threads();
      const from = steadyClock();
      const performance = await play();
      const to = steadyClock();
      const threads = new Map([...own.threads()].map(([name, time]) => [name, time - (before.get(name) ?? 0)]));
      watched.push({ scenario, from, to, threads, cpu: performance.cpu });
      return performance;
    },
    report: () => (folder === undefined ? '' : renderProfiles(readProfiles(folder), watched)),
  };
}

function steadyClock(): number {
  return Number(process.hrtime.bigint() / 1000n);
}

/** What `node --cpu-prof` writes for each thread. */
interface CpuProfile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number };
  }[];
  readonly startTime: number;
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

function readProfiles(folder: string): CpuProfile[] {
  return readdirSync(folder)
    .filter((name) => name.endsWith('.cpuprofile'))
    .map((name) => JSON.parse(readFileSync(join(folder, name), 'utf8')) as CpuProfile);
}

function renderProfiles(profiles: readonly CpuProfile[], watched: readonly Watched[]): string {
  const scenarios = [...new Set(watched.map(({ scenario }) => scenario))];
  return scenarios
    .map((scenario) => {
      const plays = watched.filter((play) => play.scenario === scenario);
      const units = plays.length * (scenario.iterations ?? scenario.agents);
      const unit = scenario.iterations === undefined ? 'agent' : 'iteration';
      const self = selfTimes(profiles, plays);
      return [
        `## Profile of ${scenario.name}: CPU milliseconds for each ${unit}`,
        byThread(plays, units, unit),
        'What the worker sampled, by where the code is (sampled time passes also while other processes have the core):',
        ranked(
          'where',
          groupTimes(self, ({ room }) => room),
          units,
          unit,
        ),
        ranked(
          'function',
          groupTimes(self, ({ name, room }) => `${name} (${room})`),
          units,
          unit,
        ),
      ].join('\n\n');
    })
    .join('\n\n');
}

/** Without the profiler's own thread, which takes as much as the rest of the worker. */
function byThread(plays: readonly Watched[], units: number, unit: string): string {
  const threads = sumBy(plays.flatMap((play) => [...play.threads]));
  const profiling = threads.get(PROFILING) ?? 0;
  const processes = sumBy([...plays.flatMap(({ cpu }) => Object.entries(cpu)), ['worker', -profiling]]);
  const rows = [
    ...[...processes].map(([name, time]) => ({ name: `process: ${name}`, time })),
    ...[...threads].map(([name, time]) => ({ name: `worker's thread: ${name}`, time })),
  ];
  return table(
    ['', `ms an ${unit}`],
    rows
      .filter(({ name, time }) => time > 0 && !name.endsWith(PROFILING))
      .map(({ name, time }) => [name, ((time * 1000) / units).toFixed(2)]),
  );
}

interface SelfTime {
  readonly name: string;
  readonly room: string;
  readonly microseconds: number;
}

/** Time in which a function itself was on top of the stack during the plays. */
function selfTimes(profiles: readonly CpuProfile[], plays: readonly Watched[]): SelfTime[] {
  return profiles.flatMap((profile) => {
    const frames = new Map(profile.nodes.map(({ id, callFrame }) => [id, callFrame]));
    const times = new Map<number, number>();
    let now = profile.startTime;
    for (const [index, delta] of profile.timeDeltas.entries()) {
      now += delta;
      const id = profile.samples[index];
      if (id === undefined || !plays.some(({ from, to }) => now >= from && now <= to)) continue;
      // A sample stands for the time until the next.
      times.set(id, (times.get(id) ?? 0) + (profile.timeDeltas[index + 1] ?? 0));
    }
    return [...times].flatMap(([id, microseconds]) => {
      const frame = frames.get(id);
      if (frame === undefined || frame.functionName === '(idle)') return [];
      return [{ name: nameOf(frame), room: roomOf(frame.url), microseconds }];
    });
  });
}

type Frame = CpuProfile['nodes'][number]['callFrame'];

function nameOf({ functionName, url, lineNumber }: Frame): string {
  const file = url.split('/').at(-1) ?? '';
  return `${functionName === '' ? 'anonymous' : functionName}${file === '' ? '' : ` ${file}:${lineNumber + 1}`}`;
}

/** The package, or the room of ours, that a file belongs to. */
function roomOf(url: string): string {
  const inPackage = /node_modules\/((?:@[^/]+\/)?[^/]+)\/(?!.*node_modules\/)/.exec(url)?.[1];
  if (inPackage !== undefined) return inPackage;
  if (url.startsWith('node:')) return url.split('/').slice(0, 2).join('/');
  const own = /\/dist\/([^/]+)/.exec(url)?.[1];
  return own === undefined ? (url === '' ? 'V8 and native code' : url.split('/').slice(-2).join('/')) : `dist/${own}`;
}

function groupTimes(times: readonly SelfTime[], key: (time: SelfTime) => string): ReadonlyMap<string, number> {
  return sumBy(times.map((time) => [key(time), time.microseconds]));
}

function sumBy(entries: readonly (readonly [string, number])[]): ReadonlyMap<string, number> {
  const sums = new Map<string, number>();
  for (const [name, value] of entries) sums.set(name, (sums.get(name) ?? 0) + value);
  return sums;
}

function ranked(heading: string, times: ReadonlyMap<string, number>, units: number, unit: string): string {
  const all = [...times.values()].reduce((sum, time) => sum + time, 0);
  const rows = [...times]
    .toSorted(([, a], [, b]) => b - a)
    .slice(0, FUNCTIONS)
    .map(([name, time]) => [name, (time / 1000 / units).toFixed(2), `${((100 * time) / all).toFixed(1)} %`]);
  return table([heading, `ms an ${unit}`, 'share'], rows);
}
