import { escapeSegment } from './blob-names.ts';
import { coalesce, entryLine, readEntries, type Journals } from './journal.ts';

const ENDING = '.jsonl';

/** Objects of a bucket, by their keys. */
export interface Objects {
  /** Undefined where there is none. */
  read(key: string): Promise<string | undefined>;
  write(key: string, text: string): Promise<void>;
  list(prefix: string): Promise<string[]>;
  remove(key: string): Promise<void>;
}

/**
 * Journals as objects, named as the files of the file store are. An object cannot be added to: it is written whole, with
 * what was added meanwhile. They are small, and have one writer.
 */
export function createObjectJournals(folder: string, objects: Objects): Journals {
  const keyOf = (name: string): string => `${folder}${name.split('/').map(escapeSegment).join('/')}${ENDING}`;
  return {
    async openJournal(name) {
      let text = (await objects.read(keyOf(name))) ?? '';
      const write = coalesce(() => objects.write(keyOf(name), text));
      return {
        entries: readEntries(text),
        append(entry) {
          text += entryLine(entry);
          return write();
        },
        close: () => Promise.resolve(),
      };
    },
    async listJournals(prefix) {
      const start = prefix.slice(0, prefix.lastIndexOf('/') + 1);
      const keys = await objects.list(`${folder}${start.split('/').map(escapeSegment).join('/')}`);
      return keys
        .filter((key) => key.endsWith(ENDING))
        .map((key) => key.slice(folder.length, -ENDING.length).split('/').map(decodeURIComponent).join('/'))
        .filter((name) => name.startsWith(prefix));
    },
    deleteJournal: (name) => objects.remove(keyOf(name)),
  };
}
