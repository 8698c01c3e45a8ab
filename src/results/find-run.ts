import { KeyMissing } from '../domain/key-missing.ts';
import type { RunReference } from '../domain/records.ts';
import { runReferenceName } from '../domain/records.ts';
import type { BlobStore } from '../storage/blob-store.ts';

const SUFFIX = '/run';
const PREFIX = 'runs/';

/** Every run that the blob store knows and this process can read, newest first. */
export async function listRuns(blobs: BlobStore): Promise<RunReference[]> {
  return (await readableRuns(blobs)).runs;
}

/** The same, with the ids of those that it has no key for. */
export async function readableRuns(
  blobs: BlobStore,
): Promise<{ readonly runs: RunReference[]; readonly unreadable: readonly string[] }> {
  const names = (await blobs.listReferences(PREFIX)).filter((name) => name.endsWith(SUFFIX));
  const unreadable: string[] = [];
  const read = async (name: string): Promise<unknown> => {
    try {
      return await blobs.getReference(name);
    } catch (error) {
      if (!(error instanceof KeyMissing)) throw error;
      unreadable.push(name.slice(PREFIX.length, name.lastIndexOf('@')));
      return undefined;
    }
  };
  return { runs: newestFirst(await Promise.all(names.map(read))), unreadable };
}

/** Ids of all runs that the blob store knows, with or without a key for them. */
export async function runIds(blobs: BlobStore): Promise<string[]> {
  const names = (await blobs.listReferences(PREFIX)).filter((name) => name.endsWith(SUFFIX));
  return [...new Set(names.map((name) => name.slice(PREFIX.length, name.lastIndexOf('@'))))];
}

/**
 * The newest execution of a run; undefined where the store knows none. A run id is used once, unless Temporal has
 * forgotten its first use.
 */
export async function findRun(blobs: BlobStore, run: string): Promise<RunReference | undefined> {
  const names = (await blobs.listReferences(`${PREFIX}${run}@`)).filter((name) => {
    // A run id may hold an @ itself; an execution id holds neither @ nor /.
    const execution = name.slice(PREFIX.length + run.length + 1, -SUFFIX.length);
    return name.endsWith(SUFFIX) && /^[^@/]+$/.test(execution);
  });
  return (await readRuns(blobs, names))[0];
}

/**
 * As `findRun` for many runs whose ids begin so, as they are now: the store is asked once which there are, not once for
 * each of them.
 */
export async function indexRuns(
  blobs: BlobStore,
  beginning: string,
): Promise<(run: string) => ReturnType<typeof findRun>> {
  const names = (await blobs.listReferences(`${PREFIX}${beginning}`)).filter((name) => name.endsWith(SUFFIX));
  const byRun = Map.groupBy(names, (name) => name.slice(PREFIX.length, name.lastIndexOf('@')));
  return async (run) => (await readRuns(blobs, byRun.get(run) ?? []))[0];
}

const OCCURRENCE = /^-\d{4}-\d\d-\d\dT[\d:.]+Z/;

/**
 * The run before, of a schedule whose runs are called after it and the time of their occurrence; with what follows the
 * time, where the schedule starts batches.
 */
export async function findOccurrenceBefore(
  blobs: BlobStore,
  schedule: string,
  run: string,
): Promise<RunReference | undefined> {
  const itemOf = (name: string): string | undefined => {
    const rest = name.startsWith(schedule) ? name.slice(schedule.length) : '';
    return OCCURRENCE.test(rest) ? rest.replace(OCCURRENCE, '') : undefined;
  };
  const names = (await blobs.listReferences(`${PREFIX}${schedule}-`)).filter((name) => {
    const id = name.slice(PREFIX.length, name.lastIndexOf('@'));
    return name.endsWith(SUFFIX) && id !== run && itemOf(id) !== undefined && itemOf(id) === itemOf(run);
  });
  return (await readRuns(blobs, names))[0];
}

export async function readRun(blobs: BlobStore, run: string, execution: string): Promise<RunReference | undefined> {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- written by activities only
  return (await blobs.getReference(runReferenceName(run, execution))) as RunReference | undefined;
}

async function readRuns(blobs: BlobStore, names: readonly string[]): Promise<RunReference[]> {
  return newestFirst(await Promise.all(names.map((name) => blobs.getReference(name))));
}

function newestFirst(values: readonly unknown[]): RunReference[] {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- written by activities only
  const runs = values as (RunReference | undefined)[];
  return runs.filter((run) => run !== undefined).toSorted((a, b) => b.started_at - a.started_at);
}
