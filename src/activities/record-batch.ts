import pLimit from 'p-limit';
import {
  batchReferenceName,
  itemFailureName,
  runsOfBatch,
  type BatchOutcome,
  type BatchReference,
  type BatchReport,
  type ItemFailure,
  type PlannedItem,
  type ReportedItem,
} from '../domain/batch.ts';
import type { RecordBatchInput } from '../domain/contract-batch.ts';
import { findingCounts } from '../domain/findings.ts';
import type { RunReference } from '../domain/records.ts';
import { truncate } from '../domain/truncate.ts';
import type { ActivityDependencies } from './dependencies.ts';
import { plannedItems } from './item-pages.ts';
import { withHeartbeat } from './with-heartbeat.ts';

/** Characters of an answer in a report; `rlm result` has all of it. */
const SHOWN_ANSWER = 1000;
/** Runs that are read at the same time. */
const PARALLEL = 16;

/** Writes the report of a batch, every item once, from what its runs have recorded. */
export async function recordBatch(
  deps: ActivityDependencies,
  { execution, list, started_at, outcome }: RecordBatchInput,
): Promise<BatchOutcome> {
  return withHeartbeat(async () => {
    const planned = await plannedItems(deps, list);
    const find = await deps.indexRuns(runsOfBatch(outcome.batch));
    const failures = new Set(await deps.blobs.listReferences(itemFailureName(execution, '')));
    const failureOf = async (run: string): Promise<ItemFailure | undefined> => {
      const name = itemFailureName(execution, run);
      return failures.has(name) ? ((await deps.blobs.getReference(name)) as ItemFailure) : undefined;
    };
    const items = await pLimit(PARALLEL).map(planned, async (item) =>
      reported(item, { reference: await find(item.run), failure: await failureOf(item.run), since: started_at }),
    );
    const now = Date.now();
    const report: BatchReport = {
      batch: outcome.batch,
      execution,
      total: outcome.total,
      counts: outcome.counts,
      cost: outcome.cost,
      started_at: new Date(started_at).toISOString(),
      ended_at: new Date(now).toISOString(),
      items,
    };
    const ref = await deps.chains.putJson(report);
    const reference: BatchReference = { batch: outcome.batch, execution, report: ref, ended_at: now, outcome };
    await deps.blobs.setReference(batchReferenceName(outcome.batch, execution), reference);
    return { ...outcome, report_ref: ref };
  });
}

interface EndedRun {
  readonly reference: RunReference | undefined;
  readonly failure: ItemFailure | undefined;
  /** When the batch started. */
  readonly since: number;
}

function reported({ run, name }: PlannedItem, { reference, failure, since }: EndedRun): ReportedItem {
  const { outcome } = reference ?? {};
  if (reference === undefined || outcome === undefined) {
    const isBegun = reference !== undefined || failure !== undefined;
    return {
      item: name,
      run,
      status: isBegun ? 'failed' : 'not_started',
      is_new: isBegun,
      answer: null,
      error: failure?.error ?? (isBegun ? 'it was ended before it could record an outcome' : null),
      has_patch: false,
      cost: 0,
      execution_time: 0,
    };
  }
  return {
    item: name,
    run,
    status: outcome.status,
    is_new: (reference.ended_at ?? 0) >= since,
    answer: outcome.answer === null ? null : truncate(outcome.answer, SHOWN_ANSWER),
    error: outcome.error,
    has_patch: outcome.patch_ref !== null,
    ...findingCounts(outcome),
    cost: outcome.usage.cost,
    execution_time: outcome.execution_time,
  };
}
