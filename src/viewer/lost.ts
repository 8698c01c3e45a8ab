import { errorMessage } from '../domain/error-message.ts';
import { TypedError } from '../domain/failures.ts';
import type { ChainRecord } from '../domain/records.ts';
import type { Chains } from '../storage/chain.ts';

/** A blob that was deleted, or that is damaged: everything else can be shown all the same. */
export function isLost(error: unknown): boolean {
  return error instanceof TypedError && (error.type === 'Storage.Missing' || error.type === 'Storage.Damaged');
}

/** What is read, or a sentence that says what cannot be shown and why. */
export type Readable<T> = { readonly value: T } | { readonly lost: string };

/** @param what - the part of the run that it is, the subject of a sentence */
export async function readable<T>(what: string, reading: Promise<T>): Promise<Readable<T>> {
  try {
    return { value: await reading };
  } catch (error) {
    if (!isLost(error)) throw error;
    return { lost: lostSentence(what, errorMessage(error)) };
  }
}

/** @param why - may be a question by itself */
export function lostSentence(what: string, why: string): string {
  return `${what} cannot be shown: ${why}${/[.?!]$/.test(why) ? '' : '.'}`;
}

export interface KnownRecords {
  /** Those from the first that can be read to the head, oldest first. */
  readonly records: readonly ChainRecord[];
  /** Why those before them cannot; undefined where there are none. */
  readonly lost: string | undefined;
}

/** A trajectory as far as it can be read: each record names the one before it, so what is before a lost one is out of reach. */
export async function knownRecords(chains: Pick<Chains, 'record'>, head: string): Promise<KnownRecords> {
  const records: ChainRecord[] = [];
  let hash: string | null = head;
  while (hash !== null) {
    let next: ChainRecord;
    try {
      // oxlint-disable-next-line no-await-in-loop -- each names the one before it
      next = await chains.record(hash);
    } catch (error) {
      if (!isLost(error)) throw error;
      return { records: records.toReversed(), lost: errorMessage(error) };
    }
    records.push(next);
    hash = next.parent;
  }
  return { records: records.toReversed(), lost: undefined };
}
