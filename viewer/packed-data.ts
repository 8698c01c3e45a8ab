import type { AgentView, RunView, Statistics } from '../src/viewer/model.ts';
import { searchAgent } from '../src/viewer/search-agent.ts';
import { DataError, type Data } from './data.ts';

/** The parts of an exported page; undefined where this page is none. */
export async function packedData(): Promise<Data | undefined> {
  const parts = new Map<string, string>();
  for (const element of document.querySelectorAll<HTMLElement>('script[data-name]'))
    parts.set(element.dataset['name'] ?? '', element.textContent ?? '');
  const packed = parts.get('run');
  if (packed === undefined) return undefined;
  const view = await unpack<RunView>(packed);
  const part = async <T>(name: string): Promise<T> => {
    const text = parts.get(name);
    if (text === undefined) throw new DataError('This is not part of the exported file.');
    return unpack<T>(text);
  };
  const onlyLive = (): Promise<never> => Promise.reject(new DataError('An exported file does not have this.'));
  const { run, type, status, prompt, repository, totals, started_at, execution_time } = view;
  return {
    isLive: false,
    only: run,
    runs: () =>
      Promise.resolve({
        runs: [
          {
            run,
            type,
            status,
            prompt: prompt.text,
            repository: repository?.name ?? null,
            model: null,
            schedule: view.schedule,
            ...totals,
            started_at,
            execution_time,
          },
        ],
        total: 1,
        problems: [],
      }),
    run: (id) => (id === run ? Promise.resolve(view) : onlyLive()),
    statistics: () => part<Statistics>('statistics'),
    provenance: () => part('provenance'),
    agent: (_, agent) => part<AgentView>(`agent ${agent}`),
    text: onlyLive,
    call: onlyLive,
    request: onlyLive,
    patch: () => part<string>('patch'),
    async search({ text }) {
      const found = [];
      for (const { id } of view.agents) {
        // oxlint-disable-next-line no-await-in-loop -- one is unpacked at a time
        found.push(...searchAgent(await part<AgentView>(`agent ${id}`), run, text.toLowerCase()));
        if (found.length > 500) break;
      }
      return { hits: found, next: null, searched: { run: 1, agent: 0, of: 1 } };
    },
    follow: () => () => undefined,
    standing: onlyLive,
    question: onlyLive,
    control: onlyLive,
    link: () => undefined,
    check: onlyLive,
  };
}

async function unpack<T>(base64: string): Promise<T> {
  const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('gzip'));
  return (await new Response(stream).json()) as T;
}
