import { writeSync } from 'node:fs';
import { mkdir, open, readdir, rm, type FileHandle } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { isMissing } from './blob-files.ts';
import { escapeSegment } from './blob-names.ts';
import { coalesce, entryLine, readEntries, type Journals } from './journal.ts';

const ENDING = '.jsonl';

/** Journals as files of lines below a folder. */
export function createFileJournals(folder: string, guard: <T>(act: () => Promise<T>) => Promise<T>): Journals {
  const pathOf = (name: string): string => `${join(folder, ...name.split('/').map(escapeSegment))}${ENDING}`;
  return {
    openJournal: (name) =>
      guard(async () => {
        const handle = await openIn(pathOf(name));
        const entries = readEntries(await handle.readFile('utf8'));
        const sync = coalesce(() => handle.datasync());
        return {
          entries,
          append: (entry) =>
            guard(async () => {
              const line = Buffer.from(entryLine(entry));
              // At once, not in the queue of a thread pool that waits for disks: some microseconds. A disk that is full may
              // take a part, which is a torn line then: it is written again, until it is there or refused.
              while (writeSync(handle.fd, line) < line.length);
              await sync();
            }),
          close: () => handle.close(),
        };
      }),

    listJournals: (prefix) =>
      guard(async () => {
        const start = prefix.slice(0, prefix.lastIndexOf('/') + 1);
        const below = join(folder, ...start.split('/').filter(Boolean).map(escapeSegment));
        const entries = await readdir(below, { recursive: true, withFileTypes: true }).catch((error: unknown) => {
          if (isMissing(error)) return [];
          throw error;
        });
        return entries
          .filter((entry) => entry.isFile() && entry.name.endsWith(ENDING))
          .map(({ parentPath, name }) => join(parentPath, name).slice(folder.length + 1, -ENDING.length))
          .map((path) => path.split('/').map(decodeURIComponent).join('/'))
          .filter((name) => name.startsWith(prefix));
      }),

    deleteJournal: (name) => guard(() => rm(pathOf(name), { force: true })),
  };
}

async function openIn(path: string): Promise<FileHandle> {
  try {
    return await open(path, 'a+');
  } catch (error) {
    if (!isMissing(error)) throw error;
    await mkdir(dirname(path), { recursive: true });
    return open(path, 'a+');
  }
}
