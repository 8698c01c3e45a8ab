import { lstat, mkdir, readdir, rm, rmdir, stat, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { RunLimits } from '../domain/budget.ts';
import { ROOT_AGENT } from '../domain/ids.ts';
import type { ChainRecord, RepositoryReference } from '../domain/records.ts';
import { readTextFile } from '../files/read-text-file.ts';
import { writeAtomically } from '../files/write-atomically.ts';
import type { BlobStore } from '../storage/blob-store.ts';
import { exportTree, type ExportedAgent } from './export-agent.ts';
import {
  inputNames,
  limitsOf,
  originFields,
  patchFields,
  readAnswer,
  readPatch,
  type InputNames,
  type PatchFields,
  type RunDocument,
} from './run-document.ts';
import type { RunReader } from './run-reader.ts';
import { runTotals, type RunSnapshot, type RunTotals } from './run-snapshot.ts';
import { stringifyJson } from '../domain/ordered-json.ts';

const DETAIL = '.detail.json';
const INDEX = 'index.json';
const PATCHES = '.patches';

/** What `results/<run id>.detail.json` holds: the reference's two keys first, ours after them. */
export interface ResultsDetail extends PatchFields {
  readonly run_id: string;
  /** Null as long as the root has not begun. */
  readonly root_agent: ExportedAgent | null;

  readonly status: string;
  readonly prompt: string;
  /** Null for an analysis. */
  readonly repository: RepositoryReference | null;
  /** As in `RunDocument`. */
  readonly inputs?: InputNames;
  readonly from?: RunDocument['from'];
  readonly answer: unknown;
  readonly error: string | null;
  readonly notes: readonly string[];
  readonly totals: RunTotals;
  readonly limits: RunLimits;
  /** Milliseconds since the epoch. */
  readonly started_at: number;
  readonly ended_at: number | null;
}

export interface ResultsWriter {
  readonly file: string;
  /** Brings the files up to date; nothing is written when nothing has changed since the last time. */
  write(snapshot: RunSnapshot): Promise<void>;
}

/** Writes a run's results into `folder`, which other runs and processes may share. */
export function createResultsWriter(input: {
  blobs: BlobStore;
  reader: RunReader;
  folder: string;
  run: string;
}): ResultsWriter {
  const { blobs, reader, folder } = input;
  const name = `${input.run}${DETAIL}`;
  const file = join(folder, name);
  let written: string | undefined;
  return {
    file,
    async write(snapshot) {
      const version = versionOf(snapshot);
      if (version === written) return;
      const detail = await resultsDetail(blobs, reader, snapshot);
      await mkdir(folder, { recursive: true });
      await writeAtomically(file, `${stringifyJson(detail, 2)}\n`);
      if (snapshot.run.outcome !== undefined) await collectPatches(input, snapshot);
      await updateIndex(folder);
      written = version;
    },
  };
}

/** Writes the patch of every agent that has one, where `rlm.collect_patches` asks for it. */
async function collectPatches(
  { blobs, reader, folder, run }: { blobs: BlobStore; reader: RunReader; folder: string; run: string },
  snapshot: RunSnapshot,
): Promise<void> {
  if (!(await reader.specification(snapshot.run)).config.rlm.collect_patches) return;
  const into = join(folder, `${run}${PATCHES}`);
  await removeLink(into);
  for (const { reference, records } of await reader.trajectories(snapshot)) {
    const ref = agentPatch(records);
    if (ref === undefined) continue;
    // oxlint-disable-next-line no-await-in-loop -- patches may be large: one after another
    const bytes = await blobs.get(ref);
    // oxlint-disable-next-line no-await-in-loop
    await mkdir(into, { recursive: true });
    // oxlint-disable-next-line no-await-in-loop
    await writeAtomically(join(into, `${reference.agent}.patch`), bytes);
  }
}

/** Blob of the patch that an agent ended with. */
export function agentPatch(records: readonly ChainRecord[]): string | undefined {
  const end = records.findLast((record) => record.kind === 'end');
  return end?.kind === 'end' ? (end.patch ?? undefined) : undefined;
}

export async function resultsDetail(
  blobs: BlobStore,
  reader: RunReader,
  snapshot: RunSnapshot,
): Promise<ResultsDetail> {
  const { run } = snapshot;
  const { outcome } = run;
  const specification = await reader.specification(run);
  const { result_truncation_limit } = specification.config.rlm;
  const root = exportTree(await reader.trajectories(snapshot), ROOT_AGENT, result_truncation_limit) ?? null;
  return {
    run_id: run.run,
    root_agent: root,
    status: outcome?.status ?? 'running',
    prompt: specification.prompt,
    repository: specification.repository ?? null,
    ...(await inputNames(blobs, specification)),
    ...originFields(run),
    answer: outcome === undefined ? null : await readAnswer(blobs, outcome),
    ...patchFields(outcome === undefined ? undefined : await readPatch(blobs, outcome)),
    error: outcome?.error ?? null,
    notes: outcome?.notes ?? [],
    totals: runTotals(snapshot),
    limits: await limitsOf(blobs, run, specification),
    started_at: run.started_at,
    ended_at: run.ended_at ?? null,
  };
}

/** Equal for snapshots of which nothing a reader could see differs. */
function versionOf({ run, agents }: RunSnapshot): string {
  const heads = agents.map(({ head, state, sandbox }) => `${head}${state}${sandbox ?? ''}`).join();
  return `${run.execution} ${run.outcome === undefined ? '' : 'ended'} ${heads}`;
}

/**
 * `index.json` lists the detail files, newest first, as the reference's viewer expects. It follows from what is in
 * the folder: files it does not list yet come first, those that are gone are dropped, the others keep their order.
 * After writing we look again: of several processes the last to write so always sees the files of all.
 */
/** Removes the results file of a run from a folder that may not have one. */
export async function removeResults(folder: string, run: string): Promise<void> {
  const file = join(folder, `${run}${DETAIL}`);
  if ((await stat(file).catch(() => undefined))?.isFile() !== true) return;
  await rm(file);
  await removePatches(join(folder, `${run}${PATCHES}`));
  await updateIndex(folder);
}

/** One that came with somebody else's folder, and leads anywhere. A file in the place of a results file is replaced, too. */
async function removeLink(path: string): Promise<void> {
  if ((await lstat(path).catch(() => undefined))?.isSymbolicLink() === true) await unlink(path);
}

/** Files that are not named as patches of agents are somebody else's. */
async function removePatches(folder: string): Promise<void> {
  await removeLink(folder);
  const names = await readdir(folder).catch(() => []);
  await Promise.all(names.filter((name) => /^[\d.]+\.patch$/.test(name)).map((name) => rm(join(folder, name))));
  await rmdir(folder).catch(() => undefined);
}

async function updateIndex(folder: string): Promise<void> {
  for (let attempt = 0; attempt < 10; attempt += 1) {
    const listed = await readIndex(folder);
    const files = (await readdir(folder)).filter((name) => name.endsWith(DETAIL) && !name.startsWith('.'));
    const kept = listed.filter((name) => files.includes(name));
    const added = files.filter((name) => !kept.includes(name));
    if (added.length === 0 && kept.length === listed.length) return;
    const names = [...(await newestFirst(folder, added)), ...kept];
    await writeAtomically(join(folder, INDEX), `${JSON.stringify(names, null, 2)}\n`);
  }
}

async function readIndex(folder: string): Promise<string[]> {
  try {
    const value: unknown = JSON.parse(await readTextFile(join(folder, INDEX)));
    return Array.isArray(value) ? [...new Set(value.filter((name) => typeof name === 'string'))] : [];
  } catch {
    // Missing, not JSON, or no file, where the folder came with a stranger's: it is rebuilt from what is there.
    return [];
  }
}

async function newestFirst(folder: string, names: readonly string[]): Promise<string[]> {
  const dated = await Promise.all(
    names.map(async (name) => ({ name, time: (await stat(join(folder, name)).catch(() => undefined))?.mtimeMs ?? 0 })),
  );
  return dated.toSorted((a, b) => b.time - a.time).map(({ name }) => name);
}
