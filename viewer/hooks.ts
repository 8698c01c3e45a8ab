import { createContext } from 'preact';
import { useCallback, useContext, useEffect, useRef, useState } from 'preact/hooks';
import type { AgentRow, RunStanding, RunStatus, RunView } from '../src/viewer/model.ts';
import { hasEnded } from '../src/viewer/run-status.ts';
import type { Data } from './data.ts';
import { readRoute, type Route } from './route.ts';

export const DataContext = createContext<Data | undefined>(undefined);

export function useData(): Data {
  const data = useContext(DataContext);
  if (data === undefined) throw new Error('no data outside of the page');
  return data;
}

export type Loaded<T> =
  | { readonly kind: 'loading' }
  | { readonly kind: 'failed'; readonly error: string }
  /** `isOld` while it is loaded again. */
  | { readonly kind: 'loaded'; readonly value: T };

/** What a question is answered; what was known stays while it is asked again. */
export function useLoaded<T>(
  load: () => Promise<T>,
  keys: readonly unknown[],
): Loaded<T> & { readonly again: () => void } {
  const [state, setState] = useState<Loaded<T>>({ kind: 'loading' });
  const [round, setRound] = useState(0);
  const shown = useRef<unknown>(undefined);
  useEffect(() => {
    let isCurrent = true;
    // Another thing is loaded: what was shown is not it.
    if (shown.current !== keys[0]) setState({ kind: 'loading' });
    shown.current = keys[0];
    load().then(
      (value) => isCurrent && setState({ kind: 'loaded', value }),
      (error: unknown) =>
        isCurrent && setState({ kind: 'failed', error: error instanceof Error ? error.message : String(error) }),
    );
    return () => {
      isCurrent = false;
    };
  }, [...keys, round]);
  return { ...state, again: useCallback(() => setRound((before) => before + 1), []) };
}

export interface LiveRun {
  readonly view: RunView;
  /** Why what is shown may be old; null where it is not. */
  readonly trouble: string | null;
  /** Looks at all of it again. */
  readonly refresh: () => void;
}

/** Milliseconds between looks at a run that has ended: somebody may retry it, or reset its workflow. */
const LOOK_AGAIN_MS = 3000;

/** A run, brought up to date while it continues. */
export function useRun(run: string): Loaded<LiveRun> & { readonly again: () => void } {
  const data = useData();
  const loaded = useLoaded(() => data.run(run), [run]);
  const [live, setLive] = useState<RunView | undefined>();
  const [trouble, setTrouble] = useState<string | null>(null);
  const view = loaded.kind === 'loaded' ? (live ?? loaded.value) : undefined;
  const isLoaded = view !== undefined;
  const isOver = view !== undefined && hasEnded(view.status);
  const refresh = useCallback(
    () =>
      void data.run(run).then(
        (value) => {
          setLive(value);
          setTrouble(null);
        },
        (error: unknown) => setTrouble(error instanceof Error ? error.message : String(error)),
      ),
    [run],
  );
  useEffect(() => {
    if (!isLoaded || !data.isLive) return undefined;
    if (isOver) return lookAgain(() => data.standing(run), view.status, refresh);
    const stop = data.follow(run, {
      onChange: (event) =>
        setLive((before = view) => ({ ...event.run, agents: mergeRows(before?.agents ?? [], event.agents) })),
      onTrouble: setTrouble,
      onEnd: () => undefined,
    });
    return () => {
      stop();
      // The whole of it once more: what came while this page was hidden.
      refresh();
    };
  }, [run, isLoaded, isOver ? view.status : null]);
  if (view === undefined) return loaded as Exclude<typeof loaded, { kind: 'loaded' }>;
  return { kind: 'loaded', value: { view, trouble, refresh }, again: loaded.again };
}

/** @returns what ends it */
function lookAgain(look: () => Promise<RunStanding>, shown: RunStatus, onOther: () => void): () => void {
  const timer = setInterval(() => {
    if (document.hidden) return;
    // Where the server has gone, what is shown stays what it was.
    look().then(
      ({ status }) => status !== shown && onOther(),
      () => undefined,
    );
  }, LOOK_AGAIN_MS);
  return () => clearInterval(timer);
}

/** The run whose page this is. */
export const RunContext = createContext<Pick<LiveRun, 'view' | 'refresh'> | undefined>(undefined);

export function useShownRun(): Pick<LiveRun, 'view' | 'refresh'> {
  const shown = useContext(RunContext);
  if (shown === undefined) throw new Error('no run outside of its page');
  return shown;
}

function mergeRows(before: readonly AgentRow[], changed: readonly AgentRow[]): readonly AgentRow[] {
  if (changed.length === 0) return before;
  const rows = new Map(before.map((row) => [row.id, row]));
  for (const row of changed) rows.set(row.id, row);
  return rows.size === before.length
    ? [...rows.values()]
    : [...rows.values()].toSorted((a, b) => compareIds(a.id, b.id));
}

function compareIds(a: string, b: string): number {
  const [left, right] = [a.split('.').map(Number), b.split('.').map(Number)];
  for (let index = 0; index < Math.max(left.length, right.length); index += 1) {
    const difference = (left[index] ?? -1) - (right[index] ?? -1);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** Milliseconds since the epoch, moved on while something shows it. */
export function useNow(isMoving: boolean): number {
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    if (!isMoving) return undefined;
    const timer = setInterval(() => setNow(Date.now()), 1000);
    return () => clearInterval(timer);
  }, [isMoving]);
  return now;
}

/** A choice that this browser remembers, where it may. */
export function useStored(name: string, first: string): readonly [string, (value: string) => void] {
  const [value, setValue] = useState(() => {
    try {
      return localStorage.getItem(`durable-rlm.${name}`) ?? first;
    } catch {
      return first;
    }
  });
  const store = useCallback(
    (next: string) => {
      setValue(next);
      try {
        localStorage.setItem(`durable-rlm.${name}`, next);
      } catch {
        // A page from disk may not have any storage: the choice then lasts as long as the page.
      }
    },
    [name],
  );
  return [value, store];
}

export function useRoute(): Route {
  const [hash, setHash] = useState(location.hash);
  useEffect(() => {
    const onChange = (): void => setHash(location.hash);
    window.addEventListener('hashchange', onChange);
    return () => window.removeEventListener('hashchange', onChange);
  }, []);
  return readRoute(hash);
}
