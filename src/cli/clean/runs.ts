import type { Client } from '@temporalio/client';
import pLimit from 'p-limit';
import { agentReferenceName, runReferenceName, type AgentReference, type RunReference } from '../../domain/records.ts';
import { KEY_VARIABLE } from '../../domain/key-missing.ts';
import { listWorkflows } from '../../encryption/list-workflows.ts';
import { storedInputsOf } from '../../grants.ts';
import { readableRuns } from '../../results/find-run.ts';
import type { BlobStore } from '../../storage/blob-store.ts';
import { createChains } from '../../storage/chain.ts';
import type { TimeSpan } from '../../storage/sweep-blobs.ts';
import { describeWorkflow } from '../../reaper.ts';
import { plural } from '../live/format.ts';

/** What Temporal and the store together know of a run. */
export interface JudgedRun {
  readonly reference: RunReference;
  /** unknown: it has no outcome, and this Temporal server knows nothing of it (any more). */
  readonly state: 'open' | 'ended' | 'unknown';
  /** Milliseconds since the epoch; of one that is unknown its last sign of life. */
  readonly endedAt: number;
}

export interface JudgedRuns {
  readonly runs: readonly JudgedRun[];
  /** Ids of runs that cannot be read without a key. */
  readonly unreadable: readonly string[];
  /** When runs began that wait for a worker and have stored nothing yet. Milliseconds since the epoch. */
  readonly waiting: readonly number[];
}

/** What a writer may be late or early by, and more. */
const DAY = 24 * 60 * 60_000;
const PARALLEL = 16;

/** Every run that the store knows, and what Temporal says of it. */
export async function judgeRuns(blobs: BlobStore, client: Client): Promise<JudgedRuns> {
  // What has ended is asked for by name where it matters; a run that was reset is only found in the list.
  const running = new Map<string, number>();
  const query = "ExecutionStatus = 'Running' AND WorkflowType IN ('investigate', 'analyze', 'batch')";
  for await (const { workflowId, startTime } of listWorkflows(client, query))
    running.set(workflowId, startTime.getTime());
  const { runs: references, unreadable } = await readableRuns(blobs);
  const runs = await pLimit(PARALLEL).map(references, (reference) => judge(blobs, client, reference, running));
  const known = new Set([...references.map(({ run }) => run), ...unreadable]);
  return {
    runs,
    unreadable,
    waiting: [...running].filter(([run]) => !known.has(run)).map(([, startedAt]) => startedAt),
  };
}

async function judge(
  blobs: BlobStore,
  client: Client,
  reference: RunReference,
  running: ReadonlyMap<string, number>,
): Promise<JudgedRun> {
  const { run, execution, outcome, ended_at } = reference;
  if (outcome !== undefined && !running.has(run))
    return { reference, state: 'ended', endedAt: ended_at ?? (await lastSign(blobs, reference)) };
  const now = await describeWorkflow(client, run);
  const isThis = now.execution === execution;
  if (isThis && now.open) return { reference, state: 'open', endedAt: Date.now() };
  const endedAt = ended_at ?? (isThis ? now.closedAt : undefined) ?? (await lastSign(blobs, reference));
  // Its id has been used again: then it has ended.
  const hasEnded = outcome !== undefined || now.execution !== undefined;
  return { reference, state: hasEnded ? 'ended' : 'unknown', endedAt };
}

async function lastSign(blobs: BlobStore, { run, execution, started_at }: RunReference): Promise<number> {
  const names = await blobs.listReferences(agentReferenceName(run, execution, ''));
  const values = await pLimit(PARALLEL).map(names, (name) => blobs.getReference(name));
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- written by activities only; the run's own has no such time
  return Math.max(started_at, ...(values as Partial<AgentReference>[]).map(({ updated_at }) => updated_at ?? 0));
}

/** When blobs were written that runs which have not ended may refer to from Temporal's history alone. */
export function openSpans({ runs, waiting }: JudgedRuns): TimeSpan[] {
  const always = Number.POSITIVE_INFINITY;
  return [
    ...waiting.map((startedAt) => ({ from: startedAt - DAY, to: always })),
    ...runs
      .filter(({ state }) => state !== 'ended')
      .map(({ reference, state, endedAt }) => ({
        from: reference.started_at - DAY,
        to: state === 'open' ? always : endedAt + DAY,
      })),
  ];
}

export interface Forgetting {
  readonly runs: readonly JudgedRun[];
  /** References of bundles that no other run is on; gone before the runs themselves. */
  readonly bundles: readonly string[];
  readonly notes: readonly string[];
}

/**
 * Which runs can be forgotten: ended long enough ago, and no agent of theirs is at work.
 *
 * @param owner - only runs of this server; undefined: of any that has the store
 */
export async function planForgetting(
  blobs: BlobStore,
  client: Client,
  judged: JudgedRuns,
  {
    before,
    owner,
  }: { readonly before: number; readonly owner: Pick<RunReference, 'cluster' | 'namespace'> | undefined },
): Promise<Forgetting> {
  const isOwn = ({ reference }: JudgedRun): boolean =>
    owner === undefined || (reference.cluster === owner.cluster && reference.namespace === owner.namespace);
  const ended = judged.runs.filter(({ state, endedAt }) => state === 'ended' && endedAt < before);
  const old = ended.filter(isOwn);
  const others = ended.length - old.length;
  const idle = await pLimit(PARALLEL).map(old, (run) => isIdle(client, run.reference));
  const runs = old.filter((_, at) => idle[at]);
  const unknown = judged.runs.filter(({ state, endedAt }) => state === 'unknown' && endedAt < before).length;
  const busy = old.length - runs.length;
  return {
    runs,
    bundles:
      judged.waiting.length > 0 || judged.unreadable.length > 0 ? [] : await ownBundles(blobs, judged.runs, runs),
    notes: [
      ...(judged.unreadable.length === 0
        ? []
        : [
            `${plural(judged.unreadable.length, 'run')} could not be judged: encrypted with a key that ${KEY_VARIABLE} does not have.`,
          ]),
      ...(unknown === 0
        ? []
        : [`${plural(unknown, 'run')} without an end could not be judged: this Temporal server does not know them.`]),
      ...(others === 0
        ? []
        : [
            `${plural(others, 'run')} of another Temporal server or namespace ${others === 1 ? 'was' : 'were'} left alone (--all-servers).`,
          ]),
      ...(busy === 0 ? [] : [`${plural(busy, 'run')} that ended still ${busy === 1 ? 'has' : 'have'} agents at work.`]),
    ],
  };
}

/** By describe, not from a list that may lag: neither the run nor its root is open. */
async function isIdle(client: Client, { run, execution }: RunReference): Promise<boolean> {
  const [own, root] = await Promise.all([describeWorkflow(client, run), describeWorkflow(client, `${run}/0`)]);
  if (own.execution !== undefined && own.execution !== execution) return true;
  if (own.open || root.open) return false;
  const query = `WorkflowId STARTS_WITH '${run}/' AND ExecutionStatus = 'Running'`;
  return (await client.workflow.count(query)).count === 0;
}

/** A bundle is kept by a reference of its own, for the next run on its commit. */
async function ownBundles(
  blobs: BlobStore,
  all: readonly JudgedRun[],
  forgotten: readonly JudgedRun[],
): Promise<string[]> {
  if (forgotten.length === 0) return [];
  const chains = createChains(blobs, { cacheCharacters: 0 });
  const bundleOf = async ({ reference }: JudgedRun): Promise<string | undefined> => {
    return (await chains.specification(reference.spec)).repository?.bundle;
  };
  const gone = new Set(forgotten);
  // A specification that cannot be read might name any of them.
  const others = await pLimit(PARALLEL)
    .map(
      all.filter((run) => !gone.has(run)),
      bundleOf,
    )
    .catch(() => undefined);
  if (others === undefined) return [];
  const theirs = await pLimit(PARALLEL).map(forgotten, (run) => bundleOf(run).catch(() => undefined));
  const lost = new Set(theirs.filter((bundle) => bundle !== undefined && !others.includes(bundle)));
  const names = await blobs.listReferences('bundles/');
  const values = await pLimit(PARALLEL).map(names, (name) => blobs.getReference(name));
  return names.filter((_, at) => lost.has(String(values[at])));
}

/** The references of a run, its own last: as long as that is there, forgetting it can be gone on with. */
export async function referencesOf(blobs: BlobStore, { run, execution }: RunReference): Promise<string[]> {
  const own = runReferenceName(run, execution);
  const [journal, agents, inputs] = await Promise.all([
    blobs.listReferences(`journal/${run}@${execution}/`),
    blobs.listReferences(agentReferenceName(run, execution, '')),
    blobs.listReferences(storedInputsOf(run)),
  ]);
  return [...inputs, ...journal, ...agents.filter((name) => name !== own), own];
}

/** Removes what is known of a run. */
export async function forgetRun(blobs: BlobStore, reference: RunReference): Promise<void> {
  const names = await referencesOf(blobs, reference);
  const journals = await blobs.listJournals(`${reference.run}@${reference.execution}/`);
  await pLimit(PARALLEL).map(journals, (name) => blobs.deleteJournal(name));
  await pLimit(PARALLEL).map(names.slice(0, -1), (name) => blobs.deleteReference(name));
  await Promise.all(names.slice(-1).map((name) => blobs.deleteReference(name)));
}
