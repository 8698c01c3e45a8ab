import type { SearchHit, SearchPage } from './model.ts';
import type { RunSource } from './run-source.ts';
import { searchAgent } from './search-agent.ts';

/** Milliseconds that one question may take; what is not searched by then is asked for with `next`. */
const TIME_MS = 250;
const MAX_HITS = 100;
/**
 * Looks for a text in tasks, replies, code and outputs, without regard to case. Returns what it found in a quarter of a
 * second: a page shows that, and asks on.
 *
 * @param runs searched in this order
 * @param from `next` of the page before
 */
export async function searchRuns(
  source: RunSource,
  { runs, text, from }: { readonly runs: readonly string[]; readonly text: string; readonly from: string | null },
): Promise<SearchPage> {
  const wanted = text.toLowerCase();
  const deadline = performance.now() + TIME_MS;
  const [startRun, startAgent] = from === null ? [0, 0] : readPosition(from);
  const hits: SearchHit[] = [];
  for (let run = startRun; run < runs.length; run += 1) {
    let agent = run === startRun ? startAgent : 0;
    // oxlint-disable-next-line no-await-in-loop -- one after the other, until the time is up
    for await (const view of source.agents(runs[run] ?? '', agent)) {
      hits.push(...searchAgent(view, runs[run] ?? '', wanted));
      agent += 1;
      if (hits.length >= MAX_HITS || performance.now() > deadline)
        return { hits, next: `${run}.${agent}`, searched: { run, agent, of: runs.length } };
    }
  }
  return { hits, next: null, searched: { run: runs.length, agent: 0, of: runs.length } };
}

function readPosition(from: string): readonly [number, number] {
  const [run, agent] = from.split('.').map(Number);
  return [Number.isSafeInteger(run) ? (run ?? 0) : 0, Number.isSafeInteger(agent) ? (agent ?? 0) : 0];
}
