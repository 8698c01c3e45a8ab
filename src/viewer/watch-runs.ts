import type { IncomingMessage, ServerResponse } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { LRUCache } from 'lru-cache';
import { errorMessage } from '../domain/error-message.ts';
import type { AgentRow, RunEvent, RunStatus, RunView, Statistics } from './model.ts';
import { createStatistics } from './read-statistics.ts';
import type { RunSource } from './run-source.ts';
import { hasEnded } from './run-status.ts';
import { shortenTexts } from './text.ts';

/** Follows runs for the pages that show them: one look serves all of them. */
export interface RunWatch {
  /** Sends what changes, as server-sent events, until the run has ended or the page goes. */
  attach(run: string, request: IncomingMessage, response: ServerResponse): void;
  /** Undefined where there is no such run. */
  statistics(run: string): Promise<Statistics | undefined>;
  close(): void;
}

/** Milliseconds between looks; at least as many times as long as a look takes. */
const LOOK_INTERVAL_MS = { min: 500, times: 4 };
/** Statistics of a run in progress are kept for so many times as long as they took. */
const STATISTICS_FRESH_TIMES = 10;
const MAX_PAGES = 64;

interface Watched {
  readonly pages: Set<ServerResponse>;
  readonly sent: Map<string, string>;
  readonly stop: AbortController;
}

export function createRunWatch(source: RunSource): RunWatch {
  const watched = new Map<string, Watched>();
  const sums = new LRUCache<
    string,
    { readonly value: Promise<Statistics | undefined>; until: number; readonly status: RunStatus | undefined }
  >({ max: 20 });
  let pages = 0;

  async function follow(run: string, { pages: attached, sent, stop }: Watched): Promise<void> {
    while (!stop.signal.aborted && attached.size > 0) {
      const began = performance.now();
      // A failed look is reported and repeated: a store or a server comes back.
      const view = await source.view(run).catch((error: unknown) => errorMessage(error));
      if (typeof view === 'string') for (const page of attached) write(page, 'trouble', { error: view });
      else if (view !== undefined) {
        const event = changes(view, sent);
        if (event !== undefined) for (const page of attached) write(page, 'change', event);
        if (hasEnded(view.status)) for (const page of attached) page.end(eventText('ended', {}));
      }
      const took = performance.now() - began;
      const wait = Math.max(LOOK_INTERVAL_MS.min, LOOK_INTERVAL_MS.times * took);
      await delay(wait, undefined, { signal: stop.signal }).catch(() => undefined);
    }
    watched.delete(run);
  }

  async function sumUp(run: string): Promise<Statistics | undefined> {
    const view = await source.view(run);
    if (view === undefined) return undefined;
    const began = Date.now();
    const statistics = createStatistics(view.agents, view.started_at);
    for await (const agent of source.agents(run)) statistics.add(agent);
    const entry = sums.get(run);
    if (entry !== undefined)
      entry.until = hasEnded(view.status) ? Infinity : Date.now() + STATISTICS_FRESH_TIMES * (Date.now() - began);
    return statistics.statistics();
  }

  return {
    attach(run, request, response) {
      if (pages >= MAX_PAGES) {
        response.writeHead(503).end();
        return;
      }
      pages += 1;
      response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
      response.flushHeaders();
      let entry = watched.get(run);
      if (entry === undefined || entry.stop.signal.aborted) {
        entry = { pages: new Set(), sent: new Map(), stop: new AbortController() };
        watched.set(run, entry);
        entry.pages.add(response);
        void follow(run, entry);
      } else {
        entry.pages.add(response);
        // This page has not been sent what the others have.
        entry.sent.clear();
      }
      const { pages: attached, stop } = entry;
      response.on('close', () => {
        pages -= 1;
        attached.delete(response);
        if (attached.size === 0) {
          stop.abort();
          watched.delete(run);
        }
      });
      request.on('error', () => response.destroy());
    },
    async statistics(run) {
      const known = sums.get(run);
      const status = (await source.standing(run))?.status;
      if (known !== undefined && known.until > Date.now() && known.status === status) return known.value;
      const value = sumUp(run);
      sums.set(run, { value, until: Infinity, status });
      value.catch(() => sums.delete(run));
      return value;
    },
    close() {
      for (const { stop } of watched.values()) stop.abort();
    },
  };
}

/** Undefined where nothing of it has changed since it was sent last. */
function changes({ agents, ...run }: RunView, sent: Map<string, string>): RunEvent | undefined {
  const isNew = (key: string, version: string): boolean => {
    if (sent.get(key) === version) return false;
    sent.set(key, version);
    return true;
  };
  const changed = agents.filter((row) => isNew(row.id, versionOf(row)));
  const { execution_time: _, ...standing } = run;
  const runChanged = isNew('', JSON.stringify(standing));
  if (changed.length === 0 && !runChanged) return undefined;
  return { run: { ...run, prompt: shortenTexts(run.prompt) }, agents: changed };
}

/** Without what moves on by itself. */
function versionOf(row: AgentRow): string {
  return JSON.stringify({ ...row, execution_time: 0 });
}

function write(page: ServerResponse, name: string, value: unknown): void {
  page.write(eventText(name, value));
}

function eventText(name: string, value: unknown): string {
  return `event: ${name}\ndata: ${JSON.stringify(value)}\n\n`;
}
