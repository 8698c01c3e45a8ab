import type { BatchInput, BatchOutcome, ItemEnd, NextItem } from './batch.ts';

/** The messages between the workflow `batch` and its activities. */
export interface BatchActivities {
  prepareBatch(input: PrepareBatchInput): Promise<PlannedBatch>;
  readBatchItems(input: ReadBatchItemsInput): Promise<NextItem[]>;
  endOfItem(input: EndOfItemInput): Promise<ItemEnd>;
  /** Writes the report of a batch where it is found without Temporal. */
  recordBatch(input: RecordBatchInput): Promise<BatchOutcome>;
}

interface BatchActivity {
  /** First execution id of the batch's workflow. */
  readonly execution: string;
}

export interface PrepareBatchInput extends BatchActivity {
  readonly batch: string;
  readonly input: BatchInput;
}

export interface PlannedBatch {
  /** Blob with the planned items. */
  readonly list: string;
  readonly total: number;
  /** Milliseconds since the epoch, by the clock of the workers. */
  readonly started_at: number;
}

export interface ReadBatchItemsInput extends BatchActivity {
  readonly list: string;
  /** Positions in the list, `to` excluded. */
  readonly from: number;
  readonly to: number;
  readonly retry_failed: boolean;
}

export interface EndOfItemInput extends BatchActivity {
  readonly run: string;
}

export interface RecordBatchInput extends BatchActivity {
  readonly list: string;
  /** Milliseconds since the epoch. */
  readonly started_at: number;
  readonly outcome: Omit<BatchOutcome, 'report_ref'>;
}
