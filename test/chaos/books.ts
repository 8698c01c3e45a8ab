import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import type { AgentReference, ChainRecord } from '../../src/domain/records.ts';
import { createChains } from '../../src/storage/chain.ts';
import { createFileBlobStore } from '../../src/storage/file-blob-store.ts';
import { callsPaidAgain } from '../e2e/books.ts';
import { FORTY_ONE_AGENTS, type InventoryAnswer } from '../e2e/inventory-tree.ts';
import { processesLeft } from './processes.ts';
import { replayRun } from './replay.ts';
import type { Scene } from './scene.ts';

/** What `rlm run --json` prints, as far as it is looked at. */
export interface RunDocument {
  readonly status: string;
  readonly answer: InventoryAnswer;
  readonly patch?: string;
  readonly patch_base64?: string;
  readonly agents: number;
  readonly max_depth: number;
  readonly sandboxes: number;
}

/** Figures of one run. */
export interface Books {
  readonly callsPaid: number;
  readonly callsRecorded: number;
  /** Calls that had been answered when what was to record the answer was killed, and had to be made again. */
  readonly paidInFlight: number;
  readonly blocksRecorded: number;
  readonly sandboxes: number;
  readonly rebuilds: number;
  readonly histories: number;
  readonly events: number;
  /** Seconds from the run's end until nothing was left. */
  readonly clearedAfter: number;
  /** What is not as it must be. */
  readonly problems: readonly string[];
}

/** Milliseconds in which everything must be gone. */
const PATIENCE = 60_000;

export function readDocument(scene: Scene): RunDocument | undefined {
  const text = scene.result()?.stdout.toString() ?? '';
  try {
    return JSON.parse(text) as RunDocument;
  } catch {
    return undefined;
  }
}

export async function closeBooks(scene: Scene, commit: string, undisturbed?: RunDocument): Promise<Books> {
  const { desk, model, id } = scene;
  const left = await untilNothingIsLeft(scene);
  const document = readDocument(scene);
  const chains = await readChains(desk.state, id);
  const records = chains.flat();
  const count = (kind: ChainRecord['kind']): number => records.filter((record) => record.kind === kind).length;
  const paidAgain = await callsPaidAgain(desk.state, id, model.calls);
  const replay = await replayRun(desk.state, id);
  return {
    callsPaid: model.count(({ outcome }) => outcome === 'answered'),
    callsRecorded: count('reply') + (await journalled(desk.state, id)),
    paidInFlight: model.paidTwice().length,
    blocksRecorded: count('block'),
    sandboxes: document?.sandboxes ?? 0,
    rebuilds: count('rebuild'),
    histories: replay.histories,
    events: replay.events,
    clearedAfter: left.seconds,
    problems: [
      ...(document === undefined
        ? [`no result: ${scene.result()?.stderr.trim().slice(-600) ?? 'it did not end'}`]
        : []),
      ...(document === undefined ? [] : problemsOfDocument(document, commit, undisturbed)),
      ...paidAgain.map((call) => `paid again: ${call}`),
      ...left.what.map((thing) => `left after ${PATIENCE / 1000} s: ${thing}`),
      ...replay.problems,
      ...model.unscripted().map((conversation) => `nobody expected: ${conversation}`),
    ],
  };
}

function problemsOfDocument(document: RunDocument, commit: string, undisturbed: RunDocument | undefined): string[] {
  const expected = undisturbed ?? document;
  return [
    ...(document.status === 'completed' ? [] : [`it is ${document.status}`]),
    ...(document.answer === null ? ['no answer'] : FORTY_ONE_AGENTS.problemsOf(document.answer, commit)),
    ...(isDeepStrictEqual(document.answer, expected.answer) ? [] : ['another answer than undisturbed']),
    ...(patchOf(document) === patchOf(expected) ? [] : ['another patch than undisturbed']),
    ...(document.agents === FORTY_ONE_AGENTS.agents ? [] : [`${document.agents} agents`]),
    ...(document.max_depth === 2 ? [] : [`depth ${document.max_depth}`]),
  ];
}

function patchOf(document: RunDocument): string | undefined {
  return document.patch ?? document.patch_base64;
}

async function untilNothingIsLeft(scene: Scene): Promise<{ seconds: number; what: readonly string[] }> {
  const { desk, manner } = scene;
  const began = performance.now();
  if (manner === 'detached') await desk.run(['down']);
  for (;;) {
    const what = [
      ...(await desk.leftovers()),
      ...processesLeft(desk.folder, scene.seen),
      ...halfMade(desk.folder).map((path) => `file ${path}`),
    ];
    const elapsed = performance.now() - began;
    if (what.length === 0 || elapsed > PATIENCE) return { seconds: elapsed / 1000, what };
    await delay(500);
  }
}

/** What is to be renamed when it is complete, or to be removed by who made it. */
function halfMade(folder: string): string[] {
  const places = [
    ...['sandboxes', 'blobs/temporary', 'background', 'temporal.db.server/stoppers'].map((name) => `state/${name}`),
    ...['checkouts', 'checkouts/uid-60907', 'repositories', '.'].map((name) => `cache/${name}`),
  ];
  return [
    ...namesIn(join(folder, 'tmp')).map((name) => `tmp/${name}`),
    ...places.flatMap((place) =>
      namesIn(join(folder, place))
        .filter((name) => place.endsWith('temporary') || /^\.[a-z]+-\d+-\d+-[0-9a-f]{16}$|\.tmp$|\.new$/.test(name))
        .map((name) => `${place}/${name}`),
    ),
  ];
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

async function readChains(state: string, run: string): Promise<ChainRecord[][]> {
  const blobs = createFileBlobStore({ path: join(state, 'blobs') });
  const chains = createChains(blobs);
  const names = (await blobs.listReferences(`runs/${run}@`)).filter((name) => !name.endsWith('/run'));
  return Promise.all(names.map(async (name) => chains.walk(((await blobs.getReference(name)) as AgentReference).head)));
}

async function journalled(state: string, run: string): Promise<number> {
  return (await createFileBlobStore({ path: join(state, 'blobs') }).listReferences(`journal/${run}@`)).length;
}
