import { DataError, type Data, type Listener } from './data.ts';
import type { ControlOutcome, RunEvent } from '../src/viewer/model.ts';

const GONE = 'The viewer does not answer. Start it again with rlm view and open its new link.';

/** Asks the server that sent the page. */
export function liveData(): Data {
  const runPath = (run: string): string => `/api/runs/${encodeURIComponent(run)}`;
  const agentPath = (run: string, agent: string): string => `${runPath(run)}/agents/${encodeURIComponent(agent)}`;
  return {
    isLive: true,
    runs: () => ask('/api/runs'),
    run: (run) => ask(runPath(run)),
    statistics: (run) => ask(`${runPath(run)}/statistics`),
    provenance: (run) => ask(`${runPath(run)}/provenance`),
    agent: (run, agent, first) => ask(`${agentPath(run, agent)}${first === undefined ? '' : `?first=${first}`}`),
    text: ({ run, agent, at }, from) => ask(`${agentPath(run, agent)}/text?at=${encodeURIComponent(at)}&from=${from}`),
    call: ({ run, agent, call }, first) =>
      ask(`${agentPath(run, agent)}/calls/${encodeURIComponent(call)}?first=${first}`),
    request: ({ run, agent, index }) => ask(`${agentPath(run, agent)}/requests/${index}`),
    patch: async (run) => (await answer(`${runPath(run)}/patch`)).text(),
    search({ text, run, from }) {
      const query = new URLSearchParams({ text });
      if (run !== null) query.set('run', run);
      if (from !== null) query.set('from', from);
      return ask(`/api/search?${query.toString()}`);
    },
    follow: (run, listener) => follow(`${runPath(run)}/events`, listener),
    standing: (run) => ask(`${runPath(run)}/standing`),
    question: (run, id) => ask(`${runPath(run)}/questions/${encodeURIComponent(id)}`),
    control: async (run, order) =>
      (
        await answer(`${runPath(run)}/control`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify(order),
        })
      ).json() as Promise<ControlOutcome>,
    link: (run, what) => `${runPath(run)}/${what}`,
    async check(link) {
      const head = await fetch(link, { method: 'HEAD' }).catch(() => undefined);
      // Only the whole answer says why.
      if (head?.ok !== true) await answer(link);
    },
  };
}

async function ask<T>(path: string): Promise<T> {
  return (await answer(path)).json() as Promise<T>;
}

async function answer(path: string, init?: RequestInit): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(path, init);
  } catch {
    throw new DataError(GONE);
  }
  if (response.ok) return response;
  const text = await response.text();
  throw new DataError(messageOf(text));
}

function messageOf(text: string): string {
  try {
    const { error } = JSON.parse(text) as { error?: unknown };
    return typeof error === 'string' ? error : text;
  } catch {
    return text;
  }
}

/** A hidden page follows nothing: browsers open six connections to a host, and one tab must not take them from the next. */
function follow(path: string, { onChange, onTrouble, onEnd }: Listener): () => void {
  let source: EventSource | undefined;
  let hasEnded = false;
  const close = (): void => {
    source?.close();
    source = undefined;
  };
  const open = (): void => {
    if (source !== undefined || hasEnded || document.hidden) return;
    source = new EventSource(path);
    source.addEventListener('open', () => onTrouble(null));
    source.addEventListener('error', () => onTrouble(GONE));
    source.addEventListener('change', ({ data }) => onChange(JSON.parse(String(data)) as RunEvent));
    source.addEventListener('trouble', ({ data }) => onTrouble((JSON.parse(String(data)) as { error: string }).error));
    source.addEventListener('ended', () => {
      hasEnded = true;
      close();
      onEnd();
    });
  };
  const onVisibility = (): void => (document.hidden ? close() : open());
  document.addEventListener('visibilitychange', onVisibility);
  open();
  return () => {
    document.removeEventListener('visibilitychange', onVisibility);
    close();
  };
}
