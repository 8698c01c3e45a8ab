import type { AnalyzeInput, InvestigateInput } from './contract.ts';
import type { FindingCounts } from './findings.ts';
import type { RunStatus } from './records.ts';

/** Input of the workflow `batch`: many runs, at most so many at once. */
export interface BatchInput {
  /** As the input of `investigate`, or of `analyze` where there is a `signature`; with an `id` that reports show. */
  readonly items?: readonly BatchItem[];
  /** Set by a client that has stored the items already, instead of `items`: blob with the list. */
  readonly stored_items?: string;
  /** Runs at once, at most 500. Default 10. */
  readonly concurrency?: number;
  /** USD for all of them: when it is reached, no other run is started. Default: no limit. */
  readonly max_cost?: number;
  /** Of items that have none of their own. */
  readonly config?: unknown;
  /** Whether items that failed in an earlier execution run again. Those that completed never do. Default false. */
  readonly retry_failed?: boolean;
  /** Set by the workflow itself when it continues as new. */
  readonly state?: BatchProgress;
}

export type BatchItem = { readonly id?: string } & (InvestigateInput | AnalyzeInput);

/** An item with the run that does it. */
export type PlannedItem = {
  readonly run: string;
  /** What reports call it. */
  readonly name: string;
} & (
  | { readonly type: 'investigate'; readonly input: InvestigateInput }
  | { readonly type: 'analyze'; readonly input: AnalyzeInput }
);

/** An item with what was known of its run when the batch started. */
export type NextItem = PlannedItem & {
  /** How it ended, where it need not run again. */
  readonly ended?: ItemEnd;
  /** It had begun, and may end before its turn comes. */
  readonly begun?: true;
};

/** A part of the planned items that is read at once. */
export interface ItemPage {
  /** Position of its first item. */
  readonly from: number;
  /** Blob with a list of `NextItem`. */
  readonly items: string;
}

export interface ItemEnd {
  readonly status: RunStatus;
  /** USD. */
  readonly cost: number;
}

/** What travels when a batch continues as new. */
export interface BatchProgress {
  /** Blob with the pages of planned items. */
  readonly list: string;
  readonly total: number;
  /** Items before this one have ended, or were skipped. */
  readonly next: number;
  readonly counts: BatchCounts;
  /** USD of the runs of this execution. */
  readonly cost: number;
  readonly paused: boolean;
  /** Why it is paused. */
  readonly pause_reason?: string;
  readonly max_cost?: number;
  /** Milliseconds since the epoch. */
  readonly started_at: number;
}

export interface BatchCounts {
  readonly completed: number;
  /** Failed, timed out or cancelled. */
  readonly failed: number;
  /** Had ended before, and did not run again; by how they had ended. */
  readonly kept_completed: number;
  readonly kept_failed: number;
  /** Not started, because the budget was used up. */
  readonly not_started: number;
}

export const NO_COUNTS: BatchCounts = {
  completed: 0,
  failed: 0,
  kept_completed: 0,
  kept_failed: 0,
  not_started: 0,
};

/** Answer of the query `status` on a batch. */
export interface BatchState {
  readonly status: 'starting' | 'running' | 'paused' | 'finishing' | 'completed' | 'failed' | 'cancelled';
  readonly reason: string | null;
  readonly total: number;
  readonly counts: BatchCounts;
  /** Runs that are at work. */
  readonly running: readonly string[];
  readonly cost: number;
  readonly max_cost: number | null;
  /** Messages that were ignored, the newest last. */
  readonly notes: readonly string[];
  /** Milliseconds since the epoch. */
  readonly started_at: number;
}

/** What a batch returns. */
export interface BatchOutcome {
  readonly batch: string;
  readonly status: 'completed' | 'failed' | 'cancelled';
  readonly total: number;
  readonly counts: BatchCounts;
  /** USD of the runs of this execution. */
  readonly cost: number;
  /** Blob with the `BatchReport`. */
  readonly report_ref: string | null;
}

export interface BatchReport {
  readonly batch: string;
  readonly execution: string;
  readonly total: number;
  readonly counts: BatchCounts;
  readonly cost: number;
  /** ISO 8601. */
  readonly started_at: string;
  readonly ended_at: string;
  readonly items: readonly ReportedItem[];
}

export interface ReportedItem {
  readonly item: string;
  readonly run: string;
  readonly status: RunStatus | 'not_started';
  /** It ran in this execution of the batch; else it had ended before. */
  readonly is_new: boolean;
  readonly answer: string | null;
  readonly error: string | null;
  readonly has_patch: boolean;
  /** Beside those of the occurrence before, where its run declares findings. */
  readonly findings?: FindingCounts;
  readonly cost: number;
  /** Seconds. */
  readonly execution_time: number;
}

/** What the reference `batches/<batch>@<execution>` holds. */
export interface BatchReference {
  readonly batch: string;
  readonly execution: string;
  readonly report: string;
  /** Milliseconds since the epoch. */
  readonly ended_at: number;
  readonly outcome: Omit<BatchOutcome, 'report_ref'>;
}

export function batchReferenceName(batch: string, execution: string): string {
  return `batches/${batch}@${execution}`;
}

/** Reference with the `ItemFailure` of a run that failed before it had stored anything: no worker admitted it, say. */
export function itemFailureName(execution: string, run: string): string {
  return `batch-failures/${execution}/${run}`;
}

export interface ItemFailure {
  readonly error: string;
}

/** What the ids of all its runs begin with. */
export function runsOfBatch(batch: string): string {
  return `${batch}.`;
}

/** Most runs at once: Temporal takes 2,000 pending children of a workflow. */
export const MAX_CONCURRENCY = 500;
export const DEFAULT_CONCURRENCY = 10;

export function countEnd(counts: BatchCounts, status: RunStatus, isKept: boolean): BatchCounts {
  const name = status === 'completed' ? 'completed' : 'failed';
  const counted = isKept ? (`kept_${name}` as const) : name;
  return { ...counts, [counted]: counts[counted] + 1 };
}
