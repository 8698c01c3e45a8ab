import type { BatchInput, BatchOutcome, ItemEnd, NextItem } from './batch.ts';

/** The messages between the workflow `batch` and its activities. */
export interface BatchActivities {
  prepareBatch(input: PrepareBatchInput): Promise<PlannedBatch>;
  /** At least one item, with those after it as far as they are read with it. */
  readBatchItems(input: ReadBatchItemsInput): Promise<NextItem[]>;
  /** Of a run that had begun before its batch did; null where it is to run. */
  endMeanwhile(input: EndMeanwhileInput): Promise<ItemEnd | null>;
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
  /** Blob with the pages of planned items. */
  readonly list: string;
  readonly total: number;
  /** Milliseconds since the epoch, by the clock of the workers. */
  readonly started_at: number;
}

export interface ReadBatchItemsInput extends BatchActivity {
  readonly list: string;
  /** Position of the first item that is wanted. */
  readonly from: number;
}

export interface EndMeanwhileInput extends BatchActivity {
  readonly run: string;
  readonly retry_failed: boolean;
}

export interface EndOfItemInput extends BatchActivity {
  readonly run: string;
  /** What its workflow failed with. */
  readonly error: string;
}

export interface RecordBatchInput extends BatchActivity {
  readonly list: string;
  /** Milliseconds since the epoch. */
  readonly started_at: number;
  readonly outcome: Omit<BatchOutcome, 'report_ref'>;
}
