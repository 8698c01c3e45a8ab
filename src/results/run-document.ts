import { findingCounts, type FindingCounts } from '../domain/findings.ts';
import { runLimits, type RunLimits } from '../domain/budget.ts';
import type { AnswerSource, RunOutcome, RunReference, RunSpecification, RunStatus } from '../domain/records.ts';
import type { Usage } from '../domain/usage.ts';
import type { BlobStore } from '../storage/blob-store.ts';
import { createChains } from '../storage/chain.ts';
import { elapsedSeconds, runTotals, type RunSnapshot } from './run-snapshot.ts';
import { parseJson } from '../domain/ordered-json.ts';

/** For each input that is from files their names, in the order in which the variable holds them. */
export type InputNames = Readonly<Record<string, readonly string[]>>;

/** What `--json` prints for a run. */
export interface RunDocument extends PatchFields {
  readonly run_id: string;
  readonly status: RunStatus | 'paused' | 'starting' | 'running' | 'finishing' | 'suspended' | 'terminated';
  /** Absent as long as nothing of it is stored. */
  readonly type?: RunSpecification['type'];
  readonly inputs?: InputNames;
  /** The run that it continues, or was forked from, and the last iteration that both share. */
  readonly from?: { readonly run: string; readonly agent: string; readonly iteration: number };
  /** What the root gave to FINAL: text (a number as well), a list or a dict; of an analysis the fields of its signature. */
  readonly answer: unknown;
  /** Where it comes from; null as long as the run works. */
  readonly answer_source: AnswerSource | null;
  readonly agents: number;
  readonly max_depth: number;
  readonly iterations: number;
  readonly usage: Usage;
  /** In force now, or when it ended: a person may have changed them. Absent as long as nothing of it is stored. */
  readonly limits?: RunLimits;
  readonly sandboxes: number;
  /** Seconds. */
  readonly execution_time: number;
  /** The results file; null where none was written. */
  readonly results: string | null;
  readonly error: string | null;
  /** What a person should know about the result: what the patch could not take in, why it is partial. */
  readonly notes: readonly string[];
  /** How many findings are new since the run before, and so on, where it declares them. */
  readonly findings?: FindingCounts;
}

/** A patch is bytes: as text where it is UTF-8, else as base64. Both null without a patch. */
export interface PatchFields {
  readonly patch: string | null;
  readonly patch_base64?: string;
}

/** @param status of a run without an outcome */
export async function runDocument(
  blobs: BlobStore,
  snapshot: RunSnapshot,
  {
    status,
    results,
    now,
    reason,
    limits,
  }: {
    status: RunDocument['status'];
    results: string | null;
    now: number;
    reason?: string | null;
    /** As the run says itself while it is open. */
    limits?: RunLimits | undefined;
  },
): Promise<RunDocument> {
  const { run } = snapshot;
  const { agents, max_depth, iterations, usage, sandboxes } = runTotals(snapshot);
  const { outcome } = run;
  const specification = await createChains(blobs).specification(run.spec);
  const answer = outcome === undefined ? null : await readAnswer(blobs, outcome);
  return {
    run_id: run.run,
    type: specification.type,
    ...(await inputNames(blobs, specification)),
    ...originFields(run),
    status: outcome?.status ?? status,
    answer: specification.type === 'investigate' && typeof answer === 'number' ? String(answer) : answer,
    answer_source: outcome?.answer_source ?? null,
    ...patchFields(outcome === undefined ? undefined : await readPatch(blobs, outcome)),
    agents,
    max_depth,
    iterations,
    usage,
    limits: limits ?? (await limitsOf(blobs, run, specification)),
    sandboxes,
    execution_time: elapsedSeconds(snapshot, status, now),
    results,
    error: outcome?.error ?? reason ?? null,
    notes: outcome?.notes ?? [],
    ...(outcome === undefined ? {} : findingCounts(outcome)),
  };
}

export function originFields({ from }: RunReference): Pick<RunDocument, 'from'> {
  return from === undefined ? {} : { from: { run: from.run, agent: from.agent, iteration: from.iteration } };
}

/** Those in force when it ended; of a run that is open those of its configuration. */
export async function limitsOf(
  blobs: BlobStore,
  { limits, settings }: RunReference,
  specification: RunSpecification,
): Promise<RunLimits> {
  if (limits !== undefined) return limits;
  const { config } = settings === undefined ? specification : await createChains(blobs).specification(settings);
  return runLimits(config.rlm);
}

/** Of an analysis, the inputs that are from files. */
export async function inputNames(
  blobs: BlobStore,
  specification: RunSpecification,
): Promise<{ readonly inputs?: InputNames }> {
  if (specification.type !== 'analyze') return {};
  const entries: (readonly [string, readonly string[]])[] = [];
  for (const { name, files } of specification.inputs) {
    if (files === undefined) continue;
    // oxlint-disable-next-line no-await-in-loop -- inputs are few
    const bytes = await blobs.get(files.ref);
    entries.push([name, JSON.parse(Buffer.from(bytes).toString('utf8')) as string[]]);
  }
  return entries.length === 0 ? {} : { inputs: Object.fromEntries(entries) };
}

/** The whole answer; null where the run has none. */
export async function readAnswer(blobs: BlobStore, outcome: RunOutcome): Promise<unknown> {
  if (outcome.answer_ref === null) return outcome.answer;
  return parseJson(Buffer.from(await blobs.get(outcome.answer_ref)).toString('utf8'));
}

/** Undefined where the run changed nothing. */
export async function readPatch(blobs: BlobStore, outcome: RunOutcome): Promise<Uint8Array | undefined> {
  if (outcome.patch_ref === null) return undefined;
  const bytes = await blobs.get(outcome.patch_ref);
  return bytes.length === 0 ? undefined : bytes;
}

export function patchFields(patch: Uint8Array | undefined): PatchFields {
  if (patch === undefined) return { patch: null };
  const bytes = Buffer.from(patch);
  const text = bytes.toString('utf8');
  return Buffer.from(text, 'utf8').equals(bytes)
    ? { patch: text }
    : { patch: null, patch_base64: bytes.toString('base64') };
}
