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
  const known = new Map<string, { readonly version: string; readonly reference: AgentReference }>();
  const times: number[] = [];
  const look = (): void => {
    for (const folder of namesIn(parent).filter((name) => decodeURIComponent(name).startsWith(`${run}@`))) {
      for (const name of namesIn(join(parent, folder)).filter((each) => each !== 'run'))
        lookAt(join(parent, folder, name));
    }
  };
  const lookAt = (agent: string): void => {
    const version = newestVersion(agent);
    const before = known.get(agent);
    if (version === undefined || before?.version === version) return;
    try {
      const file = join(agent, version);
      const { value: reference } = JSON.parse(readFileSync(file, 'utf8')) as { value: AgentReference };
      const modified = statSync(file).mtimeMs;
      known.set(agent, { version, reference });
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

/** A reference is a folder of its newest versions, `@<number>.json`. */
function newestVersion(folder: string): string | undefined {
  const numbers = namesIn(folder).map((name) => Number(/^@(\d+)\.json$/.exec(name)?.[1] ?? 0));
  const newest = Math.max(0, ...numbers);
  return newest === 0 ? undefined : `@${newest}.json`;
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
