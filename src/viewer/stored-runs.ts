import { LRUCache } from 'lru-cache';
import pLimit from 'p-limit';
import { TypedError } from '../domain/failures.ts';
import type { AgentReference, EndRecord, RunReference } from '../domain/records.ts';
import { renderSignature } from '../domain/signature/render.ts';
import { findRun, listRuns } from '../results/find-run.ts';
import { resultsDetail } from '../results/results-files.ts';
import { inputNames, readAnswer, readPatch } from '../results/run-document.ts';
import { createRunReader, type RunReader } from '../results/run-reader.ts';
import { questionContent } from '../results/question-content.ts';
import { currentSnapshot, runTotals, withoutOldOutcome } from '../results/run-snapshot.ts';
import type { BlobStore } from '../storage/blob-store.ts';
import { createChains } from '../storage/chain.ts';
import { readable } from './lost.ts';
import type { RunSummary, RunView } from './model.ts';
import { agentRow } from './read-agent.ts';
import { treeFindings } from './read-findings.ts';
import {
  answerView,
  controlsOf,
  noPatch,
  LOST_PROMPT,
  questionsOf,
  repositoryOf,
  unbegun,
  uncontrollable,
  viewUnstored,
} from './run-parts.ts';
import type { RunSource } from './run-source.ts';
import { hasEnded } from './run-status.ts';
import { createStandings, unendedStatus, type LiveRun, type LiveRuns, type Standing } from './standings.ts';
import { createTrajectories, type OpenRun } from './stored-trajectories.ts';
import { head, wholeText } from './text.ts';

/** Characters of records that are kept in memory. */
const CACHED_CHARACTERS = 128_000_000;
/** Milliseconds for which a look at a run's references serves every request. */
const LOOK_MS = 200;
const ENDED_LOOK_MS = 5000;
const PARALLEL = 32;
/** Open runs of the list that are asked how they stand. */
const MAX_ASKED = 20;
/** Characters of a call or a patch that a person is asked about. */
const QUESTION_CHARACTERS = 2_000_000;

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
    const [snapshot, specification] = await Promise.all([
      reader.snapshot(),
      readable('What was asked, and its settings,', reader.specification(reference)),
    ]);
    return snapshot === undefined ? undefined : { snapshot, specification };
  }

  /** What was read before the run ended does not have its outcome. */
  async function openEnded(run: string, { snapshot }: OpenRun, stands: Standing): Promise<OpenRun | undefined> {
    if (stands.kind !== 'known' || !hasEnded(stands.status)) return undefined;
    const { outcome } = withoutOldOutcome(snapshot.run, stands.startedAt);
    if (outcome !== undefined) return undefined;
    opened.delete(run);
    return open(run);
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
    const known = await open(run);
    if (known === undefined) return viewUnstored(run, await live?.status(run, false).catch(() => undefined));
    const stands = await standings.of(run);
    const found = (await openEnded(run, known, stands)) ?? known;
    const specification = 'value' in found.specification ? found.specification.value : undefined;
    const now = Date.now();
    const snapshot = currentSnapshot(found.snapshot, stands.kind === 'known' ? stands.startedAt : undefined);
    const { run: reference } = snapshot;
    const { outcome } = reference;
    const { status, reason } =
      outcome === undefined ? unendedStatus(stands) : { status: outcome.status, reason: outcome.error };
    const [rows, answer, patch, names] = await Promise.all([
      pLimit(PARALLEL).map(snapshot.agents, async (agent) => agentRow(agent, await endOf(agent), now)),
      readable('All of the answer', outcome === undefined ? Promise.resolve(undefined) : readAnswer(blobs, outcome)),
      readable('The patch', outcome === undefined ? Promise.resolve(undefined) : readPatch(blobs, outcome)),
      specification === undefined
        ? { value: { inputs: undefined } }
        : readable('Which files it was given', inputNames(blobs, specification)),
    ]);
    const shownAnswer = 'value' in answer ? answer.value : outcome?.answer;
    const notes = outcome?.notes ?? [];
    return {
      run,
      type: specification?.type ?? null,
      status,
      reason,
      prompt: wholeText(specification?.prompt ?? LOST_PROMPT),
      repository: repositoryOf(specification),
      signature: specification?.type === 'analyze' ? renderSignature(specification.signature) : null,
      inputs:
        specification?.type === 'analyze'
          ? specification.inputs.map(({ name }) => ({
              name,
              files: 'value' in names ? (names.value.inputs?.[name] ?? []) : [],
            }))
          : [],
      schedule: reference.schedule ?? (stands.kind === 'known' ? stands.schedule : undefined) ?? null,
      from: fromOf(reference),
      config: specification?.config ?? null,
      answer: shownAnswer === undefined || shownAnswer === null ? null : answerView(shownAnswer),
      answer_source: outcome?.answer_source ?? null,
      notes,
      patch: 'value' in patch ? (patch.value?.length ?? null) : null,
      no_patch: noPatch({
        type: specification?.type ?? null,
        hasEnded: outcome !== undefined,
        isTaken: outcome?.patch_ref !== null,
        notes,
        agents: rows,
      }),
      agents: rows,
      totals: runTotals(snapshot),
      started_at: reference.started_at,
      ended_at: reference.ended_at ?? null,
      execution_time: outcome?.execution_time ?? (now - reference.started_at) / 1000,
      findings: [...treeFindings(rows), ...notes.map((text) => ({ kind: 'note' as const, text, agents: [] }))],
      missing: [found.specification, answer, patch, names].flatMap((part) => ('lost' in part ? [part.lost] : [])),
      questions: outcome === undefined ? questionsOf(stands) : [],
      controls: live === undefined ? [] : controlsOf(status, stands, { rows, config: specification?.config }),
      uncontrollable: live === undefined ? null : uncontrollable(stands),
    };
  }

  return {
    view,

    async list(limit) {
      const [stored, known] = await Promise.all([listRuns(blobs), live?.list(limit).catch(() => []) ?? []]);
      const shown = stored.slice(0, limit);
      const byId = new Map(known.map((run) => [run.run, run]));
      const summaries = await pLimit(PARALLEL).map(shown, (run) => summarize(run, byId.get(run.run)));
      const ids = new Set(stored.map(({ run }) => run));
      const begun = known.filter(({ run }) => !ids.has(run)).map(unbegun);
      const sorted = [...begun, ...summaries].toSorted((a, b) => (b.started_at ?? 0) - (a.started_at ?? 0));
      const runs = await withStandings(sorted);
      return { runs, total: stored.length + begun.length, problems: [] };

      /** What Temporal calls running may be paused, or nobody may be at work on it: the newest of them are asked. */
      async function withStandings(listed: readonly RunSummary[]): Promise<readonly RunSummary[]> {
        const running = listed.filter(({ status }) => status === 'running').slice(0, MAX_ASKED);
        const asked = await Promise.all(
          running.map(async ({ run }) => [run, unendedStatus(await standings.of(run)).status] as const),
        );
        const states = new Map(asked.filter(([, status]) => status !== 'unknown'));
        return listed.map((run) => ({ ...run, status: states.get(run.run) ?? run.status }));
      }

      async function summarize(
        reference: RunReference,
        alive: Pick<LiveRun, 'status' | 'startedAt' | 'schedule'> | undefined,
      ): Promise<RunSummary> {
        const run = withoutOldOutcome(reference, alive?.startedAt);
        const specification = await chains.specification(run.spec).catch(() => undefined);
        const { outcome } = run;
        const snapshot = outcome === undefined ? await createRunReader(blobs, run).snapshot() : undefined;
        const totals = runTotals({ run, agents: snapshot?.agents ?? [] });
        return {
          run: run.run,
          type: specification?.type ?? null,
          status: outcome?.status ?? alive?.status ?? 'suspended',
          prompt: head(specification?.prompt ?? LOST_PROMPT, 300),
          repository: specification?.repository?.name ?? null,
          model: specification?.config.model.name ?? null,
          schedule: run.schedule ?? alive?.schedule ?? null,
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
      try {
        return await live.control(run, order);
      } finally {
        standings.forget(run);
        opened.delete(run);
      }
    },

    async standing(run) {
      const found = await open(run);
      if (found === undefined) return undefined;
      const stands = await standings.of(run);
      const { outcome } = withoutOldOutcome(found.snapshot.run, stands.kind === 'known' ? stands.startedAt : undefined);
      return { status: outcome?.status ?? unendedStatus(stands).status };
    },

    async question(run, id) {
      const stands = await standings.of(run);
      const asked = stands.kind === 'known' ? stands.questions.find((each) => each.id === id) : undefined;
      if (asked === undefined) return undefined;
      const whole = Buffer.from(await questionContent(blobs, asked)).toString('utf8');
      return {
        step: asked.step,
        content: { ...wholeText(whole), text: head(whole, QUESTION_CHARACTERS) },
      };
    },
  };
}

function fromOf({ from }: RunReference): RunView['from'] {
  return from === undefined ? null : { run: from.run, agent: from.agent, iteration: from.iteration };
}
