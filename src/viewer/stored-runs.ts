import { LRUCache } from 'lru-cache';
import pLimit from 'p-limit';
import { TypedError } from '../domain/failures.ts';
import type { AgentReference, EndRecord, RunReference } from '../domain/records.ts';
import { renderSignature } from '../domain/signature/render.ts';
import { findRun, listRuns } from '../results/find-run.ts';
import { resultsDetail } from '../results/results-files.ts';
import { inputNames, readAnswer, readPatch } from '../results/run-document.ts';
import { createRunReader, type RunReader } from '../results/run-reader.ts';
import { runTotals } from '../results/run-snapshot.ts';
import type { BlobStore } from '../storage/blob-store.ts';
import { createChains } from '../storage/chain.ts';
import type { RunStatus, RunSummary, RunView } from './model.ts';
import { agentRow } from './read-agent.ts';
import { treeFindings } from './read-findings.ts';
import { answerView, controlsOf, repositoryOf, unbegun, viewUnstored } from './run-parts.ts';
import type { RunSource } from './run-source.ts';
import { createStandings, type LiveRuns } from './standings.ts';
import { createTrajectories, type OpenRun } from './stored-trajectories.ts';
import { head, wholeText } from './text.ts';

/** Characters of records that are kept in memory. */
const CACHED_CHARACTERS = 128_000_000;
/** Milliseconds for which a look at a run's references serves every request. */
const LOOK_MS = 200;
const ENDED_LOOK_MS = 5000;
const PARALLEL = 32;

/** Reads runs from the blob store, whether they have ended or not. */
export function createStoredRuns({ blobs, live }: { blobs: BlobStore; live?: LiveRuns | undefined }): RunSource {
  const chains = createChains(blobs, { cacheCharacters: CACHED_CHARACTERS });
  const readers = new LRUCache<string, RunReader>({ max: 50 });
  const ends = new LRUCache<string, EndRecord>({ max: 100_000 });
  const opened = new LRUCache<string, Promise<OpenRun | undefined>>({ max: 50, ttl: LOOK_MS });
  const standings = createStandings(live);
  const trajectories = createTrajectories(chains, open);

  /** A page asks for several things at once: they share one look at the references. */
  function open(run: string): Promise<OpenRun | undefined> {
    const known = opened.get(run);
    if (known !== undefined) return known;
    const opening = readRun(run);
    opened.set(run, opening);
    opening.then(
      (found) => {
        // What has ended changes no more, but its agents may still clean up.
        if (found?.snapshot.run.outcome !== undefined) opened.set(run, opening, { ttl: ENDED_LOOK_MS });
      },
      () => opened.delete(run),
    );
    return opening;
  }

  async function readRun(run: string): Promise<OpenRun | undefined> {
    const reference = await findRun(blobs, run);
    if (reference === undefined) return undefined;
    const key = `${run}@${reference.execution}`;
    let reader = readers.get(key);
    if (reader === undefined) {
      reader = createRunReader(blobs, { run, execution: reference.execution });
      readers.set(key, reader);
    }
    const [snapshot, specification] = await Promise.all([reader.snapshot(), reader.specification(reference)]);
    return snapshot === undefined ? undefined : { snapshot, specification };
  }

  async function mustOpen(run: string): Promise<OpenRun> {
    const found = await open(run);
    if (found === undefined) throw new TypedError('Input.Invalid', `There is no run "${run}".`);
    return found;
  }

  async function endOf(reference: AgentReference): Promise<EndRecord | undefined> {
    // Of an agent that completed its reference says enough for the tree.
    if (reference.state !== 'done' || reference.status === 'completed') return undefined;
    const known = ends.get(reference.head);
    if (known !== undefined) return known;
    const record = await chains.record(reference.head).catch(() => undefined);
    if (record?.kind !== 'end') return undefined;
    ends.set(reference.head, record);
    return record;
  }

  async function view(run: string): Promise<RunView | undefined> {
    const found = await open(run);
    if (found === undefined) return viewUnstored(run, await live?.status(run, false));
    const { snapshot, specification } = found;
    const { run: reference } = snapshot;
    const { outcome } = reference;
    const now = Date.now();
    const [stands, rows, answer, patch, names] = await Promise.all([
      outcome === undefined ? standings.of(run) : { status: outcome.status, reason: outcome.error },
      pLimit(PARALLEL).map(snapshot.agents, async (agent) => agentRow(agent, await endOf(agent), now)),
      outcome === undefined ? undefined : readAnswer(blobs, outcome).catch(() => outcome.answer),
      outcome === undefined ? undefined : readPatch(blobs, outcome).catch(() => undefined),
      inputNames(blobs, specification).catch(() => ({ inputs: undefined })),
    ]);
    const notes = outcome?.notes ?? [];
    return {
      run,
      type: specification.type,
      ...stands,
      prompt: wholeText(specification.prompt),
      repository: repositoryOf(specification),
      signature: specification.type === 'analyze' ? renderSignature(specification.signature) : null,
      inputs:
        specification.type === 'analyze'
          ? specification.inputs.map(({ name }) => ({ name, files: names.inputs?.[name] ?? [] }))
          : [],
      config: specification.config,
      answer: answer === undefined || answer === null ? null : answerView(answer),
      answer_source: outcome?.answer_source ?? null,
      notes,
      patch: patch?.length ?? null,
      agents: rows,
      totals: runTotals(snapshot),
      started_at: reference.started_at,
      ended_at: reference.ended_at ?? null,
      execution_time: outcome?.execution_time ?? (now - reference.started_at) / 1000,
      findings: [...treeFindings(rows), ...notes.map((text) => ({ kind: 'note' as const, text, agents: [] }))],
      controls: live === undefined ? [] : controlsOf(stands.status, specification),
    };
  }

  return {
    view,

    async list(limit) {
      const [stored, known] = await Promise.all([listRuns(blobs), live?.list(limit).catch(() => []) ?? []]);
      const shown = stored.slice(0, limit);
      const states = new Map(known.map((run) => [run.run, run.status]));
      const summaries = await pLimit(PARALLEL).map(shown, (run) => summarize(run, states.get(run.run)));
      const ids = new Set(stored.map(({ run }) => run));
      const begun = known
        .filter(({ run }) => !ids.has(run))
        .map(({ run, status, started_at }) => unbegun(run, status, started_at));
      const runs = [...begun, ...summaries].toSorted((a, b) => (b.started_at ?? 0) - (a.started_at ?? 0));
      return { runs, total: stored.length + begun.length, problems: [] };

      async function summarize(run: RunReference, state: RunStatus | undefined): Promise<RunSummary> {
        const specification = await chains.specification(run.spec).catch(() => undefined);
        const { outcome } = run;
        const snapshot = outcome === undefined ? await createRunReader(blobs, run).snapshot() : undefined;
        const totals = runTotals(snapshot ?? { run, agents: [] });
        return {
          run: run.run,
          type: specification?.type ?? null,
          status: outcome?.status ?? state ?? 'suspended',
          prompt: head(specification?.prompt ?? '', 300),
          repository: specification?.repository?.name ?? null,
          model: specification?.config.model.name ?? null,
          agents: totals.agents,
          max_depth: totals.max_depth,
          iterations: totals.iterations,
          usage: totals.usage,
          started_at: run.started_at,
          execution_time: outcome?.execution_time ?? (Date.now() - run.started_at) / 1000,
        };
      }
    },

    ...trajectories,

    async answer(run) {
      const { outcome } = (await mustOpen(run)).snapshot.run;
      return outcome === undefined ? undefined : ((await readAnswer(blobs, outcome)) ?? undefined);
    },

    async patch(run) {
      const { outcome } = (await mustOpen(run)).snapshot.run;
      return outcome === undefined ? undefined : readPatch(blobs, outcome);
    },

    blob: (hash) => blobs.open(hash),

    async document(run) {
      const { snapshot } = await mustOpen(run);
      // A reader of its own: it keeps all that it has read.
      return resultsDetail(blobs, createRunReader(blobs, snapshot.run), snapshot);
    },

    async control(run, order) {
      if (live === undefined)
        throw new TypedError(
          'Input.Invalid',
          'No Temporal server can be reached from here, so the run cannot be controlled.',
        );
      await live.control(run, order);
      standings.forget(run);
    },
  };
}
