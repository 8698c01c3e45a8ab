import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { AgentReference } from '../../src/domain/records.ts';

/** When the chains of a run got new records. */
export interface Progress {
  /** Milliseconds since the epoch, in order. */
  readonly times: readonly number[];
  /** The newest reference of every agent. */
  agents(): AgentReference[];
  close(): void;
}

const INTERVAL = 50;

/** Looks at the references of a run's agents in a file blob store: a head that changed is a new record. */
export function watchProgress(state: string, run: string): Progress {
  const parent = join(state, 'blobs', 'references', 'runs');
  const known = new Map<string, { readonly modified: number; readonly reference: AgentReference }>();
  const times: number[] = [];
  const look = (): void => {
    for (const folder of namesIn(parent).filter((name) => decodeURIComponent(name).startsWith(`${run}@`))) {
      for (const name of namesIn(join(parent, folder)).filter((each) => each !== 'run.json'))
        lookAt(join(parent, folder, name));
    }
  };
  const lookAt = (file: string): void => {
    try {
      const modified = statSync(file).mtimeMs;
      const before = known.get(file);
      if (before?.modified === modified) return;
      const reference = JSON.parse(readFileSync(file, 'utf8')) as AgentReference;
      known.set(file, { modified, reference });
      if (before?.reference.head !== reference.head) times.push(modified);
    } catch {
      // Replaced at this very moment: the next look sees it.
    }
  };
  const timer = setInterval(look, INTERVAL);
  return {
    times,
    agents() {
      look();
      return [...known.values()].map(({ reference }) => reference);
    },
    close: () => clearInterval(timer),
  };
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
