/**
 * Lists of JSON values that are only added to: what was paid for and is not in a trajectory yet. An entry is there the
 * moment it is appended, whatever becomes of the process; a reference takes a file of its own, which a busy disk may
 * make wait for a tenth of a second.
 */
export interface Journals {
  /** Makes it where there is none. */
  openJournal(name: string): Promise<Journal>;
  /** Names that start with `prefix`, in no particular order. */
  listJournals(prefix: string): Promise<string[]>;
  /** Nothing to do where there is none. */
  deleteJournal(name: string): Promise<void>;
}

export interface Journal {
  /** Those that were there when it was opened. */
  readonly entries: readonly unknown[];
  /**
   * Adds an entry. In a folder of this host it outlives a kill of the process when the call returns, and a power cut when
   * the promise resolves; in a bucket both when the promise resolves.
   */
  append(entry: unknown): Promise<void>;
  close(): Promise<void>;
}

/** The entries of a journal's lines. A line that was torn, by a power cut or a full disk, is none. */
export function readEntries(text: string): unknown[] {
  return text.split('\n').flatMap((line) => {
    try {
      return line === '' ? [] : [JSON.parse(line) as unknown];
    } catch {
      return [];
    }
  });
}

/** One line, which ends a torn one before it. */
export function entryLine(entry: unknown): string {
  return `\n${JSON.stringify(entry)}\n`;
}

/** Runs `work` again for those who ask while it runs, once for all of them. */
export function coalesce(work: () => Promise<void>): () => Promise<void> {
  let running: Promise<void> | undefined;
  let next: Promise<void> | undefined;
  const run = (): Promise<void> => {
    if (running === undefined) {
      running = work().finally(() => (running = undefined));
      return running;
    }
    next ??= running
      .catch(() => undefined)
      .then(() => {
        next = undefined;
        return run();
      });
    return next;
  };
  return run;
}
