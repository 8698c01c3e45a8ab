import { TypedError } from '../domain/failures.ts';
import type { BlobHash, BlobStore } from './blob-store.ts';

export interface BlobSweep {
  readonly blobs: BlobStore;
  /** Milliseconds since the epoch: what was written since is kept, as its writer may be about to refer to it. */
  readonly before: number;
  /**
   * Spans of time whose blobs are kept: of runs that have not ended, because requests and answers on their way are
   * referred to by Temporal's history alone.
   */
  readonly spans?: readonly TimeSpan[];
  /** References that do not count. */
  readonly ignored?: ReadonlySet<string>;
  /** False: nothing is deleted, only counted. */
  readonly delete: boolean;
}

/** Milliseconds since the epoch, both included. */
export interface TimeSpan {
  readonly from: number;
  readonly to: number;
}

export interface BlobCount {
  readonly blobs: number;
  readonly bytes: number;
}

export interface BlobSweepResult {
  readonly all: BlobCount;
  /** Blobs that no reference leads to and that no writer may be about to refer to: those that were, or would be, deleted. */
  readonly abandoned: BlobCount;
  /** No reference leads to them either; they are kept for their age or for a run that has not ended. */
  readonly kept: BlobCount;
}

/**
 * Finds the blobs that no reference leads to, through records, requests, answers and specifications, and deletes them.
 * Each is judged by itself, so a sweep that is cut off in the middle has deleted nothing that is referred to.
 *
 * @throws TypedError `Storage.Missing`, `Storage.Damaged` before anything is deleted, when a chain cannot be followed to its
 *   end: what lies behind the gap may be wanted once it is mended.
 */
export async function sweepBlobs(sweep: BlobSweep): Promise<BlobSweepResult> {
  const { blobs, before, spans = [], ignored } = sweep;
  // First: what is written from here on is younger than `before`.
  const stored = new Map<BlobHash, { readonly size: number; readonly written: number }>();
  for await (const { hash, size, written } of blobs.list()) stored.set(hash, { size, written });
  const reached = await findReached(blobs, stored, ignored ?? new Set());
  const unreached = [...stored].filter(([hash]) => !reached.has(hash));
  const isOld = (written: number): boolean =>
    written < before && !spans.some(({ from, to }) => from <= written && written <= to);
  const abandoned = unreached.filter(([, { written }]) => isOld(written));
  const kept = unreached.filter(([, { written }]) => !isOld(written));
  const gone = sweep.delete ? await deleteAll(blobs, abandoned, before) : abandoned;
  return { all: count([...stored]), abandoned: count(gone), kept: count(kept) };
}

type Stored = ReadonlyMap<BlobHash, { readonly size: number; readonly written: number }>;
type Entry = readonly [hash: BlobHash, file: { readonly size: number; readonly written: number }];

function count(entries: readonly Entry[]): BlobCount {
  return { blobs: entries.length, bytes: entries.reduce((sum, [, { size }]) => sum + size, 0) };
}

async function deleteAll(blobs: BlobStore, entries: readonly Entry[], before: number): Promise<Entry[]> {
  const gone: Entry[] = [];
  await eachOf(entries, async (entry) => {
    if (await blobs.delete(entry[0], before)) gone.push(entry);
  });
  return gone;
}

/** A hash somewhere in JSON, where canonical JSON has it; `link` where its key says that more must lie behind it. */
interface Found {
  readonly hash: BlobHash;
  readonly link: boolean;
}

/** Fields that lead on to records or a specification. */
const LINKS = new Set(['head', 'parent', 'spec']);
const FIELD = /(?:"([a-z_]+)":)?"([A-Za-z0-9_-]{43})"/g;
/** Longer than a field that holds a hash. */
const OVERLAP = 128;

function hashesIn(text: string): Found[] {
  return [...text.matchAll(FIELD)].map(([, key = '', hash = '']) => ({ hash, link: LINKS.has(key) }));
}

/** Everything that references lead to. */
async function findReached(
  blobs: BlobStore,
  stored: Stored,
  ignored: ReadonlySet<string>,
): Promise<ReadonlySet<BlobHash>> {
  const reached = new Set<BlobHash>();
  let next: (Found & { readonly reference: string })[] = [];
  await eachOf(
    (await blobs.listReferences('')).filter((name) => !ignored.has(name)),
    async (reference) => {
      const value = await blobs.getReference(reference);
      next.push(...hashesIn(JSON.stringify(value) ?? '').map((found) => ({ ...found, reference })));
    },
  );
  while (next.length > 0) {
    const now = next;
    next = [];
    // oxlint-disable-next-line no-await-in-loop -- what blobs lead to is known when they were read
    await eachOf(now, async ({ hash, link, reference }) => {
      if (reached.has(hash)) return;
      if (!stored.has(hash) && !(await isNew(blobs, hash, link, reference))) return;
      reached.add(hash);
      const found = await naming(reference, () => readHashes(blobs, hash, link));
      next.push(...found.map((each) => ({ ...each, reference })));
    });
  }
  return reached;
}

/** What is not in the list was written since; or it never was a blob's hash; or a link is broken. */
async function isNew(blobs: BlobStore, hash: BlobHash, link: boolean, reference: string): Promise<boolean> {
  const isThere = await blobs.has(hash);
  if (isThere || !link) return isThere;
  throw new TypedError('Storage.Missing', broken(reference, `blob ${hash} is missing`));
}

/** The hashes that a blob's JSON holds; none for what is no JSON: bundles and patches are not read to their end. */
async function readHashes(blobs: BlobStore, hash: BlobHash, link: boolean): Promise<Found[]> {
  const stream = await blobs.open(hash);
  const found: Found[] = [];
  let rest = '';
  let begun = false;
  for await (const chunk of stream) {
    const text = rest + Buffer.from(chunk as Uint8Array).toString('latin1');
    if (!begun && !link && !/^[[{"]/.test(text)) break;
    begun = true;
    found.push(...hashesIn(text));
    rest = text.slice(-OVERLAP);
  }
  return found;
}

async function naming<T>(reference: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof TypedError) || (error.type !== 'Storage.Missing' && error.type !== 'Storage.Damaged'))
      throw error;
    throw new TypedError(error.type, broken(reference, error.message), { cause: error });
  }
}

function broken(reference: string, why: string): string {
  return (
    `${reference} cannot be followed to its end, so no blob was deleted: ${why}. Bring it back from a backup, ` +
    'or remove the run first (rlm clean --older-than)'
  );
}

/** Requests at the same time. */
const PARALLEL = 16;

/** Also of millions. */
async function eachOf<T>(items: readonly T[], act: (item: T) => Promise<void>): Promise<void> {
  let at = 0;
  const work = async (): Promise<void> => {
    while (at < items.length) {
      const item = items[at];
      at += 1;
      // oxlint-disable-next-line no-await-in-loop -- as many of these loops as may run at the same time
      if (item !== undefined) await act(item);
    }
  };
  await Promise.all(Array.from({ length: Math.min(PARALLEL, items.length) }, work));
}
