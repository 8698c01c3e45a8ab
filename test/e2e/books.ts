import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { AgentReference } from '../../src/domain/records.ts';
import { createChains } from '../../src/storage/chain.ts';
import { createFileBlobStore } from '../../src/storage/file-blob-store.ts';
import type { ScriptedCall } from '../../src/testing/index.ts';

/**
 * Calls that were made although their answer was recorded by then. A call that was in flight at a kill, or answered
 * and not yet recorded, may be made again; one whose record is on disk may not.
 */
export async function callsPaidAgain(state: string, run: string, calls: readonly ScriptedCall[]): Promise<string[]> {
  const store = join(state, 'blobs');
  const blobs = createFileBlobStore({ path: store });
  const chains = createChains(blobs);
  const recorded = new Map<string, number>();
  for (const name of await blobs.listReferences(`runs/${run}@`)) {
    if (name.endsWith('/run')) continue;
    const reference = (await blobs.getReference(name)) as AgentReference;
    for (let hash: string | null = reference.head; hash !== null;) {
      const record = await chains.record(hash);
      if (record.kind === 'reply') recorded.set(`${record.parent}/${record.purpose}/0`, await writtenAt(store, hash));
      hash = record.parent;
    }
  }
  for (const name of await blobs.listJournals(`${run}@`)) {
    const journal = await blobs.openJournal(name);
    await journal.close();
    const call = name.slice(`${run}@`.length).replace(/\.\d+$/, '');
    for (const { index, at } of journal.entries as { index: number; at: number }[])
      recorded.set(`${call}.${index}`, at);
  }
  if (recorded.size === 0) throw new Error(`nothing is recorded of run ${run}`);
  return calls.flatMap((call) => {
    const at = recorded.get(call.key);
    return at !== undefined && call.at > at + 1
      ? [`${call.task}, turn ${call.turn}: recorded ${call.at - at} ms before it was asked again`]
      : [];
  });
}

async function writtenAt(store: string, hash: string): Promise<number> {
  const digits = Buffer.from(hash, 'base64url').toString('hex');
  return (await stat(join(store, 'objects', digits.slice(0, 2), digits.slice(2)))).mtimeMs;
}
