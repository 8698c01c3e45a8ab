import { randomBytes } from 'node:crypto';
import { TypedError } from '../domain/failures.ts';
import type { BlobStore, StoredReference } from './blob-store.ts';

/** What a store keeps under a reference's name. */
export interface ReferenceEntry {
  /** Unique to this write: its writer recognizes it, also where the reply to the write was lost. */
  readonly id: string;
  /** `id` of the entry that it replaced; null for the first. */
  readonly after: string | null;
  readonly value: unknown;
}

/** @param expected version of what it replaces; null where there must be none */
export function createEntry(value: unknown, expected: string | null): ReferenceEntry {
  const after = expected === null ? null : parseVersion(expected).id;
  return { id: randomBytes(9).toString('base64url'), after, value };
}

/** @param place where the text was found, for the message. @throws TypedError `Storage.Damaged` */
export function parseEntry(text: string, place: string): ReferenceEntry {
  try {
    const entry = JSON.parse(text) as ReferenceEntry | null;
    if (typeof entry?.id === 'string' && 'value' in entry) return entry;
  } catch {
    // The same as an entry of another shape.
  }
  throw new TypedError('Storage.Damaged', `${place} is not a reference. Restore it from a backup, or delete it`);
}

/** A version is the place that the store gave the entry (a number, an ETag) and the entry's id. */
export function formatVersion(place: string | number, id: string): string {
  return `${place} ${id}`;
}

export function parseVersion(version: string): { readonly place: string; readonly id: string } {
  const [place = '', id = ''] = version.split(' ');
  return { place, id };
}

export function storedReference(place: string | number, { id, value }: ReferenceEntry): StoredReference {
  return { value, version: formatVersion(place, id) };
}

/** What every store derives from reading and swapping. */
export function simpleReferences({
  readReference,
  swapReference,
}: Pick<BlobStore, 'readReference' | 'swapReference'>): Pick<BlobStore, 'getReference' | 'setReference'> {
  return {
    getReference: async (name) => (await readReference(name))?.value,
    async setReference(name, value) {
      let current = await readReference(name);
      for (;;) {
        // oxlint-disable-next-line no-await-in-loop -- each conflict is another writer's success
        const outcome = await swapReference(name, value, current?.version ?? null);
        if (outcome.kind === 'swapped') return;
        ({ current } = outcome);
      }
    },
  };
}
