import { errorMessage } from './domain/error-message.ts';
import { seen, type PresenceRecord } from './domain/presence.ts';
import type { BlobStore } from './storage/blob-store.ts';

const INTERVAL_MS = 5000;
/** Records of workers that ended so long ago are removed: no clock of an open run asks about that time in practice. */
const MAX_AGE_MS = 30 * 24 * 60 * 60_000;

export interface Presence {
  /** Records a last time. */
  stop(): Promise<void>;
}

/** Records in the blob store that this worker is up, so that the time without any worker can be told afterwards. */
export function startPresence({
  blobs,
  taskQueue,
  id,
  intervalMs = INTERVAL_MS,
  log,
}: {
  readonly blobs: BlobStore;
  readonly taskQueue: string;
  /** Of this worker, and of no other. */
  readonly id: string;
  readonly intervalMs?: number;
  readonly log: (line: string) => void;
}): Presence {
  const name = `${presenceOf(taskQueue)}${id}`;
  let record: PresenceRecord = { interval_ms: intervalMs, spans: [] };
  let writing: Promise<void> | undefined;
  let failed = false;
  const write = (): Promise<void> => {
    writing ??= (async () => {
      record = seen(record, Date.now());
      await blobs.setReference(name, record);
      failed = false;
    })()
      .catch((error: unknown) => {
        // Once: the activities say so as well, and each of them tries again.
        if (!failed) log(`the presence of this worker could not be recorded: ${errorMessage(error)}`);
        failed = true;
      })
      .finally(() => {
        writing = undefined;
      });
    return writing;
  };
  void write();
  void removeOld(blobs, taskQueue).catch(() => undefined);
  const timer = setInterval(() => void write(), intervalMs);
  timer.unref();
  return {
    async stop() {
      clearInterval(timer);
      await writing;
      await write();
    },
  };
}

/** Of every worker that took, or takes, workflows from the task queue. */
export async function readPresence(blobs: BlobStore, taskQueue: string): Promise<PresenceRecord[]> {
  const names = await blobs.listReferences(presenceOf(taskQueue));
  const records = await Promise.all(names.map((name) => blobs.getReference(name)));
  return records.filter((record): record is PresenceRecord => record !== undefined);
}

async function removeOld(blobs: BlobStore, taskQueue: string): Promise<void> {
  for (const name of await blobs.listReferences(presenceOf(taskQueue))) {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- written above
    const record = (await blobs.getReference(name)) as PresenceRecord | undefined;
    const last = record?.spans.at(-1)?.to ?? 0;
    if (last < Date.now() - MAX_AGE_MS) await blobs.deleteReference(name);
  }
}

function presenceOf(taskQueue: string): string {
  return `presence/${encodeURIComponent(taskQueue)}/`;
}
