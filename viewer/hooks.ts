import { createContext } from 'preact';
import { useCallback, useContext, useEffect, useRef, useState } from 'preact/hooks';
import type { AgentRow, RunView } from '../src/viewer/model.ts';
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
}

/** A run, brought up to date while it continues. */
export function useRun(run: string): Loaded<LiveRun> & { readonly again: () => void } {
  const data = useData();
  const loaded = useLoaded(() => data.run(run), [run]);
  const [live, setLive] = useState<RunView | undefined>();
  const [trouble, setTrouble] = useState<string | null>(null);
  const isLoaded = loaded.kind === 'loaded';
  const hasEnded = isLoaded && loaded.value.ended_at !== null;
  useEffect(() => {
    setLive(undefined);
    setTrouble(null);
    if (!isLoaded || hasEnded || !data.isLive) return undefined;
    const first = loaded.value;
    return data.follow(run, {
      onChange: (event) =>
        setLive((before = first) => ({ ...event.run, agents: mergeRows(before.agents, event.agents) })),
      onTrouble: setTrouble,
      // The whole of it once more: what came while this page was hidden.
      onEnd: () => void data.run(run).then(setLive, () => undefined),
    });
  }, [run, isLoaded, hasEnded]);
  if (loaded.kind !== 'loaded') return loaded;
  const view = live?.run === run ? live : loaded.value;
  return { kind: 'loaded', value: { view, trouble }, again: loaded.again };
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
