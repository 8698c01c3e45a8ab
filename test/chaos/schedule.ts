import type { Checkpoint } from '../../src/activities/dependencies.ts';
import { seeded, type Random } from './random.ts';
import type { Manner } from './scene.ts';

/** Where in a run something is broken. */
export const PLACES = [
  'cloning a repository',
  'creating a sandbox',
  'in a fan-out',
  'before a model call',
  'during a model call',
  'just after a model call',
  'in a block',
  'in a bridged call',
  'deleting a sandbox',
  'in a rebuild',
  'anywhere',
  'extracting the patch',
] as const;
export type Place = (typeof PLACES)[number];

/** What is ended with SIGKILL. */
export const KILLS = ['worker', 'server', 'supervisor', 'repl', 'launcher'] as const;
/** What is done besides. */
export const DISTURBANCES = [
  'stop worker',
  'stale worker',
  'restart worker',
  'stop server',
  'restart server',
  'stop supervisor',
  'cut model',
  'refuse model',
  'delay model',
  'fill disk',
] as const;
export type Kill = (typeof KILLS)[number];
export type Kind = Kill | (typeof DISTURBANCES)[number];

/** When it is struck. */
export interface Moment {
  /** The worker is held there; absent: when the place is seen from outside, or at any time. */
  readonly point?: Checkpoint;
  /** How often the worker comes there first. */
  readonly after: number;
  /** Milliseconds it is let go on before the strike; 0: struck while it is held. */
  readonly wait: number;
}

export interface Fault {
  readonly place: Place;
  readonly kind: Kind;
  readonly moment: Moment;
  /** For choosing one of several processes, and for how long; 0 to 1. */
  readonly chance: number;
}

export interface RunPlan {
  readonly number: number;
  readonly manner: Manner;
  readonly pool: number;
  readonly diskMb?: number;
  readonly faults: readonly Fault[];
}

interface Spot {
  readonly point?: Checkpoint;
  /** Most times that the worker comes there before. */
  readonly after?: number;
  /** Most milliseconds from there to the strike. */
  readonly wait?: number;
}

const SPOTS: Readonly<Record<Place, readonly Spot[]>> = {
  'cloning a repository': [{ wait: 0 }, { wait: 60 }, { wait: 300 }],
  'creating a sandbox': [
    { point: 'sandbox.creating', after: 3 },
    { point: 'sandbox.creating', after: 3, wait: 40 },
    { point: 'sandbox.created', after: 3 },
    { point: 'sandbox.ready', after: 3 },
  ],
  'in a fan-out': [{ wait: 0 }, { wait: 400 }, { wait: 1500 }],
  'before a model call': [{ point: 'model.asking', after: 4 }],
  'during a model call': [{ point: 'model.asking', after: 4, wait: 180 }],
  'just after a model call': [
    { point: 'model.replied', after: 4 },
    { point: 'reply.recorded', after: 4 },
    { point: 'prompt.replied', after: 2 },
    { point: 'prompt.recorded', after: 2 },
  ],
  'in a block': [
    { point: 'block.sent', after: 4 },
    { point: 'block.sent', after: 4, wait: 80 },
    { point: 'block.done', after: 3 },
    { point: 'block.recorded', after: 3 },
  ],
  'in a bridged call': [
    { point: 'block.calls', after: 2 },
    { point: 'block.calls', after: 2, wait: 300 },
    { point: 'answers.delivered', after: 2 },
    { point: 'answers.recorded', after: 2 },
  ],
  'deleting a sandbox': [
    { point: 'end.recorded', after: 3 },
    { point: 'end.recorded', after: 3, wait: 15 },
    { point: 'sandbox.destroyed', after: 2 },
  ],
  'in a rebuild': [{ point: 'rebuild.begun' }, { point: 'rebuild.block' }, { point: 'rebuild.recorded' }],
  anywhere: [{ wait: 3000 }],
  'extracting the patch': [
    { point: 'patch.taking' },
    { point: 'patch.taking', wait: 60 },
    { point: 'patch.extracted' },
  ],
};

const WORKER: readonly Kill[] = ['worker', 'worker', 'worker'];
const WITH_SANDBOX: readonly Kill[] = [...WORKER, 'worker', 'server', 'supervisor'];

/** What can be killed there, as often as it is to be. */
const VICTIMS: Readonly<Record<Place, readonly Kill[]>> = {
  'cloning a repository': [...WORKER, 'server', 'launcher'],
  'creating a sandbox': [...WORKER, 'worker', 'server', 'launcher', 'supervisor'],
  'in a fan-out': [...WITH_SANDBOX, 'launcher'],
  'before a model call': WITH_SANDBOX,
  'during a model call': WITH_SANDBOX,
  'just after a model call': WITH_SANDBOX,
  'in a block': [...WITH_SANDBOX, 'repl', 'repl'],
  'in a bridged call': WITH_SANDBOX,
  'deleting a sandbox': WITH_SANDBOX,
  'in a rebuild': [...WORKER, 'server'],
  anywhere: [...WORKER, 'server', 'supervisor', 'launcher'],
  'extracting the patch': WITH_SANDBOX,
};

/** MiB of the state folder of a run whose disk is filled. */
const DISK = 400;

/**
 * What is done to a run: one kill at each place and a few disturbances. It follows from the seed and the number of the
 * run alone, so that a run can be repeated.
 */
export function planRun(seed: number, number: number, kinds: readonly Kind[]): RunPlan {
  const random = seeded(seed, number);
  const manner = number % 4 === 3 ? 'detached' : 'attached';
  const kills = PLACES.flatMap((place) => killAt(place, kinds, random));
  const possible = DISTURBANCES.filter(
    (kind) => kinds.includes(kind) && kind !== 'fill disk' && (kind !== 'stale worker' || manner === 'attached'),
  );
  const others = random
    .shuffled(possible)
    .slice(0, 3)
    .map((kind) => disturb(kind, random));
  const isFilled = kinds.includes('fill disk') && number % 4 === 2;
  const disk = isFilled ? [disturb('fill disk', random)] : [];
  const early = kills.filter(({ place }) => place === 'cloning a repository');
  const late = kills.filter(({ place }) => place === 'extracting the patch');
  const between = kills.filter((fault) => !early.includes(fault) && !late.includes(fault));
  return {
    number,
    manner,
    pool: random.pick([0, 0, 4]),
    ...(isFilled ? { diskMb: DISK } : {}),
    faults: [...early, ...inOrder(random.shuffled([...between, ...others, ...disk])), ...late],
  };
}

/** Sandboxes are made and agents fan out in the first half of a run only. */
function inOrder(faults: readonly Fault[]): Fault[] {
  const first: readonly Place[] = ['creating a sandbox', 'in a fan-out'];
  return [
    ...faults.filter(({ place }) => first.includes(place)),
    ...faults.filter(({ place }) => !first.includes(place)),
  ];
}

function killAt(place: Place, kinds: readonly Kind[], random: Random): Fault[] {
  const victims = VICTIMS[place].filter((kind) => kinds.includes(kind));
  // Drawn in any case: what is left out must not change the rest.
  const fault = { place, moment: momentAt(place, random), chance: random.next() };
  const index = random.next();
  const kind = victims[Math.floor(index * victims.length)];
  return kind === undefined ? [] : [{ ...fault, kind }];
}

function disturb(kind: Kind, random: Random): Fault {
  const place = random.pick<Place>([
    'in a fan-out',
    'during a model call',
    'in a block',
    'in a bridged call',
    'anywhere',
  ]);
  return { place, kind, moment: momentAt(place, random), chance: random.next() };
}

function momentAt(place: Place, random: Random): Moment {
  const { point, after = 1, wait = 0 } = random.pick(SPOTS[place]);
  return {
    ...(point === undefined ? {} : { point }),
    after: random.between(1, after),
    wait: wait === 0 ? 0 : random.between(1, wait),
  };
}
