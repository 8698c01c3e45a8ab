import { readdir, readFile, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { LRUCache } from 'lru-cache';
import type { ZodError } from 'zod';
import { errorMessage } from '../domain/error-message.ts';
import { TypedError } from '../domain/failures.ts';
import type { RunSummary } from './model.ts';
import { patchOf, readResults, type ReadResults } from './read-results.ts';
import { resultsFile, type ResultsFile } from './results-schema.ts';
import type { RunSource } from './run-source.ts';
import { head } from './text.ts';

/** Bytes of a results file that is opened. */
const MAX_BYTES = 500_000_000;

/** Runs of results files, ours or the reference's: one file, or all of a folder. Only these are read, whatever is asked for. */
export async function openResults(path: string): Promise<RunSource> {
  const isFolder = (await stat(path)).isDirectory();
  const cache = new LRUCache<string, ReadResults & { readonly file: ResultsFile }>({ max: 4 });

  async function files(): Promise<readonly string[]> {
    if (!isFolder) return [path];
    const names = await readdir(path);
    return names
      .filter((name) => name.endsWith('.json') && name !== 'index.json' && !name.startsWith('.'))
      .map((name) => join(path, name));
  }

  async function load(file: string): Promise<ReadResults & { readonly file: ResultsFile }> {
    const found = await stat(file);
    const { mtimeMs, size } = found;
    // A pipe would be waited for without an end.
    if (!found.isFile()) throw new Error('it is no file');
    const key = `${file} ${mtimeMs} ${size}`;
    const known = cache.get(key);
    if (known !== undefined) return known;
    if (size > MAX_BYTES) throw new Error(`it has ${size} bytes; at most ${MAX_BYTES} are opened`);
    const parsed = resultsFile.safeParse(JSON.parse(await readFile(file, 'utf8')));
    if (!parsed.success) throw new Error(`it is no results file (${describe(parsed.error)})`);
    const loaded = { ...readResults(parsed.data), file: parsed.data };
    cache.set(key, loaded);
    return loaded;
  }

  /** By the id in the file: what is asked for is never made a path. */
  async function find(run: string): Promise<(ReadResults & { readonly file: ResultsFile }) | undefined> {
    const all = await files();
    const first = all.filter((file) => basename(file).startsWith(`${run}.`));
    for (const file of [...first, ...all.filter((each) => !first.includes(each))]) {
      // oxlint-disable-next-line no-await-in-loop -- the first is mostly the one
      const loaded = await load(file).catch(() => undefined);
      if (loaded?.view.run === run) return loaded;
    }
    return undefined;
  }

  return {
    async list(limit) {
      const runs: RunSummary[] = [];
      const problems: string[] = [];
      for (const file of await files()) {
        try {
          // oxlint-disable-next-line no-await-in-loop -- each may be large
          const { view } = await load(file);
          runs.push({
            run: view.run,
            type: view.type,
            status: view.status,
            prompt: head(view.prompt.text, 300),
            repository: view.repository?.name ?? null,
            model: null,
            schedule: null,
            ...view.totals,
            started_at: view.started_at,
            execution_time: view.execution_time,
          });
        } catch (error) {
          problems.push(`${basename(file)}: ${errorMessage(error)}`);
        }
      }
      const sorted = runs.toSorted((a, b) => (b.started_at ?? 0) - (a.started_at ?? 0));
      return { runs: sorted.slice(0, limit), total: runs.length, problems };
    },
    view: async (run) => (await find(run))?.view,
    agent: async (run, agent) => (await find(run))?.agents.find(({ row }) => row.id === agent),
    async *agents(run, from = 0) {
      yield* (await find(run))?.agents.slice(from) ?? [];
    },
    call: () => Promise.resolve(undefined),
    request: () => Promise.resolve(undefined),
    async answer(run) {
      const found = await find(run);
      return found?.file.answer ?? found?.file.root_agent?.result ?? undefined;
    },
    async patch(run) {
      const found = await find(run);
      return found === undefined ? undefined : patchOf(found.file);
    },
    blob: () => Promise.reject(new TypedError('Storage.Missing', 'Results files hold no more than what they show.')),
    document: async (run) => (await find(run))?.file,
    async standing(run) {
      const found = await find(run);
      return found === undefined ? undefined : { status: found.view.status };
    },
    question: () => Promise.resolve(undefined),
    control: () =>
      Promise.reject(
        new TypedError('Input.Invalid', 'This is a results file: its run cannot be controlled from here.'),
      ),
  };
}

/** Where it first is another thing. */
function describe({ issues: [first] }: ZodError): string {
  return first === undefined ? 'of another shape' : `${first.path.join('.') || 'the whole'}: ${first.message}`;
}
