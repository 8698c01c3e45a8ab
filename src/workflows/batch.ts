import {
  ApplicationFailure,
  CancellationScope,
  CancelledFailure,
  ChildWorkflowCancellationType,
  condition,
  continueAsNew,
  defineQuery,
  ParentClosePolicy,
  setCurrentDetails,
  setHandler,
  setWorkflowOptions,
  startChild,
  workflowInfo,
  isCancellation,
} from '@temporalio/workflow';
import {
  countEnd,
  DEFAULT_CONCURRENCY,
  NO_COUNTS,
  type BatchInput,
  type BatchOutcome,
  type BatchProgress,
  type BatchState,
  type ItemEnd,
  type NextItem,
} from '../domain/batch.ts';
import type { FailureType } from '../domain/failures.ts';
import { pauseMessage, resumeMessage, setBudgetMessage, statusQuery, type BudgetMessage } from '../domain/messages.ts';
import type { RunOutcome } from '../domain/records.ts';
import { runActivities } from './activities.ts';
import { failPlainly, failureMessage } from './failure.ts';
import { createIgnoredMessages, ignoreOtherSignals, onMessage } from './messages.ts';
import { createPauseGate, PAUSED_BY_A_PERSON } from './pause-gate.ts';
import { cancelledByName, startChildReplacing } from './start-child.ts';
import { createTellPaused, type TellPaused } from './tell-paused.ts';

const BATCH_FAILED: FailureType = 'Batch.Failed';

/** Limits that only the runs of a batch have. */
function notOfBatches(message: BudgetMessage): string | undefined {
  const names = Object.keys(message).filter((name) => !['id', 'grant', 'max_cost'].includes(name));
  if (names.length === 0) return undefined;
  return `a batch has max_cost only: ${names.join(', ')} can be set for each of its runs`;
}

type ItemWorkflow = (input: NextItem['input']) => Promise<RunOutcome>;

setWorkflowOptions({ failureExceptionTypes: [Error] }, batch);
/** Many runs, at most `concurrency` at once; each is a run of its own, and one that fails leaves the others alone. */
export async function batch(input: BatchInput): Promise<BatchOutcome> {
  const { workflowId, firstExecutionRunId: execution } = workflowInfo();
  const ignored = createIgnoredMessages();
  const working = new Map<string, TellPaused>();
  let running = 0;
  let status: BatchState['status'] = 'starting';
  let progress: BatchProgress | undefined = input.state;
  let maxCost = progress?.max_cost ?? input.max_cost;

  let pauseReason = input.state?.pause_reason ?? PAUSED_BY_A_PERSON;

  const gate = createPauseGate({
    closed: input.state?.paused === true,
    ignored,
    reply: () => read(),
    problemOf: ({ agent }) =>
      agent === undefined ? undefined : `a batch has no agents: send it to the run of agent ${agent}`,
    onChange: (cause) => {
      pauseReason = cause?.reason ?? pauseReason;
      show();
      for (const tellPaused of working.values()) tellPaused(cause && { reason: cause.reason });
    },
  });
  onMessage<BudgetMessage>(setBudgetMessage, ignored, {
    description: 'Change what all items together may spend. {max_cost, id?}',
    problemOf: notOfBatches,
    apply: ({ max_cost }) => {
      maxCost = max_cost ?? maxCost;
    },
    reply: () => read(),
  });
  const read = (): BatchState => ({
    status: gate.closed && status === 'running' ? 'paused' : status,
    reason: gate.closed ? pauseReason : null,
    total: progress?.total ?? 0,
    counts: progress?.counts ?? NO_COUNTS,
    running: [...working.keys()],
    cost: progress?.cost ?? 0,
    max_cost: maxCost ?? null,
    notes: ignored.notes,
    started_at: progress?.started_at ?? 0,
  });
  setHandler(defineQuery<BatchState>(statusQuery), read, { description: 'How far the batch is' });
  ignoreOtherSignals(ignored, [pauseMessage, resumeMessage, setBudgetMessage]);

  progress ??= await begin(input, execution);
  const state: { -readonly [Field in keyof BatchProgress]: BatchProgress[Field] } = { ...progress };
  progress = state;
  const concurrency = input.concurrency ?? DEFAULT_CONCURRENCY;
  const isUsedUp = (): boolean => maxCost !== undefined && state.cost >= maxCost;
  let page: NextItem[] = [];
  let pageAt = state.next;
  status = 'running';

  function show(): void {
    const { completed, failed, kept_completed, kept_failed } = progress?.counts ?? NO_COUNTS;
    const done = `${completed + failed + kept_completed + kept_failed} of ${progress?.total ?? 0}, ${failed} failed`;
    setCurrentDetails(gate.closed ? `${done}; paused: ${pauseReason}` : done);
  }

  function count(end: ItemEnd, isKept: boolean): void {
    state.counts = countEnd(state.counts, end.status, isKept);
    if (!isKept) state.cost = Math.round((state.cost + end.cost) * 1e9) / 1e9;
    show();
  }

  async function run(item: NextItem): Promise<void> {
    running += 1;
    try {
      const ended = item.begun === true ? await endMeanwhile(item, input, execution) : null;
      if (ended === null) count(await runItem(item, execution, begun), false);
      else count(ended, true);
    } finally {
      working.delete(item.run);
      running -= 1;
    }
  }

  function begun(id: string, tellPaused: TellPaused): void {
    working.set(id, tellPaused);
    // The batch was paused while it was being started.
    if (gate.closed) tellPaused({ reason: pauseReason });
  }

  try {
    while (state.next < state.total && !isUsedUp()) {
      if (workflowInfo().continueAsNewSuggested) {
        await condition(() => running === 0);
        // They are stored: what travels is the same however many there are.
        const { items: _, stored_items: __, ...rest } = input;
        await continueAsNew<typeof batch>({
          ...rest,
          state: { ...state, paused: gate.closed, pause_reason: pauseReason, ...limit(maxCost) },
        });
      }
      if (state.next >= pageAt + page.length) {
        pageAt = state.next;
        page = await readPage(state, execution);
      }
      const item = page[state.next - pageAt];
      if (item === undefined) throw ApplicationFailure.nonRetryable('The list of items is shorter than it was.');
      if (item.ended !== undefined) count(item.ended, true);
      else {
        await condition(() => running < concurrency && !gate.closed);
        if (isUsedUp()) break;
        void run(item);
      }
      state.next += 1;
    }
    await condition(() => running === 0);
    status = 'completed';
  } catch (error) {
    if (!isCancellation(error)) throw error;
    // They have been cancelled with this scope, and end with what they have.
    await CancellationScope.nonCancellable(() => condition(() => running === 0, '20s'));
    status = 'cancelled';
  }
  state.counts = { ...state.counts, not_started: state.total - state.next };
  return CancellationScope.nonCancellable(() => conclude(state, status === 'cancelled' ? 'cancelled' : 'completed'));

  async function conclude(at: BatchProgress, how: 'completed' | 'cancelled'): Promise<BatchOutcome> {
    const { counts, list, total, cost, started_at } = at;
    const nothingDone = total > 0 && counts.completed + counts.kept_completed === 0 && counts.failed > 0;
    const ended = how === 'completed' && nothingDone ? 'failed' : how;
    status = 'finishing';
    const outcome = await runActivities({ summary: 'write the report' }).recordBatch({
      execution,
      list,
      started_at,
      outcome: { batch: workflowId, status: ended, total, counts, cost },
    });
    status = ended;
    if (ended === 'cancelled') throw new CancelledFailure('The batch was cancelled');
    if (ended === 'failed')
      throw ApplicationFailure.create({
        message: `None of the items of this batch completed: ${counts.failed} failed.`,
        type: BATCH_FAILED,
        nonRetryable: true,
        details: [outcome],
      });
    return outcome;
  }
}

async function begin(input: BatchInput, execution: string): Promise<BatchProgress> {
  const { prepareBatch } = runActivities({ summary: 'read the items' });
  const planned = await prepareBatch({ batch: workflowInfo().workflowId, execution, input }).catch(failPlainly);
  return { ...planned, next: 0, counts: NO_COUNTS, cost: 0, paused: false };
}

async function readPage(state: BatchProgress, execution: string): Promise<NextItem[]> {
  const { list, next: from, total } = state;
  const { readBatchItems } = runActivities({ summary: `items from ${from + 1} of ${total}` });
  return readBatchItems({ execution, list, from });
}

function endMeanwhile({ run }: NextItem, { retry_failed }: BatchInput, execution: string): Promise<ItemEnd | null> {
  const activities = runActivities({ summary: `whether ${run} has ended meanwhile` });
  return CancellationScope.nonCancellable(() =>
    activities.endMeanwhile({ execution, run, retry_failed: retry_failed === true }),
  );
}

function limit(max_cost: number | undefined): Pick<BatchProgress, 'max_cost'> {
  return max_cost === undefined ? {} : { max_cost };
}

/** Never rejects but for a cancellation: an item that fails is counted as failed. */
async function runItem(
  { run, type, input }: NextItem,
  execution: string,
  onStarted: (run: string, tellPaused: TellPaused) => void,
): Promise<ItemEnd> {
  try {
    const handle = await startChildReplacing(run, () =>
      startChild<ItemWorkflow>(type, {
        workflowId: run,
        args: [input],
        parentClosePolicy: ParentClosePolicy.REQUEST_CANCEL,
        cancellationType: ChildWorkflowCancellationType.WAIT_CANCELLATION_COMPLETED,
      }),
    );
    onStarted(run, createTellPaused(handle));
    const { status, usage } = await cancelledByName(run, handle.result());
    return { status, cost: usage.cost };
  } catch (error) {
    // What it cost all the same is in its books.
    const { endOfItem } = runActivities({ summary: `how ${run} ended` });
    return CancellationScope.nonCancellable(() => endOfItem({ execution, run, error: failureMessage(error) }));
  }
}
